-- Users by role and status, ordered by login, so that a page of users is a range of the index.
ALTER TABLE user_roles ADD COLUMN status TEXT;

UPDATE user_roles SET status = (SELECT status FROM users WHERE users.id = user_roles.user_id);

DROP TRIGGER user_roles_copy_login;

CREATE TRIGGER user_roles_copy_user AFTER INSERT ON user_roles
BEGIN
    UPDATE user_roles
    SET (canonical_login, status) = (SELECT canonical_login, status FROM users WHERE users.id = NEW.user_id)
    WHERE user_id = NEW.user_id AND role = NEW.role;
END;

CREATE TRIGGER users_copy_status AFTER UPDATE OF status ON users WHEN NEW.status <> OLD.status
BEGIN
    UPDATE user_roles SET status = NEW.status WHERE user_id = NEW.id;
END;

CREATE INDEX user_roles_by_status ON user_roles (role, status, canonical_login);

-- user_roles_by_login also serves the queries of this index.
DROP INDEX user_roles_by_role;

-- The table's events are in audit_trail, before the base of the chain.
DROP TABLE audit_events;
