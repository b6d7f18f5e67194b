-- Restores the old table with the events that were copied from it.
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

INSERT INTO audit_events (at, action, actor_kind, actor_id, user_id, session_id, address, request_id)
    SELECT at, action, actor_kind, actor_id, user_id, session_id, address, request_id
    FROM audit_trail
    WHERE number <= (SELECT base_number FROM audit_chain)
    ORDER BY number;

CREATE INDEX user_roles_by_role ON user_roles (role, user_id);

DROP INDEX user_roles_by_status;
DROP TRIGGER users_copy_status;
DROP TRIGGER user_roles_copy_user;

CREATE TRIGGER user_roles_copy_login AFTER INSERT ON user_roles
BEGIN
    UPDATE user_roles
    SET canonical_login = (SELECT canonical_login FROM users WHERE users.id = NEW.user_id)
    WHERE user_id = NEW.user_id AND role = NEW.role;
END;

ALTER TABLE user_roles DROP COLUMN status;
