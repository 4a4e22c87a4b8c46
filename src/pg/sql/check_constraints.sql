-- The CHECK constraints of table $2 in schema $1: name, expression, and the columns that it reads. A whole-row reference adds no
-- column.
SELECT con.conname::text AS name,
       pg_catalog.pg_get_expr(con.conbin, con.conrelid) AS expression,
       ARRAY(SELECT a.attname::text
               FROM unnest(con.conkey) WITH ORDINALITY AS k(no, at)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = con.conrelid AND a.attnum = k.no AND NOT a.attisdropped
              ORDER BY k.at) AS columns
  FROM pg_catalog.pg_constraint con
  JOIN pg_catalog.pg_class c ON c.oid = con.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE con.contype = 'c' AND n.nspname = $1 AND c.relname = $2
 ORDER BY con.conname
