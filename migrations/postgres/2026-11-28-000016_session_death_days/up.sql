-- Each rotation of a refresh token moves the end of its session. The index of ends has only their
-- days, so that a rotation changes no index (a HOT update), except a session's first one of a day.
-- Pages keep free space for the new rows. Rewrites the table. Servers of the previous version cannot
-- remove dead sessions on this schema; those of this version do.
DROP INDEX sessions_by_death;

ALTER TABLE sessions SET (fillfactor = 85);
-- dead_on is the UTC date of the earliest of the session's ends, past or future. LEAST ignores NULL.
ALTER TABLE sessions
    DROP COLUMN dead_at,
    ADD COLUMN dead_on DATE NOT NULL
        GENERATED ALWAYS AS ((LEAST(idle_expires_at, expires_at, revoked_at) AT TIME ZONE 'UTC')::date) STORED;

CREATE INDEX sessions_by_death ON sessions (dead_on);
