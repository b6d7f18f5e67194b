-- The running servers, each with how it issues and verifies tokens, without secrets.
CREATE TABLE replicas (
    id UUID PRIMARY KEY,
    settings TEXT NOT NULL,
    runs_out_at TIMESTAMPTZ NOT NULL
);
