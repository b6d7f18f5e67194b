-- Sessions opened later have higher numbers, whatever the clocks of the replicas show. Older
-- sessions have number 0 and are ordered by their creation times. Servers of the previous version
-- store numbers too, because of the default.
CREATE SEQUENCE sessions_number_seq;

ALTER TABLE sessions ADD COLUMN number BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ALTER COLUMN number SET DEFAULT nextval('sessions_number_seq');

ALTER SEQUENCE sessions_number_seq OWNED BY sessions.number;
