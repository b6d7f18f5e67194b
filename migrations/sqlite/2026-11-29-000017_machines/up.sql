-- Machines: programs with an identity of their own. Ids are 16 bytes, and times microseconds.
CREATE TABLE machines (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name TEXT NOT NULL UNIQUE,
    audience TEXT,
    status TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
    token_epoch INTEGER NOT NULL CHECK (token_epoch >= 0),
    revision INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE machine_roles (
    machine_id BLOB NOT NULL REFERENCES machines (id) ON DELETE CASCADE,
    role TEXT NOT NULL REFERENCES roles (name),
    PRIMARY KEY (machine_id, role)
) STRICT, WITHOUT ROWID;
CREATE INDEX machine_roles_by_role ON machine_roles (role);

-- Each secret is a session of its machine. Its id follows from the digest.
CREATE TABLE machine_secrets (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    machine_id BLOB NOT NULL REFERENCES machines (id) ON DELETE CASCADE,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX machine_secrets_by_machine ON machine_secrets (machine_id);

INSERT OR IGNORE INTO role_permissions (role, permission) VALUES ('admin', 'machines:write');
