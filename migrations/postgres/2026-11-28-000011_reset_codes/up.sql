-- A password that another user or the operator has set opens one session, before password_expires_at.
-- password_used_at is the time at which it did. Passwords that were set before have neither.
ALTER TABLE users ADD COLUMN password_expires_at TIMESTAMPTZ;
ALTER TABLE users ADD COLUMN password_used_at TIMESTAMPTZ;
