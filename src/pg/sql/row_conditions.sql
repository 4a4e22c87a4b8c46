-- Conditions on the rows of the tables $2 of schema $1 that the server can evaluate before the rows are written: CHECKs,
-- domains, stored generated columns, index entries and the bounds of partitions. A row is refused if a condition is false, or
-- if evaluating it raises an error. `columns`: the columns that it reads, with the collation of each as SQL, empty for the
-- default. `calls_code`: it calls functions that look names up along the search path when they run.
WITH t AS (
    SELECT c.oid, c.relname, c.relkind
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $1
     WHERE c.relname = ANY ($2)
),
found AS (
    SELECT t.oid AS table_oid, t.relname, 'check' AS kind, con.conname AS name,
           'pg_catalog.pg_constraint'::regclass AS class, con.oid, NULL::oid AS domain,
           pg_catalog.pg_get_expr(con.conbin, con.conrelid) AS expression, con.conkey::int2[] AS numbers
      FROM t
      -- NOT ENFORCED came with PostgreSQL 18; every version can be asked only through the text of the definition.
      JOIN pg_catalog.pg_constraint con ON con.conrelid = t.oid AND con.contype = 'c'
       AND pg_catalog.pg_get_constraintdef(con.oid) NOT LIKE '%NOT ENFORCED'
    UNION ALL
    SELECT t.oid, t.relname, 'check', d.typname, 'pg_catalog.pg_type'::regclass, d.oid, d.oid,
           format('((%I)::%s IS NULL) IS NOT NULL', a.attname, pg_catalog.format_type(d.oid, NULL)), ARRAY[a.attnum]
      FROM t
      JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
      JOIN pg_catalog.pg_type d ON d.oid = a.atttypid AND d.typtype = 'd'
    UNION ALL
    SELECT t.oid, t.relname, 'generated', a.attname, 'pg_catalog.pg_attrdef'::regclass, ad.oid, NULL,
           format(CASE WHEN a.attnotnull THEN '(%s) IS NOT NULL' ELSE '((%s) IS NULL) IS NOT NULL' END,
                  pg_catalog.pg_get_expr(ad.adbin, ad.adrelid)),
           -- Up to PostgreSQL 15 the column itself depends on the columns that it is computed from.
           ARRAY(SELECT DISTINCT d.refobjsubid::int2
                   FROM pg_catalog.pg_depend d
                  WHERE (d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = ad.oid
                         OR d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = t.oid AND d.objsubid = a.attnum)
                    AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = t.oid
                    AND d.refobjsubid NOT IN (0, a.attnum))
      FROM t
      JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attgenerated = 's' AND NOT a.attisdropped
      JOIN pg_catalog.pg_attrdef ad ON ad.adrelid = t.oid AND ad.adnum = a.attnum
    UNION ALL
    SELECT t.oid, t.relname, 'index', x.relname, 'pg_catalog.pg_class'::regclass, x.oid, NULL,
           format('CASE WHEN %s THEN %s ELSE true END', coalesce(pg_catalog.pg_get_expr(i.indpred, i.indrelid), 'true'),
                  coalesce((SELECT string_agg(format('((%s) IS NULL) IS NOT NULL', pg_catalog.pg_get_indexdef(x.oid, k, false)), ' AND ')
                              FROM generate_series(1, i.indnkeyatts) AS k WHERE i.indkey[k - 1] = 0), 'true')),
           ARRAY(SELECT DISTINCT d.refobjsubid::int2
                   FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = x.oid
                    AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = t.oid AND d.refobjsubid > 0)
      FROM t
      JOIN pg_catalog.pg_index i ON i.indrelid = t.oid AND (i.indpred IS NOT NULL OR i.indexprs IS NOT NULL)
      JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
    UNION ALL
    -- A key with an expression is left to the server: the catalogue does not say which columns it reads.
    SELECT t.oid, t.relname, 'partition', t.relname, 'pg_catalog.pg_class'::regclass, t.oid, NULL,
           coalesce((SELECT string_agg(format('(%s)', coalesce(pg_catalog.pg_get_partition_constraintdef(p.relid), 'true')), ' OR ')
                       FROM pg_catalog.pg_partition_tree(t.oid) AS p WHERE p.isleaf AND p.level > 0), 'false'),
           ARRAY(SELECT DISTINCT a.attnum
                   FROM pg_catalog.pg_partition_tree(t.oid) AS p
                   JOIN pg_catalog.pg_partitioned_table pt ON pt.partrelid = p.relid
                   JOIN pg_catalog.pg_attribute ka ON ka.attrelid = p.relid AND ka.attnum = ANY (pt.partattrs::int2[])
                   JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attname = ka.attname)
      FROM t
     WHERE t.relkind = 'p'
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_partition_tree(t.oid) AS p
                         JOIN pg_catalog.pg_partitioned_table pt ON pt.partrelid = p.relid AND pt.partexprs IS NOT NULL)
)
SELECT f.relname::text AS table_name, f.kind, f.name::text AS name, f.expression, f.domain IS NOT NULL AS is_domain,
       -- NULL unless the expression is a constraint of the table.
       CASE WHEN f.class = 'pg_catalog.pg_constraint'::regclass THEN f.oid::int8 END AS constraint_oid,
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
              WHERE a.attrelid = f.table_oid AND a.attnum = ANY (f.numbers) AND NOT a.attisdropped ORDER BY a.attnum) AS columns,
       ARRAY(SELECT CASE WHEN o.oid IS NULL THEN '' ELSE format('%I.%I', o.nspname, o.collname) END
               FROM pg_catalog.pg_attribute a
               LEFT JOIN (SELECT co.oid, cn.nspname, co.collname FROM pg_catalog.pg_collation co
                            JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace WHERE co.collname <> 'default') o
                 ON o.oid = a.attcollation
              WHERE a.attrelid = f.table_oid AND a.attnum = ANY (f.numbers) AND NOT a.attisdropped ORDER BY a.attnum) AS collations,
       EXISTS (SELECT FROM pg_catalog.pg_depend d
                 LEFT JOIN pg_catalog.pg_operator o ON d.refclassid = 'pg_catalog.pg_operator'::regclass AND o.oid = d.refobjid
                 JOIN pg_catalog.pg_proc p
                   ON p.oid = CASE WHEN d.refclassid = 'pg_catalog.pg_proc'::regclass THEN d.refobjid ELSE o.oprcode::oid END
                 JOIN pg_catalog.pg_language l ON l.oid = p.prolang
                WHERE (d.classid = f.class AND d.objid = f.oid
                       OR d.classid = 'pg_catalog.pg_constraint'::regclass
                          AND d.objid IN (SELECT dc.oid FROM pg_catalog.pg_constraint dc WHERE f.domain IS NOT NULL AND dc.contypid = f.domain))
                  AND l.lanname NOT IN ('internal', 'c')
                  AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS setting WHERE setting LIKE 'search\_path=%')) AS calls_code
  FROM found f
 ORDER BY f.relname, f.kind, f.name
