-- Servers of the previous version work on this schema while they are replaced, but they write
-- events to the old table audit_events, which a later migration drops.

ALTER TABLE users
    ADD COLUMN must_change_password BOOLEAN NOT NULL DEFAULT FALSE,
    ADD COLUMN revision BIGINT NOT NULL DEFAULT 0 CHECK (revision >= 0);

CREATE INDEX users_by_status ON users (status, canonical_login);

ALTER TABLE roles ADD COLUMN revision BIGINT NOT NULL DEFAULT 0 CHECK (revision >= 0);

-- Users by role, ordered by login, which never changes, so that a page of users is a range of the
-- index.
ALTER TABLE user_roles ADD COLUMN canonical_login TEXT COLLATE "C";

UPDATE user_roles SET canonical_login = users.canonical_login FROM users WHERE users.id = user_roles.user_id;

ALTER TABLE user_roles ALTER COLUMN canonical_login SET NOT NULL;

-- The function fixes its search_path, because a restore of single tables runs without one.
CREATE FUNCTION user_roles_copy_login() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    SELECT canonical_login INTO NEW.canonical_login FROM users WHERE id = NEW.user_id;
    RETURN NEW;
END
$$;

CREATE TRIGGER user_roles_copy_login BEFORE INSERT ON user_roles
    FOR EACH ROW EXECUTE FUNCTION user_roles_copy_login();

CREATE INDEX user_roles_by_login ON user_roles (role, canonical_login);

-- No foreign keys: an event outlives the user and session that it names. Each seal is the SHA-256
-- of the previous seal and this row.
CREATE TABLE audit_trail (
    number BIGINT PRIMARY KEY CHECK (number > 0),
    at TIMESTAMPTZ NOT NULL,
    action TEXT COLLATE "C" NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id UUID,
    user_id UUID,
    session_id UUID,
    address TEXT,
    user_agent TEXT,
    request_id TEXT,
    details TEXT NOT NULL,
    seal BYTEA NOT NULL
);

CREATE INDEX audit_trail_by_user ON audit_trail (user_id, number);
CREATE INDEX audit_trail_by_actor ON audit_trail (actor_id, number);
CREATE INDEX audit_trail_by_action ON audit_trail (action, number);
CREATE INDEX audit_trail_by_time ON audit_trail (at, number);

-- Both ends of the chain. base is the last event that was pruned. Every writer locks the single
-- row.
CREATE TABLE audit_chain (
    id SMALLINT PRIMARY KEY CHECK (id = 1),
    base_number BIGINT NOT NULL,
    base_seal BYTEA NOT NULL CHECK (octet_length(base_seal) = 32),
    head_number BIGINT NOT NULL CHECK (head_number >= base_number),
    head_seal BYTEA NOT NULL CHECK (octet_length(head_seal) = 32)
) WITH (fillfactor = 10);

-- Older events are kept before the base of the chain, without seals.
INSERT INTO audit_trail (number, at, action, actor_kind, actor_id, user_id, session_id, address, request_id, details, seal)
    SELECT row_number() OVER (ORDER BY id), at, action, actor_kind, actor_id, user_id, session_id, address, request_id,
        '{}', decode(repeat('00', 32), 'hex')
    FROM audit_events;

INSERT INTO audit_chain (id, base_number, base_seal, head_number, head_seal)
    SELECT 1, count(*), decode(repeat('00', 32), 'hex'), count(*), decode(repeat('00', 32), 'hex') FROM audit_trail;
