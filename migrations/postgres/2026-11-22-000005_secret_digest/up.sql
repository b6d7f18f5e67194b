-- A session now stores the digest of a secret that only its refresh tokens contain. Older sessions
-- keep their salt in this column, which is the digest of no known secret: they stay valid, but can
-- no longer be refreshed. Servers of the previous version cannot run on this schema.
ALTER TABLE sessions RENAME COLUMN salt TO secret_digest;
ALTER TABLE sessions RENAME CONSTRAINT sessions_salt_check TO sessions_secret_digest_check;
