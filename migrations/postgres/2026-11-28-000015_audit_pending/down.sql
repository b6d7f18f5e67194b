-- In the order in which sealers lock them. No event is committed between the check and the removal.
LOCK TABLE audit_chain, audit_pending IN ACCESS EXCLUSIVE MODE;

-- Only a sealer can number and seal events.
DO $$
BEGIN
    IF EXISTS (SELECT FROM audit_pending) THEN
        RAISE EXCEPTION 'audit_pending contains events that are not sealed; run "authapi audit verify" first';
    END IF;
END
$$;

ALTER TABLE audit_chain
    DROP COLUMN unsealed_lowest,
    DROP COLUMN unsealed_highest;
DROP TABLE audit_pending;
