DROP INDEX sessions_by_network;

ALTER TABLE sessions DROP COLUMN network;
ALTER TABLE users DROP COLUMN places_since;
