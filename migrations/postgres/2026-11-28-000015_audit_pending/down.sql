-- Only a sealer can number and seal events.
DO $$
BEGIN
    IF EXISTS (SELECT FROM audit_pending) THEN
        RAISE EXCEPTION 'audit_pending contains events that are not sealed; run "authapi audit verify" first';
    END IF;
END
$$;

DROP TABLE audit_pending;
