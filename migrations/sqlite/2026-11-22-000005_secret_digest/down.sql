-- A digest serves as a salt: 32 unpredictable bytes.
ALTER TABLE sessions RENAME COLUMN secret_digest TO salt;
