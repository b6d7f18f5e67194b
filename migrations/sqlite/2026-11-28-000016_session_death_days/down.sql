DROP INDEX sessions_by_death;
DROP TRIGGER sessions_move_dead_on;
DROP TRIGGER sessions_set_dead_on;

ALTER TABLE sessions DROP COLUMN dead_on;

CREATE INDEX sessions_by_death ON sessions (dead_at);
