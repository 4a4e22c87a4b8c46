-- Removes the previous rows that the ledger keeps for the finished run $1, and its note about the objects that `--create` made.
-- Notes that the run cannot be rolled back any more. Returns the number of removed rows, and true if the run is finished. `:ledger` is the ledger's schema.
WITH done AS (
    SELECT run, mapping, owner FROM :ledger.run WHERE run = $1 AND state = 'Done' FOR UPDATE
), removed AS (
    DELETE FROM :ledger.kept AS kept USING done WHERE kept.run = done.run RETURNING 1
), left_alone AS (
    DELETE FROM :ledger.created AS created USING done WHERE created.mapping = done.mapping AND created.owner = done.owner
), noted AS (
    INSERT INTO :ledger.made (run, kind, object, was)
    SELECT run, 'forgotten', 'previous rows', (SELECT count(*) FROM removed)::text FROM done
    ON CONFLICT (run, kind, object) DO NOTHING
)
SELECT (SELECT count(*) FROM removed), EXISTS (SELECT FROM done)
