-- The CHECK constraints of table $2 in schema $1: name, expression, and the columns that it reads. A whole-row reference adds no
-- column. `calls_code`: it calls functions that look names up along the search path when they run.
SELECT con.oid::int8 AS oid,
       con.conname::text AS name,
       pg_catalog.pg_get_expr(con.conbin, con.conrelid) AS expression,
       ARRAY(SELECT a.attname::text
               FROM unnest(con.conkey) WITH ORDINALITY AS k(no, at)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = con.conrelid AND a.attnum = k.no AND NOT a.attisdropped
              ORDER BY k.at) AS columns,
       EXISTS (SELECT FROM pg_catalog.pg_depend d
                 LEFT JOIN pg_catalog.pg_operator o ON d.refclassid = 'pg_catalog.pg_operator'::regclass AND o.oid = d.refobjid
                 JOIN pg_catalog.pg_proc p
                   ON p.oid = CASE WHEN d.refclassid = 'pg_catalog.pg_proc'::regclass THEN d.refobjid ELSE o.oprcode::oid END
                 JOIN pg_catalog.pg_language l ON l.oid = p.prolang
                WHERE d.classid = 'pg_catalog.pg_constraint'::regclass AND d.objid = con.oid
                  AND l.lanname NOT IN ('internal', 'c')
                  AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS setting WHERE setting LIKE 'search\_path=%')) AS calls_code
  FROM pg_catalog.pg_constraint con
  JOIN pg_catalog.pg_class c ON c.oid = con.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE con.contype = 'c' AND n.nspname = $1 AND c.relname = $2
 ORDER BY con.conname
