-- Text that is compared byte by byte has the collation "C": its order is that of SQLite and depends
-- on no locale, and its indexes support all comparisons.

CREATE TABLE users (
    id UUID PRIMARY KEY,
    login TEXT NOT NULL,
    canonical_login TEXT COLLATE "C" NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
    token_epoch BIGINT NOT NULL CHECK (token_epoch >= 0),
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    last_login_at TIMESTAMPTZ
);

CREATE TABLE roles (
    name TEXT COLLATE "C" PRIMARY KEY,
    description TEXT NOT NULL,
    self_assignable BOOLEAN NOT NULL
);

CREATE TABLE role_permissions (
    role TEXT COLLATE "C" NOT NULL REFERENCES roles (name) ON DELETE CASCADE,
    permission TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (role, permission)
);

CREATE TABLE user_roles (
    user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role TEXT COLLATE "C" NOT NULL REFERENCES roles (name),
    PRIMARY KEY (user_id, role)
);

CREATE INDEX user_roles_by_role ON user_roles (role, user_id);

CREATE TABLE sessions (
    id UUID PRIMARY KEY,
    user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    generation BIGINT NOT NULL CHECK (generation BETWEEN 0 AND 4294967295),
    salt BYTEA NOT NULL CHECK (octet_length(salt) = 32),
    created_at TIMESTAMPTZ NOT NULL,
    last_used_at TIMESTAMPTZ NOT NULL,
    idle_expires_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    revoked_at TIMESTAMPTZ,
    revoke_reason TEXT,
    user_agent TEXT,
    ip TEXT,
    -- The earliest of the session's ends, past or future; housekeeping deletes by it. LEAST ignores
    -- NULL.
    dead_at TIMESTAMPTZ NOT NULL GENERATED ALWAYS AS (LEAST(idle_expires_at, expires_at, revoked_at)) STORED,
    CHECK ((revoked_at IS NULL) = (revoke_reason IS NULL))
);

CREATE INDEX sessions_by_user ON sessions (user_id, created_at);
CREATE INDEX sessions_by_death ON sessions (dead_at);

-- No foreign keys: an event outlives the user and session that it names.
CREATE TABLE audit_events (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at TIMESTAMPTZ NOT NULL,
    action TEXT NOT NULL,
    actor_kind TEXT NOT NULL CHECK (actor_kind IN ('anonymous', 'user', 'operator')),
    actor_id UUID,
    user_id UUID NOT NULL,
    session_id UUID,
    address TEXT,
    request_id TEXT,
    CHECK ((actor_kind = 'user') = (actor_id IS NOT NULL))
);

CREATE INDEX audit_events_by_user ON audit_events (user_id, at, id);

INSERT INTO roles (name, description, self_assignable) VALUES
    ('admin', 'Everything.', FALSE),
    ('user', 'Given on registration.', TRUE);

INSERT INTO role_permissions (role, permission) VALUES
    ('admin', 'users:read'),
    ('admin', 'users:write'),
    ('admin', 'roles:assign'),
    ('admin', 'roles:write'),
    ('admin', 'sessions:revoke'),
    ('admin', 'audit:read');
