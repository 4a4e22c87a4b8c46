-- Every type that a column of schema $1, or an expression of one of the types $2, can have: the type itself, the base of a
-- domain, the element of an array, the subtype of a range.
WITH RECURSIVE used(oid) AS (
    SELECT a.atttypid
      FROM pg_catalog.pg_attribute a
      JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND a.attnum > 0 AND NOT a.attisdropped
    UNION
    SELECT wanted::oid FROM unnest($2::int8[]) AS wanted
    UNION
    SELECT inner_type
      FROM used
      JOIN pg_catalog.pg_type t ON t.oid = used.oid
      LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid
     CROSS JOIN LATERAL (VALUES (t.typbasetype), (t.typelem), (r.rngsubtype)) AS below(inner_type)
     WHERE inner_type <> 0
)
SELECT t.oid::int8         AS oid,
       t.typname::text     AS name,
       n.nspname::text     AS schema,
       t.typtype::text     AS kind,
       t.typcategory::text AS category,
       t.typbasetype::int8 AS base,
       coalesce(r.rngsubtype, 0)::int8 AS subtype,
       t.typtypmod         AS base_typmod,
       t.typelem::int8     AS element,
       t.typnotnull        AS not_null,
       pg_catalog.format_type(t.oid, NULL) AS shown,
       pg_catalog.format_type(t.typbasetype, t.typtypmod) AS base_shown,
       pg_catalog.getdatabaseencoding() = 'SQL_ASCII' AS bytewise,
       t.oid = 'pg_catalog.numeric'::regtype AND current_setting('server_version_num')::int4 < 140000 AS finite,
       get_byte(inet_send('0.0.0.0'), 0) = 2 AS encodes_inet,
       ARRAY(SELECT e.enumlabel::text FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder) AS labels
  FROM used
  JOIN pg_catalog.pg_type t ON t.oid = used.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid
