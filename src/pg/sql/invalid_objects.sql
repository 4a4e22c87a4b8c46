-- The constraints of the tables $2 of schema $1 that are not validated, and the indexes that are not valid or not ready. A
-- foreign key is validated if all its parts for the partitions of the referenced table are.
WITH RECURSIVE parts (root, oid, convalidated) AS (
    SELECT con.oid, con.oid, con.convalidated
      FROM pg_catalog.pg_constraint con
      JOIN pg_catalog.pg_class c ON c.oid = con.conrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = ANY ($2) AND con.conparentid = 0
    UNION ALL
    SELECT p.root, con.oid, con.convalidated FROM parts p JOIN pg_catalog.pg_constraint con ON con.conparentid = p.oid
)
SELECT c.relname::text AS table_name, con.conname::text AS object
  FROM pg_catalog.pg_constraint con
  JOIN pg_catalog.pg_class c ON c.oid = con.conrelid
 WHERE con.oid IN (SELECT p.root FROM parts p WHERE NOT p.convalidated)
UNION ALL
SELECT c.relname::text, x.relname::text
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relname = ANY ($2) AND NOT (i.indisvalid AND i.indisready)
 ORDER BY 1, 2
