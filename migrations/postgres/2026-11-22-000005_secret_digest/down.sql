-- A digest serves as a salt: 32 unpredictable bytes.
ALTER TABLE sessions RENAME CONSTRAINT sessions_secret_digest_check TO sessions_salt_check;
ALTER TABLE sessions RENAME COLUMN secret_digest TO salt;
