-- Takes up to $4 members of run $1, of shard $2 of $3, that wait or whose lease has ended, for the worker $5 and $6 seconds.
-- Never waits for another worker: what one is about to take, the others pass over.
WITH free AS (
    SELECT member
      FROM :ledger.member
     WHERE run = $1 AND state IN ('Waiting', 'Taken') AND member % $3 = $2
       AND (state = 'Waiting' OR lease < clock_timestamp())
     ORDER BY member
     LIMIT $4
       FOR UPDATE SKIP LOCKED
)
UPDATE :ledger.member m
   SET state = 'Taken', epoch = m.epoch + 1, worker = $5, lease = clock_timestamp() + pg_catalog.make_interval(secs => $6)
  FROM free
 WHERE m.run = $1 AND m.member = free.member
RETURNING m.member, m.path, m.owner::text, m.epoch, m.position IS NOT NULL
