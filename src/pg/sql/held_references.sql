-- The foreign keys of any schema that refer to table $2 of schema $1 or to a partition of it, except those of its
-- own partitions: the referring table with its owner, and both sides' columns.
SELECT c.conname::text AS name, n.nspname::text AS child_schema, t.relname::text AS child,
       pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(t.relowner)) AS owner,
       (SELECT array_agg(a.attname::text ORDER BY k.n)
          FROM unnest(c.conkey) WITH ORDINALITY AS k (attnum, n)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum) AS columns,
       (SELECT array_agg(a.attname::text ORDER BY k.n)
          FROM unnest(c.confkey) WITH ORDINALITY AS k (attnum, n)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.attnum) AS parent_columns
  FROM pg_catalog.pg_constraint c
  JOIN pg_catalog.pg_namespace pn ON pn.nspname = $1
  JOIN pg_catalog.pg_class p ON p.relnamespace = pn.oid AND p.relname = $2
  JOIN pg_catalog.pg_class t ON t.oid = c.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
 WHERE c.contype = 'f' AND c.conparentid = 0
   AND (c.confrelid = p.oid OR c.confrelid IN (SELECT tree.relid FROM pg_catalog.pg_partition_tree(p.oid) AS tree))
   AND (c.conrelid = p.oid OR c.conrelid NOT IN (SELECT tree.relid FROM pg_catalog.pg_partition_tree(p.oid) AS tree))
 ORDER BY 2, 3, 1
