-- The session that holds the advisory lock with the 64-bit key $1 in this database. Its role is a stranger unless it is this role,
-- a superuser, or may write the ledger in schema $2.
SELECT a.pid, coalesce(a.usename::text, 'unknown') AS role,
       coalesce(a.backend_start::text, 'a time that this role may not see') AS since,
       coalesce(host(a.client_addr), '') AS client,
       NOT (a.usename = current_user
            OR coalesce((SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.oid = a.usesysid), true)
            OR coalesce(pg_catalog.has_table_privilege(a.usesysid, pg_catalog.to_regclass(format('%I.run', $2::text))::oid, 'UPDATE'),
                        false)) AS is_stranger
  FROM pg_catalog.pg_locks l
  JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
   AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
   AND ((l.classid::int8 << 32) | l.objid::int8) = $1
 LIMIT 1
