-- A session now stores the digest of a secret that only its refresh tokens contain. Older sessions
-- keep their salt in this column, which is the digest of no known secret: they stay valid, but can
-- no longer be refreshed.
ALTER TABLE sessions RENAME COLUMN salt TO secret_digest;
