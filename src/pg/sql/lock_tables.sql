-- Takes the advisory lock of each table of $2 in schema $1, until the session ends: a shared one where $3 is true. $4: the first
-- key of these locks; the second one is the table's OID as a signed number. Returns the tables whose lock another session holds.
WITH tables AS MATERIALIZED (
    SELECT t.name, t.shared, (c.oid::int8 - CASE WHEN c.oid::int8 > 2147483647 THEN 4294967296 ELSE 0 END)::int4 AS key
      FROM unnest($2::text[], $3::bool[]) AS t (name, shared)
      JOIN pg_catalog.pg_namespace n ON n.nspname = $1
      JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.name
)
SELECT name
  FROM tables
 WHERE NOT CASE WHEN shared THEN pg_catalog.pg_try_advisory_lock_shared($4::int4, key)
                ELSE pg_catalog.pg_try_advisory_lock($4::int4, key) END
 ORDER BY name
