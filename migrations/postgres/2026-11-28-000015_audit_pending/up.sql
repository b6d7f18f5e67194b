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
    mac BYTEA NOT NULL,
    -- audit_trail has an index of the actions, whose entries must be short.
    CONSTRAINT audit_pending_is_short CHECK (
        octet_length(action) <= 100 AND octet_length(actor_kind) <= 100 AND octet_length(mac) <= 100
    )
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

-- The ranges of seq in which events may be pending: those above the sealed ones, and gaps between
-- them. Sealers look only there: the index entries of removed rows are slow to pass.
ALTER TABLE audit_chain
    ADD COLUMN unsealed_lowest BIGINT[] NOT NULL DEFAULT '{1}',
    ADD COLUMN unsealed_highest BIGINT[] NOT NULL DEFAULT '{9223372036854775807}';
