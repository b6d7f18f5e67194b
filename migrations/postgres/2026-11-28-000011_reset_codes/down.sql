ALTER TABLE users DROP COLUMN password_used_at, DROP COLUMN password_expires_at;
