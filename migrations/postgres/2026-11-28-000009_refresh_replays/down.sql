ALTER TABLE sessions DROP COLUMN replayed_generation;
ALTER TABLE sessions DROP COLUMN rotated_by;
