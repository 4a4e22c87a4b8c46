-- The runs that are not ended and load a table of $2 in schema $1: run, mapping, table, and true if the run shares the table and
-- has detached nothing of it. A run that an earlier build began does not record the schema and counts for each.
SELECT r.run, r.mapping, t.name,
       coalesce(r.judged -> 'shared' ? t.name, false)
       AND NOT EXISTS (SELECT FROM :ledger.detached d WHERE d.run = r.run AND d.table_name = t.name AND NOT d.back)
  FROM :ledger.run r
 CROSS JOIN pg_catalog.unnest($2::text[]) AS t (name)
 WHERE r.state = 'Running' AND r.judged -> 'images' ? t.name
   AND coalesce(nullif(r.judged ->> 'schema', ''), $1) = $1
 ORDER BY r.run, t.name
