-- What the server alone judges of rows that are written to table $2 of schema $1, beside CHECKs, domains and unique keys
-- over plain columns: which check it is, its name, and why looking at rows does not say it. $3: triggers fire.
WITH t AS (
    SELECT c.oid, c.relname, c.relkind
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2
)
SELECT 'exclusion' AS kind, con.conname::text AS name, 'the server holds rows against each other when they are written' AS why
  FROM t JOIN pg_catalog.pg_constraint con ON con.conrelid = t.oid AND con.contype = 'x'
UNION ALL
SELECT CASE WHEN i.indisunique THEN 'unique' ELSE 'index' END, x.relname::text,
       CASE WHEN i.indexprs IS NOT NULL THEN 'the server computes what stands in it' ELSE 'the server says which rows stand in it' END
  FROM t
  JOIN pg_catalog.pg_index i ON i.indrelid = t.oid AND (i.indpred IS NOT NULL OR i.indexprs IS NOT NULL)
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
UNION ALL
-- What is computed when it is read refuses no row.
SELECT 'generated', a.attname::text, 'the server computes it when rows are written'
  FROM t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attgenerated = 's' AND NOT a.attisdropped
UNION ALL
SELECT 'partition', t.relname::text, 'the server chooses each row''s partition when it is written' FROM t WHERE t.relkind = 'p'
UNION ALL
-- 4: it runs for INSERT.
SELECT 'trigger', g.tgname::text, 'it fires when rows are written'
  FROM t
  JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal AND g.tgenabled IN ('O', 'A') AND g.tgtype & 4 <> 0
 WHERE $3
 ORDER BY 1, 2
