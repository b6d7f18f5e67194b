-- The sequence is dropped with the column that owns it.
ALTER TABLE sessions DROP COLUMN number;
