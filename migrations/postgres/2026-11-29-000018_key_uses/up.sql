-- Until when a replica may make tokens with each signing key (by its id) and each refresh key (by its
-- fingerprint), and which keys are revoked.
CREATE TABLE key_uses (
    key TEXT PRIMARY KEY,
    used_until TIMESTAMPTZ NOT NULL,
    revoked BOOLEAN NOT NULL DEFAULT false
);
CREATE INDEX key_uses_revoked ON key_uses (key) WHERE revoked;
