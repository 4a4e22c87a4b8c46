-- The highest id that runs other than $3 which are not ended have reserved, for each of the tables $2 of schema $1.
SELECT t.name, pg_catalog.max((r.judged -> 'reserved' -> t.name ->> 'last')::pg_catalog.int8)
  FROM :ledger.run r
 CROSS JOIN pg_catalog.unnest($2::text[]) AS t (name)
 WHERE r.state = 'Running' AND r.run <> $3 AND r.judged -> 'reserved' ? t.name
   AND coalesce(nullif(r.judged ->> 'schema', ''), $1) = $1
 GROUP BY t.name
