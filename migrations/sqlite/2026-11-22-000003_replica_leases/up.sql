-- Who may be answering from memory. An evicted lease stays until it runs out, so that others see it too.
CREATE TABLE replica_leases (
    replica BLOB NOT NULL CHECK (length(replica) = 16),
    number INTEGER NOT NULL CHECK (number BETWEEN 0 AND 4294967295),
    runs_out_at INTEGER NOT NULL,
    evicted INTEGER NOT NULL DEFAULT 0 CHECK (evicted IN (0, 1)),
    PRIMARY KEY (replica, number)
) STRICT, WITHOUT ROWID;
