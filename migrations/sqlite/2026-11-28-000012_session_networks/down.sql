DROP INDEX sessions_by_network;

ALTER TABLE sessions DROP COLUMN network;
