-- Until when a replica may make tokens with each signing key (by its id) and each refresh key (by its
-- fingerprint), in microseconds, and which keys are revoked.
CREATE TABLE key_uses (
    key TEXT NOT NULL PRIMARY KEY,
    used_until INTEGER NOT NULL,
    revoked INTEGER NOT NULL DEFAULT 0 CHECK (revoked IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE INDEX key_uses_revoked ON key_uses (key) WHERE revoked = 1;
