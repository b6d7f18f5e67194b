-- The replicas that may answer from memory. An evicted lease stays until it expires, so that other
-- publishers also wait for it.
CREATE TABLE replica_leases (
    replica BLOB NOT NULL CHECK (length(replica) = 16),
    number INTEGER NOT NULL CHECK (number BETWEEN 0 AND 4294967295),
    runs_out_at INTEGER NOT NULL,
    evicted INTEGER NOT NULL DEFAULT 0 CHECK (evicted IN (0, 1)),
    PRIMARY KEY (replica, number)
) STRICT, WITHOUT ROWID;
