DROP INDEX sessions_by_death;

ALTER TABLE sessions RESET (fillfactor);
ALTER TABLE sessions
    DROP COLUMN dead_on,
    ADD COLUMN dead_at TIMESTAMPTZ NOT NULL
        GENERATED ALWAYS AS (LEAST(idle_expires_at, expires_at, revoked_at)) STORED;

CREATE INDEX sessions_by_death ON sessions (dead_at);
