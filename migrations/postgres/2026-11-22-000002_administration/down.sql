-- The old table cannot store events without a user. Its own events were copied from it, not moved.
INSERT INTO audit_events (at, action, actor_kind, actor_id, user_id, session_id, address, request_id)
    SELECT at, action, actor_kind, actor_id, user_id, session_id, address, request_id
    FROM audit_trail
    WHERE number > (SELECT base_number FROM audit_chain) AND user_id IS NOT NULL
    ORDER BY number;

DROP TABLE audit_chain;
DROP TABLE audit_trail;

DROP TRIGGER user_roles_copy_login ON user_roles;
DROP FUNCTION user_roles_copy_login();
DROP INDEX user_roles_by_login;
ALTER TABLE user_roles DROP COLUMN canonical_login;

ALTER TABLE roles DROP COLUMN revision;

DROP INDEX users_by_status;
ALTER TABLE users
    DROP COLUMN must_change_password,
    DROP COLUMN revision;
