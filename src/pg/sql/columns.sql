-- The tables of schema $1 and their columns in order. A partitioned table is listed without its partitions.
SELECT c.oid::int8                                  AS table_oid,
       c.relname::text                              AS table_name,
       c.relkind::text                              AS kind,
       a.attname::text                              AS column_name,
       a.attnum::int4                               AS column_no,
       a.atttypid::int8                             AS type_oid,
       a.atttypmod                                  AS typmod,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS type_name,
       a.attnotnull                                 AS not_null,
       (a.atthasdef OR a.attidentity <> '')         AS has_default,
       (a.attgenerated <> '')                       AS generated,
       -- A crash that empties an unlogged partition also loses rows of the partitioned table.
       (c.relpersistence = 'u' OR c.relkind = 'p' AND EXISTS (
           SELECT FROM pg_catalog.pg_partition_tree(c.oid) AS part
             JOIN pg_catalog.pg_class p ON p.oid = part.relid WHERE p.relpersistence = 'u')) AS unlogged,
       ARRAY(SELECT i.inhrelid::regclass::text
               FROM pg_catalog.pg_inherits i
              WHERE i.inhparent = c.oid AND c.relkind = 'r' ORDER BY 1) AS heirs,
       -- 3 is INSERT, 2 is UPDATE. PostgreSQL counts a disabled rule for UPDATE, but not one for INSERT.
       ARRAY(SELECT r.rulename::text
               FROM pg_catalog.pg_rewrite r
              WHERE r.ev_class = c.oid AND (r.ev_type = '2' OR r.ev_type = '3' AND r.ev_enabled IN ('O', 'A'))
              ORDER BY 1) AS rules
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE n.nspname = $1
   AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND NOT c.relispartition
 ORDER BY c.relname, a.attnum
