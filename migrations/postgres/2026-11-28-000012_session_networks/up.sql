-- The network of the client that opened the session, an IPv4 /24 or an IPv6 /56 in CIDR notation. An
-- account is known in it for a time.
ALTER TABLE sessions ADD COLUMN network TEXT;
-- Sessions opened earlier make no place known. NULL means that all do.
ALTER TABLE users ADD COLUMN places_since TIMESTAMPTZ;

UPDATE sessions SET network = text(network(set_masklen(ip::inet, CASE family(ip::inet) WHEN 4 THEN 24 ELSE 56 END)))
WHERE ip IS NOT NULL AND created_at > now() - INTERVAL '30 days';

CREATE INDEX sessions_by_network ON sessions (user_id, network, created_at);
