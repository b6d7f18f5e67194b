-- Restores the old table with the events that were copied from it.
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

INSERT INTO audit_events (at, action, actor_kind, actor_id, user_id, session_id, address, request_id)
    SELECT at, action, actor_kind, actor_id, user_id, session_id, address, request_id
    FROM audit_trail
    WHERE number <= (SELECT base_number FROM audit_chain)
    ORDER BY number;

CREATE INDEX user_roles_by_role ON user_roles (role, user_id);

DROP INDEX user_roles_by_status;
DROP TRIGGER users_copy_status ON users;
DROP FUNCTION users_copy_status();

CREATE FUNCTION user_roles_copy_login() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    SELECT canonical_login INTO NEW.canonical_login FROM users WHERE id = NEW.user_id;
    RETURN NEW;
END
$$;

DROP TRIGGER user_roles_copy_user ON user_roles;
DROP FUNCTION user_roles_copy_user();

CREATE TRIGGER user_roles_copy_login BEFORE INSERT ON user_roles
    FOR EACH ROW EXECUTE FUNCTION user_roles_copy_login();

ALTER TABLE user_roles DROP COLUMN status;
