-- Of a user's sessions, those opened later have higher numbers, whatever the clock shows. Older
-- sessions have number 0 and are ordered by their creation times.
ALTER TABLE sessions ADD COLUMN number INTEGER NOT NULL DEFAULT 0;

DROP INDEX sessions_by_user;
CREATE INDEX sessions_by_user ON sessions (user_id, number, created_at);
