-- The table of the same name in Postgres. It stays empty: the single writer seals events at once.
CREATE TABLE audit_pending (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    action TEXT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id BLOB,
    user_id BLOB,
    session_id BLOB,
    address TEXT,
    user_agent TEXT,
    request_id TEXT,
    details TEXT NOT NULL,
    mac BLOB NOT NULL
) STRICT;
