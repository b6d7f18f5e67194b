-- The network of the client that opened the session, an IPv4 /24 or an IPv6 /56 in CIDR notation. An
-- account is known in it for a time.
ALTER TABLE sessions ADD COLUMN network TEXT;
-- Sessions opened earlier make no place known. NULL means that all do.
ALTER TABLE users ADD COLUMN places_since INTEGER;

-- SQLite has no functions for IPv6: such networks are known from the next login on.
UPDATE sessions SET network = rtrim(ip, '0123456789') || '0/24' WHERE ip LIKE '%.%.%.%' AND ip NOT LIKE '%:%';

CREATE INDEX sessions_by_network ON sessions (user_id, network, created_at);
