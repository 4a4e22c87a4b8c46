-- The tables of schema $1 that Citus lists: the method by which their rows are placed (`h`: by the hash of a column, `n`: without
-- a column), the way of replication (`t`: a copy on every node), the group of colocation, and the column. Run only where Citus is.
SELECT c.relname::text AS table_name, p.partmethod::text AS method, p.repmodel::text AS replication,
       p.colocationid::int8 AS colocation,
       CASE WHEN p.partkey IS NOT NULL THEN pg_catalog.column_to_column_name(p.logicalrelid, p.partkey::text) END AS column_name
  FROM pg_catalog.pg_dist_partition p
  JOIN pg_catalog.pg_class c ON c.oid = p.logicalrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1
 ORDER BY 1
