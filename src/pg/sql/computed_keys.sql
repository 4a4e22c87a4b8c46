-- The unique indexes of the tables $2 of schema $1 over expressions or over some rows only. `keys`: the columns of the index as
-- SQL over the columns of the table. `predicate`: the rows that it contains. `columns`: the columns that both read, with the
-- collation of each as SQL, empty for the default. `is_comparable`: equal keys have equal texts.
-- NULLS NOT DISTINCT came with PostgreSQL 15; every version can be asked only through the text of the definition.
SELECT c.relname::text AS table_name,
       x.relname::text AS name,
       ARRAY(SELECT pg_catalog.pg_get_indexdef(x.oid, k, false) FROM generate_series(1, i.indnkeyatts) AS k ORDER BY k) AS keys,
       coalesce(pg_catalog.pg_get_expr(i.indpred, i.indrelid), 'true') AS predicate,
       (pg_catalog.pg_get_indexdef(x.oid) LIKE '%NULLS NOT DISTINCT%') AS nulls_equal,
       (NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a
                     WHERE a.attrelid = x.oid AND a.attnum <= i.indnkeyatts
                       AND a.atttypid NOT IN ('bool'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'text'::regtype,
                                              'varchar'::regtype, 'uuid'::regtype, 'date'::regtype, 'timestamp'::regtype,
                                              'timestamptz'::regtype, 'bytea'::regtype))
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_collation o WHERE o.oid = ANY (i.indcollation) AND NOT o.collisdeterministic))
           AS is_comparable,
       r.columns, r.collations,
       EXISTS (SELECT FROM pg_catalog.pg_depend d
                 LEFT JOIN pg_catalog.pg_operator o ON d.refclassid = 'pg_catalog.pg_operator'::regclass AND o.oid = d.refobjid
                 JOIN pg_catalog.pg_proc p
                   ON p.oid = CASE WHEN d.refclassid = 'pg_catalog.pg_proc'::regclass THEN d.refobjid ELSE o.oprcode::oid END
                 JOIN pg_catalog.pg_language l ON l.oid = p.prolang
                WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = x.oid
                  AND l.lanname NOT IN ('internal', 'c')
                  AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS setting WHERE setting LIKE 'search\_path=%')) AS calls_code
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_class c ON c.oid = i.indrelid AND c.relname = ANY ($2) AND NOT c.relispartition
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $1
 CROSS JOIN LATERAL (
       SELECT coalesce(array_agg(a.attname::text ORDER BY a.attnum), '{}') AS columns,
              coalesce(array_agg(CASE WHEN co.oid IS NULL THEN '' ELSE format('%I.%I', cn.nspname, co.collname) END ORDER BY a.attnum), '{}') AS collations
         FROM pg_catalog.pg_attribute a
         LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation AND co.collname <> 'default'
         LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
        WHERE a.attrelid = c.oid AND NOT a.attisdropped AND a.attnum > 0
          AND (a.attnum = ANY (i.indkey::int2[])
               OR EXISTS (SELECT FROM pg_catalog.pg_depend d
                           WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = x.oid
                             AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid = a.attnum))) AS r
 WHERE i.indisunique AND i.indisvalid AND i.indimmediate AND (i.indpred IS NOT NULL OR i.indexprs IS NOT NULL)
 ORDER BY c.relname, x.relname
