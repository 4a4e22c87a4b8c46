-- The number of blocks of each table of $2 in schema $1 that can be read in ranges of blocks: tables with one heap of their own.
-- A right on columns alone does not allow reading ctid.
SELECT c.relname::text, pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int8
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_am a ON a.oid = c.relam
 WHERE n.nspname = $1 AND c.relname = ANY ($2) AND c.relkind = 'r' AND a.amname = 'heap'
   AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
