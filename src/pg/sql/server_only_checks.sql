-- The checks on rows written to the tables $2 of schema $1 that only the server can make: the kind of check, its name, and the
-- reason why it cannot be made in advance. A trigger is listed also if the load disables it.
WITH t AS (
    SELECT c.oid, c.relname, c.relkind
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = ANY ($2)
)
SELECT t.relname::text AS table_name, 'partition' AS kind, t.relname::text AS name,
       'the server computes each row''s partition when it is written' AS why
  FROM t
 WHERE t.relkind = 'p'
   AND EXISTS (SELECT FROM pg_catalog.pg_partition_tree(t.oid) AS p
                 JOIN pg_catalog.pg_partitioned_table pt ON pt.partrelid = p.relid AND pt.partexprs IS NOT NULL)
UNION ALL
-- 4: the trigger runs for INSERT.
SELECT t.relname::text, 'trigger', g.tgname::text, 'it fires when rows are written'
  FROM t
  JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal AND g.tgenabled IN ('O', 'A') AND g.tgtype & 4 <> 0
 ORDER BY 1, 2, 3
