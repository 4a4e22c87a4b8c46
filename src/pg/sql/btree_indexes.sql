-- The valid B-tree indexes of the tables $2 in schema $1 and the plain columns of each, included columns too.
SELECT c.relname::text AS table_name,
       x.relname::text AS name,
       ARRAY(SELECT a.attname::text
               FROM unnest(i.indkey::int2[]) AS k
               JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k
              ORDER BY a.attnum) AS columns
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = x.relam AND m.amname = 'btree'
  JOIN pg_catalog.pg_class c ON c.oid = i.indrelid AND c.relname = ANY ($2)
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $1
 WHERE i.indisvalid
 ORDER BY c.relname, x.relname
