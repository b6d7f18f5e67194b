-- A digest does as a salt: 32 bytes that nobody chose.
ALTER TABLE sessions RENAME COLUMN secret_digest TO salt;
