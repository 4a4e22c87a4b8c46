-- The valid B-tree indexes and the exclusion constraints of the tables $2 in schema $1. `definition`: the text after the table's
-- name that makes the object, NULL if it is not understood. `columns`: the columns that it reads, included columns too, with the
-- collation of each as SQL, empty for the default, and the storage and compression of each. `calls_code`: it calls functions
-- that look names up along the search path when they run. attcompression came with PostgreSQL 14.
WITH found AS (
    SELECT c.oid AS table_oid, c.relname, x.oid, x.relname AS name, con.oid AS constraint_oid, i.indkey::int2[] AS numbers,
           i.indexprs IS NOT NULL AS is_computed,
           pg_catalog.pg_get_indexdef(x.oid) AS made,
           format('CREATE %sINDEX %I ON %s%I.%I', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, x.relname,
                  CASE WHEN c.relkind = 'p' THEN 'ONLY ' ELSE '' END, n.nspname, c.relname) AS prefix
      FROM pg_catalog.pg_index i
      JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
      JOIN pg_catalog.pg_am m ON m.oid = x.relam
      JOIN pg_catalog.pg_class c ON c.oid = i.indrelid AND c.relname = ANY ($2)
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $1
      LEFT JOIN pg_catalog.pg_constraint con ON con.conindid = x.oid AND con.conrelid = c.oid AND con.contype = 'x'
     WHERE i.indisvalid AND (m.amname = 'btree' OR con.oid IS NOT NULL)
)
SELECT f.relname::text AS table_name, f.name::text AS name, f.constraint_oid IS NOT NULL AS is_exclusion, f.is_computed,
       CASE WHEN f.constraint_oid IS NOT NULL THEN pg_catalog.pg_get_constraintdef(f.constraint_oid)
            WHEN left(f.made, length(f.prefix)) = f.prefix THEN substr(f.made, length(f.prefix) + 1) END AS definition,
       r.columns, r.collations, r.storages, r.compressions,
       EXISTS (SELECT FROM pg_catalog.pg_depend d
                 LEFT JOIN pg_catalog.pg_operator o ON d.refclassid = 'pg_catalog.pg_operator'::regclass AND o.oid = d.refobjid
                 JOIN pg_catalog.pg_proc p
                   ON p.oid = CASE WHEN d.refclassid = 'pg_catalog.pg_proc'::regclass THEN d.refobjid ELSE o.oprcode::oid END
                 JOIN pg_catalog.pg_language l ON l.oid = p.prolang
                WHERE (d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = f.oid
                       OR d.classid = 'pg_catalog.pg_constraint'::regclass AND d.objid = f.constraint_oid)
                  AND l.lanname NOT IN ('internal', 'c')
                  AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS setting WHERE setting LIKE 'search\_path=%')) AS calls_code
  FROM found f
 CROSS JOIN LATERAL (
       SELECT coalesce(array_agg(a.attname::text ORDER BY a.attnum), '{}') AS columns,
              coalesce(array_agg(CASE WHEN co.oid IS NULL THEN '' ELSE format('%I.%I', cn.nspname, co.collname) END
                                 ORDER BY a.attnum), '{}') AS collations,
              coalesce(array_agg(CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN'
                                                   ELSE 'EXTENDED' END ORDER BY a.attnum), '{}') AS storages,
              coalesce(array_agg(CASE pg_catalog.to_jsonb(a) ->> 'attcompression' WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4'
                                                                                  ELSE '' END ORDER BY a.attnum), '{}') AS compressions
         FROM pg_catalog.pg_attribute a
         LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation AND co.collname <> 'default'
         LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
        WHERE a.attrelid = f.table_oid AND NOT a.attisdropped AND a.attnum > 0
          AND (a.attnum = ANY (f.numbers)
               OR EXISTS (SELECT FROM pg_catalog.pg_depend d
                           WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = f.oid
                             AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = f.table_oid
                             AND d.refobjsubid = a.attnum))) AS r
 ORDER BY f.relname, f.name
