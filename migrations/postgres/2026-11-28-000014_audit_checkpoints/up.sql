-- The MAC of each sealed event, with the id of its key. Events of servers of the previous version,
-- which work on this schema while they are replaced, have none.
ALTER TABLE audit_trail ADD COLUMN mac BYTEA;

-- Signed notes of the end of the chain. Any stored text is kept, so that a changed one is found.
CREATE TABLE audit_checkpoints (
    number BIGINT PRIMARY KEY,
    at TIMESTAMPTZ NOT NULL,
    note TEXT NOT NULL
);
