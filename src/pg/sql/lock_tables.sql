-- Takes the advisory lock of each table of $2 in schema $1, until the session ends: a shared one where $3 is true. $4: the first
-- key of these locks; the second one is the table's OID as a signed number. Returns the tables whose lock another session holds.
SELECT t.name
  FROM pg_catalog.unnest($2::text[], $3::bool[]) AS t (name, shared)
  JOIN pg_catalog.pg_namespace n ON n.nspname = $1
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.name
 CROSS JOIN LATERAL (SELECT (c.oid::int8 - CASE WHEN c.oid::int8 > 2147483647 THEN 4294967296 ELSE 0 END)::int4 AS no) AS key
 WHERE NOT CASE WHEN t.shared THEN pg_catalog.pg_try_advisory_lock_shared($4::int4, key.no)
                ELSE pg_catalog.pg_try_advisory_lock($4::int4, key.no) END
 ORDER BY t.name
