-- The MAC of each sealed event, with the id of its key. Events of the previous version have none.
ALTER TABLE audit_trail ADD COLUMN mac BLOB;

-- Signed notes of the end of the chain. Any stored text is kept, so that a changed one is found.
CREATE TABLE audit_checkpoints (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    note TEXT NOT NULL
) STRICT;
