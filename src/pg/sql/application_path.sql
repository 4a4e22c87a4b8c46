-- The search path of the application's sessions for schema $1, true if reading a table may need it, and true if Citus is there. The planner evaluates
-- the expressions of a table's indexes, of its extended statistics and of its partitions' CHECKs. A function among them in a
-- language that looks names up when it runs may fail under any other path.
SELECT pg_catalog.concat_ws(', ', pg_catalog.quote_ident($1::text), nullif(s.reset_val, '')) AS path,
       EXISTS (SELECT FROM pg_catalog.pg_depend d
                 LEFT JOIN pg_catalog.pg_operator o ON d.refclassid = 'pg_catalog.pg_operator'::regclass AND o.oid = d.refobjid
                 JOIN pg_catalog.pg_proc p
                   ON p.oid = CASE WHEN d.refclassid = 'pg_catalog.pg_proc'::regclass THEN d.refobjid ELSE o.oprcode::oid END
                 JOIN pg_catalog.pg_language l ON l.oid = p.prolang AND l.lanname NOT IN ('internal', 'c')
                WHERE d.refclassid IN ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass)
                  AND (d.classid = 'pg_catalog.pg_statistic_ext'::regclass
                       OR d.classid = 'pg_catalog.pg_class'::regclass AND d.objid IN (SELECT indexrelid FROM pg_catalog.pg_index)
                       OR d.classid = 'pg_catalog.pg_constraint'::regclass
                          AND d.objid IN (SELECT k.oid FROM pg_catalog.pg_constraint k
                                            JOIN pg_catalog.pg_inherits h ON h.inhrelid = k.conrelid))
                  AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS setting WHERE setting LIKE 'search\_path=%')) AS is_needed,
       EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'citus') AS has_citus
  FROM pg_catalog.pg_settings s
 WHERE s.name = 'search_path'
