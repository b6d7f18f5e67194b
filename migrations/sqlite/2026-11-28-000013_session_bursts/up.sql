-- The first of the latest rotations of a session that followed each other within the grace window: the
-- generation that it replaced, and when. Servers of the previous version write neither: every generation
-- from there on was replaced later, also by them.
ALTER TABLE sessions ADD COLUMN burst_from INTEGER;
ALTER TABLE sessions ADD COLUMN burst_since INTEGER;
