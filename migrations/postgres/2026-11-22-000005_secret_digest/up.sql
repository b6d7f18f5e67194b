-- What is kept of a session is now the digest of a secret that only its refresh tokens carry. Of a session from before it is
-- the old salt, of which nobody knows a secret: such a session lives on, and is not refreshed any more.
-- Servers of the version before cannot go on beside this schema.
ALTER TABLE sessions RENAME COLUMN salt TO secret_digest;
ALTER TABLE sessions RENAME CONSTRAINT sessions_salt_check TO sessions_secret_digest_check;
