-- The next revision of a role now follows the highest in the catalogue, which the role admin keeps, so
-- that no revision repeats after a role was removed. Every earlier change of a role wrote an audit
-- event: the number of the last event is at least as high as any revision so far.
UPDATE roles SET revision = (SELECT greatest(head_number, (SELECT max(revision) FROM roles)) FROM audit_chain)
WHERE name = 'admin';
