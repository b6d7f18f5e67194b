-- Events of the previous version are copied from the old table audit_events, which a later
-- migration drops.

ALTER TABLE users ADD COLUMN must_change_password INTEGER NOT NULL DEFAULT 0 CHECK (must_change_password IN (0, 1));
ALTER TABLE users ADD COLUMN revision INTEGER NOT NULL DEFAULT 0 CHECK (revision >= 0);

CREATE INDEX users_by_status ON users (status, canonical_login);

ALTER TABLE roles ADD COLUMN revision INTEGER NOT NULL DEFAULT 0 CHECK (revision >= 0);

-- Users by role, ordered by login, which never changes, so that a page of users is a range of the
-- index.
ALTER TABLE user_roles ADD COLUMN canonical_login TEXT;

UPDATE user_roles SET canonical_login = (SELECT canonical_login FROM users WHERE users.id = user_roles.user_id);

CREATE TRIGGER user_roles_copy_login AFTER INSERT ON user_roles
BEGIN
    UPDATE user_roles
    SET canonical_login = (SELECT canonical_login FROM users WHERE users.id = NEW.user_id)
    WHERE user_id = NEW.user_id AND role = NEW.role;
END;

CREATE INDEX user_roles_by_login ON user_roles (role, canonical_login);

-- No foreign keys: an event outlives the user and session that it names. Each seal is the SHA-256
-- of the previous seal and this row.
CREATE TABLE audit_trail (
    number INTEGER PRIMARY KEY CHECK (number > 0),
    at INTEGER NOT NULL,
    action TEXT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id BLOB,
    user_id BLOB,
    session_id BLOB,
    address TEXT,
    user_agent TEXT,
    request_id TEXT,
    details TEXT NOT NULL,
    seal BLOB NOT NULL
) STRICT;

CREATE INDEX audit_trail_by_user ON audit_trail (user_id, number);
CREATE INDEX audit_trail_by_actor ON audit_trail (actor_id, number);
CREATE INDEX audit_trail_by_action ON audit_trail (action, number);
CREATE INDEX audit_trail_by_time ON audit_trail (at, number);

-- Both ends of the chain. base is the last event that was pruned.
CREATE TABLE audit_chain (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    base_number INTEGER NOT NULL,
    base_seal BLOB NOT NULL CHECK (length(base_seal) = 32),
    head_number INTEGER NOT NULL CHECK (head_number >= base_number),
    head_seal BLOB NOT NULL CHECK (length(head_seal) = 32)
) STRICT;

-- Older events are kept before the base of the chain, without seals.
INSERT INTO audit_trail (number, at, action, actor_kind, actor_id, user_id, session_id, address, request_id, details, seal)
    SELECT row_number() OVER (ORDER BY id), at, action, actor_kind, actor_id, user_id, session_id, address, request_id,
        '{}', zeroblob(32)
    FROM audit_events;

INSERT INTO audit_chain (id, base_number, base_seal, head_number, head_seal)
    SELECT 1, count(*), zeroblob(32), count(*), zeroblob(32) FROM audit_trail;
