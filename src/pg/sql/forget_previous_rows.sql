-- Removes the previous rows that the ledger keeps for the finished run $1, and notes that the run cannot be rolled back any
-- more. Returns the number of removed rows, and true if the run is finished. `:ledger` is the ledger's schema.
WITH done AS (
    SELECT run FROM :ledger.run WHERE run = $1 AND state = 'Done' FOR UPDATE
), removed AS (
    DELETE FROM :ledger.kept AS kept USING done WHERE kept.run = done.run RETURNING 1
), noted AS (
    INSERT INTO :ledger.made (run, kind, object, was)
    SELECT run, 'forgotten', 'previous rows', (SELECT count(*) FROM removed)::text FROM done
    ON CONFLICT (run, kind, object) DO NOTHING
)
SELECT (SELECT count(*) FROM removed), EXISTS (SELECT FROM done)
