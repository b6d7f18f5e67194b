-- The table of the same name in Postgres. It stays empty: one server owns a SQLite database.
CREATE TABLE replicas (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    settings TEXT NOT NULL,
    runs_out_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
