-- The foreign keys of any schema that refer to table $2 of schema $1 or to a partition of it: name, referring table, its columns,
-- the referenced columns.
--   to_itself  the referring table is this table or a partition of it
--   within     the condition that a row `t` of the table is in the partition that the key refers to; empty for the whole table
WITH members AS (
    SELECT p.oid AS root, p.oid AS member
      FROM pg_catalog.pg_class p
      JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
     WHERE pn.nspname = $1 AND p.relname = $2
    UNION
    SELECT p.oid, tree.relid
      FROM pg_catalog.pg_class p
      JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
     CROSS JOIN LATERAL pg_catalog.pg_partition_tree(p.oid) AS tree
     WHERE pn.nspname = $1 AND p.relname = $2
)
SELECT c.conname::text AS name,
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(t.relname) AS child,
       n.nspname::text AS child_schema,
       t.relname::text AS child_table,
       c.conrelid IN (SELECT m.member FROM members m) AS to_itself,
       CASE WHEN c.confrelid = p.root THEN ''
            ELSE format(' AND t.tableoid OPERATOR(pg_catalog.=) ANY (%L::pg_catalog.oid[])',
                        ARRAY(SELECT tree.relid::oid FROM pg_catalog.pg_partition_tree(c.confrelid) AS tree)) END AS within,
       (SELECT array_agg(a.attname::text ORDER BY k.n)
          FROM unnest(c.conkey) WITH ORDINALITY AS k (attnum, n)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum) AS columns,
       (SELECT array_agg(a.attname::text ORDER BY k.n)
          FROM unnest(c.confkey) WITH ORDINALITY AS k (attnum, n)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.attnum) AS parent_columns
  FROM pg_catalog.pg_constraint c
  JOIN members p ON p.member = c.confrelid
  JOIN pg_catalog.pg_class t ON t.oid = c.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
 WHERE c.contype = 'f' AND c.conparentid = 0
 ORDER BY 2, 1
