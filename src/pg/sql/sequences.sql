-- The sequences of the columns of schema $1: those that a default draws from, and those that a column owns. `bare`: the column
-- has no default, or its default is the drawn number without any expression over it. A default that names its sequence as text
-- has no dependency in the catalogue; the name is resolved as in the application's sessions. The names are read first, each
-- once, and then joined by equality: a database may have thousands of sequences in other schemas. `in_partition`: the default
-- is that of a partition, and the row is about the column of its root.
WITH said AS MATERIALIZED (
    SELECT ad.adrelid, ad.adnum,
           replace((pg_catalog.regexp_match(pg_catalog.pg_get_expr(ad.adbin, ad.adrelid),
                                            'nextval\(\(''((?:[^'']|'''')+)''::(?:text|character varying)\)::regclass\)'))[1], '''''', '''') AS name
      FROM pg_catalog.pg_attrdef ad
      JOIN pg_catalog.pg_class c ON c.oid = ad.adrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $1
),
named AS MATERIALIZED (
    SELECT s.oid, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(s.relname) AS name
      FROM pg_catalog.pg_class s
      JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
     WHERE s.relkind = 'S'
    UNION ALL
    SELECT s.oid, pg_catalog.quote_ident(s.relname)
      FROM pg_catalog.pg_class s
      JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace AND n.nspname = $1
     WHERE s.relkind = 'S'
)
SELECT coalesce(root.attrelid, ref.table_oid)::int8 AS table_oid, coalesce(root.attnum, ref.column_no)::int4 AS column_no,
       root.attrelid IS NOT NULL AS in_partition, bool_or(ref.owned) AS owned,
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(s.relname) AS name,
       q.seqincrement AS increment, q.seqstart AS start, q.seqmin AS min, q.seqmax AS max,
       bool_or(NOT ref.owned) AS by_default,
       coalesce(bool_and(pg_catalog.pg_get_expr(def.adbin, def.adrelid)
                         ~ '^\(?nextval\((''([^'']|'''')+''::regclass|\(''([^'']|'''')+''::(text|character varying)\)::regclass)\)\)?(::(smallint|integer|bigint|numeric))?$'), true) AS bare
  FROM (SELECT d.refobjid AS table_oid, d.refobjsubid AS column_no, d.objid AS sequence, true AS owned
          FROM pg_catalog.pg_depend d
         WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
           AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
        UNION ALL
        SELECT ad.adrelid, ad.adnum, d.refobjid, false
          FROM pg_catalog.pg_attrdef ad
          JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = ad.oid
         WHERE d.refclassid = 'pg_catalog.pg_class'::regclass
        UNION ALL
        SELECT said.adrelid, said.adnum, named.oid, false
          FROM said
          JOIN named ON named.name = CASE WHEN said.name LIKE '%"%' THEN said.name ELSE lower(said.name) END) AS ref
  JOIN pg_catalog.pg_class c ON c.oid = ref.table_oid
  JOIN pg_catalog.pg_namespace cn ON cn.oid = c.relnamespace AND cn.nspname = $1
  JOIN pg_catalog.pg_class s ON s.oid = ref.sequence AND s.relkind = 'S'
  JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
  LEFT JOIN pg_catalog.pg_attrdef def ON def.adrelid = ref.table_oid AND def.adnum = ref.column_no
  LEFT JOIN pg_catalog.pg_attribute own ON c.relispartition AND own.attrelid = c.oid AND own.attnum = ref.column_no
  LEFT JOIN pg_catalog.pg_attribute root ON root.attrelid = pg_catalog.pg_partition_root(own.attrelid) AND root.attname = own.attname
 GROUP BY ref.table_oid, ref.column_no, root.attrelid, root.attnum, s.oid, n.nspname, s.relname, q.seqincrement, q.seqstart, q.seqmin, q.seqmax
 ORDER BY 1, 2, by_default
