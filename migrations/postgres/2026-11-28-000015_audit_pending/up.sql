-- Events of committed changes that a sealer has not numbered yet. seq is drawn after the locks of
-- the change, so an event that depends on another one has the higher number. Servers of the previous
-- version, which work on this schema while they are replaced, append to audit_trail directly.
CREATE TABLE audit_pending (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at TIMESTAMPTZ NOT NULL,
    action TEXT COLLATE "C" NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id UUID,
    user_id UUID,
    session_id UUID,
    address TEXT,
    user_agent TEXT,
    request_id TEXT,
    details TEXT NOT NULL,
    mac BYTEA NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
