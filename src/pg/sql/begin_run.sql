-- Inserts a run and its loads. No row if another run that is not ended has reserved some of the same ids: the caller holds a lock
-- that keeps a second run from reserving at the same time.
WITH asked AS (
    SELECT ($8::text)::jsonb AS judged
), taken AS (
    SELECT FROM asked
     CROSS JOIN pg_catalog.jsonb_each(asked.judged -> 'reserved') AS mine (name, ids)
      JOIN :ledger.run r ON r.state = 'Running' AND r.judged -> 'reserved' ? mine.name
                        AND r.judged ->> 'schema' = asked.judged ->> 'schema'
     WHERE (mine.ids ->> 'first')::pg_catalog.int8 <= (r.judged -> 'reserved' -> mine.name ->> 'last')::pg_catalog.int8
       AND (mine.ids ->> 'last')::pg_catalog.int8 >= (r.judged -> 'reserved' -> mine.name ->> 'first')::pg_catalog.int8
), new AS (
    INSERT INTO :ledger.run (mapping, owner, tool, state, seed, stamp, catalog, read_ahead, judged)
    SELECT $1, $2, $3, 'Running', $4, $5, $6, $7, asked.judged FROM asked WHERE NOT EXISTS (SELECT FROM taken)
    RETURNING run
), loads AS (
    INSERT INTO :ledger.load (run, load, plan)
    SELECT new.run, load.* FROM new, unnest($9::text[], $10::text[]) AS load
)
SELECT run FROM new
