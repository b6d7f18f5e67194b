-- A digest does as a salt: 32 bytes that nobody chose.
ALTER TABLE sessions RENAME CONSTRAINT sessions_secret_digest_check TO sessions_salt_check;
ALTER TABLE sessions RENAME COLUMN secret_digest TO salt;
