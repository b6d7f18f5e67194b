-- What is kept of a session is now the digest of a secret that only its refresh tokens carry. Of a session from before it is
-- the old salt, of which nobody knows a secret: such a session lives on, and is not refreshed any more.
ALTER TABLE sessions RENAME COLUMN salt TO secret_digest;
