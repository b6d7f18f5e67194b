-- When the user's password was last checked in the session. NULL, which older rows have and servers of
-- the previous version store, means when the session was opened.
ALTER TABLE sessions ADD COLUMN authenticated_at TIMESTAMPTZ;
