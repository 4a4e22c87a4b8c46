-- Every sequence of schema $1. `is_free`: no column owns it and no default depends on it. Sequences of extensions are left out.
SELECT s.relname::text AS plain, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(s.relname) AS name,
       q.seqincrement AS increment, q.seqstart AS start, q.seqmin AS min, q.seqmax AS max,
       NOT EXISTS (SELECT
                     FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = s.oid
                      AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0)
       AND NOT EXISTS (SELECT
                         FROM pg_catalog.pg_depend d
                        WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = s.oid
                          AND d.classid = 'pg_catalog.pg_attrdef'::regclass) AS is_free
  FROM pg_catalog.pg_class s
  JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace AND n.nspname = $1
  JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid
 WHERE s.relkind = 'S'
   AND NOT EXISTS (SELECT
                     FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = s.oid AND d.deptype = 'e')
 ORDER BY 1
