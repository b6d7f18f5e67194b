-- The replicas that may answer from memory. An evicted lease stays until it expires, so that other
-- publishers also wait for it.
CREATE TABLE replica_leases (
    replica uuid NOT NULL,
    number bigint NOT NULL CHECK (number BETWEEN 0 AND 4294967295),
    runs_out_at timestamptz NOT NULL,
    evicted boolean NOT NULL DEFAULT false,
    PRIMARY KEY (replica, number)
);
