-- The checks on rows written to table $2 of schema $1 that only the server can make, in addition to CHECKs, domains and unique
-- keys over plain columns: the kind of check, its name, and the reason why it cannot be made in advance. $3: triggers fire.
WITH t AS (
    SELECT c.oid, c.relname, c.relkind
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2
)
SELECT 'exclusion' AS kind, con.conname::text AS name, 'the server compares rows with each other when they are written' AS why
  FROM t JOIN pg_catalog.pg_constraint con ON con.conrelid = t.oid AND con.contype = 'x'
UNION ALL
SELECT CASE WHEN i.indisunique THEN 'unique' ELSE 'index' END, x.relname::text,
       CASE WHEN i.indexprs IS NOT NULL THEN 'the server computes its entries' ELSE 'the server decides which rows it contains' END
  FROM t
  JOIN pg_catalog.pg_index i ON i.indrelid = t.oid AND (i.indpred IS NOT NULL OR i.indexprs IS NOT NULL)
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
UNION ALL
-- A column that is computed when it is read refuses no row.
SELECT 'generated', a.attname::text, 'the server computes it when rows are written'
  FROM t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attgenerated = 's' AND NOT a.attisdropped
UNION ALL
SELECT 'partition', t.relname::text, 'the server chooses each row''s partition when it is written' FROM t WHERE t.relkind = 'p'
UNION ALL
-- 4: the trigger runs for INSERT.
SELECT 'trigger', g.tgname::text, 'it fires when rows are written'
  FROM t
  JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal AND g.tgenabled IN ('O', 'A') AND g.tgtype & 4 <> 0
 WHERE $3
 ORDER BY 1, 2
