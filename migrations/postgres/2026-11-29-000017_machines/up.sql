-- Machines: programs with an identity of their own.
CREATE TABLE machines (
    id UUID PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL UNIQUE,
    audience TEXT,
    status TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
    token_epoch BIGINT NOT NULL CHECK (token_epoch >= 0),
    revision BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE machine_roles (
    machine_id UUID NOT NULL REFERENCES machines (id) ON DELETE CASCADE,
    role TEXT COLLATE "C" NOT NULL REFERENCES roles (name),
    PRIMARY KEY (machine_id, role)
);
CREATE INDEX machine_roles_by_role ON machine_roles (role);

-- Each secret is a session of its machine. Its id follows from the digest.
CREATE TABLE machine_secrets (
    id UUID PRIMARY KEY,
    machine_id UUID NOT NULL REFERENCES machines (id) ON DELETE CASCADE,
    digest BYTEA NOT NULL CHECK (octet_length(digest) = 32),
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ,
    last_used_at TIMESTAMPTZ
);
CREATE INDEX machine_secrets_by_machine ON machine_secrets (machine_id);

INSERT INTO role_permissions (role, permission) VALUES ('admin', 'machines:write') ON CONFLICT DO NOTHING;
