-- For each column of the tables $2 of schema $1: the call of its type's input function on the text `v`, as COPY makes it, with
-- the column's modifier. A domain has the call of its base type. Names of objects depend on the search path and are left out.
WITH RECURSIVE base(table_name, name, type, typmod) AS (
    SELECT c.relname, a.attname, a.atttypid, a.atttypmod
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $1
      JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE c.relname = ANY ($2)
    UNION ALL
    SELECT base.table_name, base.name, t.typbasetype, t.typtypmod
      FROM base
      JOIN pg_catalog.pg_type t ON t.oid = base.type AND t.typtype = 'd'
)
SELECT base.table_name::text AS table_name,
       base.name::text AS column_name,
       format('%I.%I(v::pg_catalog.cstring%s)', n.nspname, p.proname,
              CASE WHEN p.pronargs = 1 THEN ''
                   ELSE format(', %s::pg_catalog.oid, %s', CASE WHEN t.typelem <> 0 THEN t.typelem ELSE t.oid END, base.typmod)
              END) AS call
  FROM base
  JOIN pg_catalog.pg_type t ON t.oid = base.type AND t.typtype <> 'd'
  JOIN pg_catalog.pg_proc p ON p.oid = t.typinput AND p.pronargs IN (1, 3)
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE t.typname !~ '^_?reg'
 ORDER BY 1, 2
