-- Other clients' sessions that hold locks on the tables $2 of schema $1, or on all its tables where $2 is NULL, or on their partitions. A statement that only reads
-- is left out, because it ends; a transaction that has read and stays open is included. Columns that this role may not see are
-- NULL.
WITH tables AS (
    SELECT c.relname, coalesce(part.relid::oid, c.oid) AS oid
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN LATERAL pg_catalog.pg_partition_tree(c.oid) AS part ON c.relkind = 'p'
     WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition
       AND ($2::text[] IS NULL OR c.relname = ANY ($2))
)
SELECT a.pid, coalesce(a.application_name, ''), string_agg(DISTINCT t.relname::text, ', ')
  FROM tables t
  JOIN pg_catalog.pg_locks l ON l.relation = t.oid AND l.locktype = 'relation' AND l.granted
  JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
 WHERE l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
   AND a.pid <> pg_catalog.pg_backend_pid()
   -- The server's own processes, such as autovacuum, have no user.
   AND a.usesysid IS NOT NULL AND coalesce(a.backend_type, 'client backend') = 'client backend'
   AND (l.mode <> 'AccessShareLock' OR a.state LIKE 'idle in transaction%')
 GROUP BY a.pid, a.application_name
 ORDER BY a.pid
