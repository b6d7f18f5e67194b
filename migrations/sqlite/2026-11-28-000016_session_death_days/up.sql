-- Each rotation of a refresh token moves the end of its session, dead_at. SQLite rewrites an index
-- if an UPDATE sets one of its columns, even to the same value. So the index of ends has a column of
-- its own, which triggers write only when it changes: the day of dead_at, in days since 1970-01-01.
DROP INDEX sessions_by_death;

ALTER TABLE sessions ADD COLUMN dead_on INTEGER NOT NULL DEFAULT 0;

UPDATE sessions SET dead_on = dead_at / 86400000000;

CREATE TRIGGER sessions_set_dead_on AFTER INSERT ON sessions
BEGIN
    UPDATE sessions SET dead_on = NEW.dead_at / 86400000000 WHERE id = NEW.id;
END;

CREATE TRIGGER sessions_move_dead_on AFTER UPDATE OF idle_expires_at, expires_at, revoked_at ON sessions
WHEN NEW.dead_at / 86400000000 <> NEW.dead_on
BEGIN
    UPDATE sessions SET dead_on = NEW.dead_at / 86400000000 WHERE id = NEW.id;
END;

CREATE INDEX sessions_by_death ON sessions (dead_on);
