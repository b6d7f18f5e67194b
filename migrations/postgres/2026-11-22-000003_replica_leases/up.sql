-- Who may be answering from memory. An evicted lease stays until it runs out, so that others see it too.
CREATE TABLE replica_leases (
    replica uuid NOT NULL,
    number bigint NOT NULL CHECK (number BETWEEN 0 AND 4294967295),
    runs_out_at timestamptz NOT NULL,
    evicted boolean NOT NULL DEFAULT false,
    PRIMARY KEY (replica, number)
);
