-- The session that holds the advisory lock with the 64-bit key $1 in this database.
SELECT a.pid, coalesce(a.backend_start::text, 'a time that this role may not see'), coalesce(host(a.client_addr), '')
  FROM pg_catalog.pg_locks l
  JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
   AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
   AND ((l.classid::int8 << 32) | l.objid::int8) = $1
 LIMIT 1
