SET session_replication_role = replica;
INSERT INTO users (id, login, canonical_login, password_hash, status, token_epoch, created_at, updated_at)
    SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, login, login, ':hash', 'active', 0, now(), now()
    FROM generate_series(1, :count) AS n, format('user-%s', lpad(n::text, 8, '0')) AS login;
INSERT INTO user_roles (user_id, role, canonical_login, status)
    SELECT id, 'user', canonical_login, status FROM users;
INSERT INTO sessions (id, user_id, generation, secret_digest, created_at, last_used_at, idle_expires_at, expires_at)
    SELECT ('00000000-0000-7000-9000-' || right(id::text, 12))::uuid, id, 0, sha256(id::text::bytea), now(), now(),
        now() + INTERVAL '30 days', now() + INTERVAL '90 days'
    FROM users;
