-- Ids are UUIDs of 16 bytes; times are microseconds since 1970-01-01T00:00:00Z.

CREATE TABLE users (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    login TEXT NOT NULL,
    canonical_login TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
    token_epoch INTEGER NOT NULL CHECK (token_epoch >= 0),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    last_login_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE roles (
    name TEXT NOT NULL PRIMARY KEY,
    description TEXT NOT NULL,
    self_assignable INTEGER NOT NULL CHECK (self_assignable IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE TABLE role_permissions (
    role TEXT NOT NULL REFERENCES roles (name) ON DELETE CASCADE,
    permission TEXT NOT NULL CHECK (instr(permission, ',') = 0),
    PRIMARY KEY (role, permission)
) STRICT, WITHOUT ROWID;

CREATE TABLE user_roles (
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role TEXT NOT NULL REFERENCES roles (name) CHECK (instr(role, ',') = 0),
    PRIMARY KEY (user_id, role)
) STRICT, WITHOUT ROWID;

CREATE INDEX user_roles_by_role ON user_roles (role, user_id);

CREATE TABLE sessions (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    generation INTEGER NOT NULL CHECK (generation BETWEEN 0 AND 4294967295),
    salt BLOB NOT NULL CHECK (length(salt) = 32),
    created_at INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    idle_expires_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER,
    revoke_reason TEXT,
    user_agent TEXT,
    ip TEXT,
    -- The earliest of the session's ends, past or future; housekeeping deletes by it.
    dead_at INTEGER NOT NULL
        GENERATED ALWAYS AS (min(idle_expires_at, expires_at, coalesce(revoked_at, expires_at))) VIRTUAL,
    CHECK ((revoked_at IS NULL) = (revoke_reason IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_by_user ON sessions (user_id, created_at);
CREATE INDEX sessions_by_death ON sessions (dead_at);

-- No foreign keys: an event outlives the user and session that it names.
CREATE TABLE audit_events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    action TEXT NOT NULL,
    actor_kind TEXT NOT NULL CHECK (actor_kind IN ('anonymous', 'user', 'operator')),
    actor_id BLOB CHECK (length(actor_id) = 16),
    user_id BLOB NOT NULL CHECK (length(user_id) = 16),
    session_id BLOB CHECK (length(session_id) = 16),
    address TEXT,
    request_id TEXT,
    CHECK ((actor_kind = 'user') = (actor_id IS NOT NULL))
) STRICT;

CREATE INDEX audit_events_by_user ON audit_events (user_id, at, id);

INSERT INTO roles (name, description, self_assignable) VALUES
    ('admin', 'Everything.', 0),
    ('user', 'Given on registration.', 1);

INSERT INTO role_permissions (role, permission) VALUES
    ('admin', 'users:read'),
    ('admin', 'users:write'),
    ('admin', 'roles:assign'),
    ('admin', 'roles:write'),
    ('admin', 'sessions:revoke'),
    ('admin', 'audit:read');
