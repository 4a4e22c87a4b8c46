-- The other sessions that hold the lock of lock_tables.sql of a table of $2 in schema $1. $3: the first key of these locks. A role
-- that may not insert into the table is a stranger.
SELECT t.name AS table_name, a.pid, coalesce(a.usename::text, 'unknown') AS role,
       coalesce(a.backend_start::text, 'a time that this role may not see') AS since,
       coalesce(host(a.client_addr), '') AS client,
       NOT (coalesce((SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.oid = a.usesysid), true)
            OR pg_catalog.has_table_privilege(a.usesysid, c.oid, 'INSERT')
            OR pg_catalog.has_any_column_privilege(a.usesysid, c.oid, 'INSERT')) AS is_stranger
  FROM pg_catalog.unnest($2::text[]) AS t (name)
  JOIN pg_catalog.pg_namespace n ON n.nspname = $1
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.name
  JOIN pg_catalog.pg_locks l ON l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.objid = c.oid
                            AND l.classid::int8 = $3::int4
  JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
 WHERE l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
   AND a.pid <> pg_catalog.pg_backend_pid()
 ORDER BY t.name, is_stranger, a.pid
