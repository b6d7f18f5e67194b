-- The origin of the last refresh and the generation that it issued, and the generation whose
-- rotation has an audit event for a replay. Servers of the previous version write neither: an
-- origin of another generation is not used.
ALTER TABLE sessions ADD COLUMN rotated_by BYTEA;
ALTER TABLE sessions ADD COLUMN replayed_generation BIGINT;
