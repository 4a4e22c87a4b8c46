-- The foreign keys that partitions of the tables $2 of schema $1 have of their own: the partition, the key, and both sides.
--   rows      the partition's rows, read through the table, on which this role has its rights
--   may_read  this role may read the referenced table
SELECT cn.nspname::text AS schema_name, c.relname::text AS table_name, con.conname::text AS name,
       pn.nspname::text AS parent_schema, p.relname::text AS parent,
       ARRAY(SELECT a.attname::text
               FROM unnest(con.conkey) WITH ORDINALITY AS k (no, at)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = con.conrelid AND a.attnum = k.no
              ORDER BY k.at) AS columns,
       format('(SELECT * FROM %I.%I AS r WHERE r.tableoid OPERATOR(pg_catalog.=) ANY (%L::pg_catalog.oid[]))', n.nspname, r.relname,
              ARRAY(SELECT part.relid::oid FROM pg_catalog.pg_partition_tree(con.conrelid) AS part)) AS rows,
       pg_catalog.has_schema_privilege(pn.oid, 'USAGE') AND pg_catalog.has_table_privilege(p.oid, 'SELECT') AS may_read
  FROM pg_catalog.pg_class r
  JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace AND n.nspname = $1
 CROSS JOIN LATERAL pg_catalog.pg_partition_tree(r.oid) AS tree
  JOIN pg_catalog.pg_constraint con ON con.conrelid = tree.relid AND con.contype = 'f' AND con.conparentid = 0
  JOIN pg_catalog.pg_class c ON c.oid = con.conrelid
  JOIN pg_catalog.pg_namespace cn ON cn.oid = c.relnamespace
  JOIN pg_catalog.pg_class p ON p.oid = con.confrelid
  JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
 WHERE r.relkind = 'p' AND r.relname = ANY ($2) AND con.conrelid <> r.oid
 ORDER BY 1, 2, 3
