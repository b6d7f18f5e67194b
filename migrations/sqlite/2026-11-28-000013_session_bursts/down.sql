ALTER TABLE sessions DROP COLUMN burst_since;
ALTER TABLE sessions DROP COLUMN burst_from;
