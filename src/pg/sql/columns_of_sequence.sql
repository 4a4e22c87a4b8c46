-- The columns of any schema that draw from sequence $1 or own it: table, column, and true if the ids can be read as numbers.
SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS table_name,
       pg_catalog.quote_ident(a.attname) AS column_name,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE')
       AND pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT')
       AND NOT pg_catalog.row_security_active(c.oid)
       AND coalesce(nullif(t.typbasetype, 0), t.oid) IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype)
       AS can_be_read
  FROM (SELECT ad.adrelid AS table_oid, ad.adnum::int4 AS column_no
          FROM pg_catalog.pg_attrdef ad
          JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = ad.oid
         WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = $1::text::regclass
        UNION
        SELECT d.refobjid, d.refobjsubid
          FROM pg_catalog.pg_depend d
         WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = $1::text::regclass
           AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
        UNION
        -- A default that names its sequence as text has no dependency in the catalogue.
        SELECT ad.adrelid, ad.adnum::int4
          FROM pg_catalog.pg_attrdef ad
         CROSS JOIN LATERAL (
               SELECT replace((pg_catalog.regexp_match(pg_catalog.pg_get_expr(ad.adbin, ad.adrelid),
                                                       'nextval\(\(''((?:[^'']|'''')+)''::(?:text|character varying)\)::regclass\)'))[1], '''''', '''') AS name
               ) AS said
          JOIN pg_catalog.pg_class s ON s.oid = $1::text::regclass
          JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace
         WHERE CASE WHEN said.name LIKE '%"%' THEN said.name ELSE lower(said.name) END
               IN (pg_catalog.quote_ident(s.relname), pg_catalog.quote_ident(sn.nspname) || '.' || pg_catalog.quote_ident(s.relname))) AS ref
  JOIN pg_catalog.pg_class c ON c.oid = ref.table_oid AND c.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = ref.column_no
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
 ORDER BY 1, 2
