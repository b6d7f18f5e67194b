-- Before, changes of other roles never changed this revision.
UPDATE roles SET revision = 0 WHERE name = 'admin';
