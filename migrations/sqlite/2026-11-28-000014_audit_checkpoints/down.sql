DROP TABLE audit_checkpoints;
ALTER TABLE audit_trail DROP COLUMN mac;
