-- Users by role and status, ordered by login, so that a page of users is a range of the index.
ALTER TABLE user_roles ADD COLUMN status TEXT;

UPDATE user_roles SET status = users.status FROM users WHERE users.id = user_roles.user_id;

ALTER TABLE user_roles ALTER COLUMN status SET NOT NULL;

-- The function fixes its search_path, because a restore of single tables runs without one. It locks
-- the user, so that the status does not change before the commit.
CREATE FUNCTION user_roles_copy_user() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    SELECT canonical_login, status INTO NEW.canonical_login, NEW.status FROM users WHERE id = NEW.user_id FOR SHARE;
    RETURN NEW;
END
$$;

DROP TRIGGER user_roles_copy_login ON user_roles;
DROP FUNCTION user_roles_copy_login();

CREATE TRIGGER user_roles_copy_user BEFORE INSERT ON user_roles
    FOR EACH ROW EXECUTE FUNCTION user_roles_copy_user();

CREATE FUNCTION users_copy_status() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE user_roles SET status = NEW.status WHERE user_id = NEW.id;
    RETURN NULL;
END
$$;

CREATE TRIGGER users_copy_status AFTER UPDATE OF status ON users
    FOR EACH ROW WHEN (NEW.status <> OLD.status) EXECUTE FUNCTION users_copy_status();

CREATE INDEX user_roles_by_status ON user_roles (role, status, canonical_login);

-- user_roles_by_login also serves the queries of this index.
DROP INDEX user_roles_by_role;

-- The table's events are in audit_trail, before the base of the chain. Servers that still write to
-- it cannot run on this schema.
DROP TABLE audit_events;
