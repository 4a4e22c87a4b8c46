-- Completes the ledger's rows of several batches of the run $1, each the only one of its part, and ends their parts. The arrays
-- $2 to $11 have an element for each batch. The search path is the application's.
WITH done AS (
    SELECT *
      FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5),
                      pg_catalog.unnest($6), pg_catalog.unnest($7), pg_catalog.unnest($8), pg_catalog.unnest($9),
                      pg_catalog.unnest($10), pg_catalog.unnest($11))
        AS done (load, part, batch, first_key, last_key, read, written, digest, losses, lookups)
),
ended AS (
    UPDATE :ledger.part AS p SET done = true
      FROM done
     WHERE (p.run, p.load, p.part) OPERATOR(pg_catalog.=) ($1, done.load, done.part)
)
UPDATE :ledger.batch AS b
   SET first_key = done.first_key, last_key = done.last_key, read = done.read,
       written = done.written OPERATOR(pg_catalog./) (CASE WHEN :may_swallow THEN 0::pg_catalog.int8 ELSE 1::pg_catalog.int8 END),
       digest = done.digest, losses = done.losses::pg_catalog.jsonb, lookups = done.lookups::pg_catalog.jsonb
  FROM done
 WHERE (b.run, b.load, b.part, b.batch) OPERATOR(pg_catalog.=) ($1, done.load, done.part, done.batch)
