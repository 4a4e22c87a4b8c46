-- The objects of the tables $2 of schema $1, or of all its tables where $2 is NULL, that can be detached for a load, with the
-- statements that detach and reattach each.
--   detach_sql    the statements that detach the object
--   reattach_sql  the steps that reattach it exactly as it was, each in its own transaction: the first one builds or adds, the
--                 others finish
--   kept_because  the reason why it cannot be detached; NULL if it can
--   needed_by     the OIDs of the foreign keys that need this unique key
-- $3: reading needs the application's search path, and so does re-creating an object.
--   sized         the columns, also those that an expression reads, that may make an entry too large for the index
WITH RECURSIVE tables AS (
    SELECT c.oid, c.relname, c.relkind, format('%I.%I', n.nspname, c.relname) AS name,
           pg_catalog.pg_has_role(c.relowner, 'USAGE') AS owned,
           EXISTS (SELECT FROM pg_catalog.pg_publication_tables p WHERE p.schemaname = n.nspname AND p.tablename = c.relname) AS published
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND NOT c.relispartition AND ($2::text[] IS NULL OR c.relname = ANY ($2))
),
held AS (
    SELECT t.*, CASE WHEN NOT t.owned THEN 'this role does not own the table'
                     WHEN t.relkind <> 'r' THEN 'the table is partitioned' END AS kept_because
      FROM tables t
),
-- Dependent objects that would be dropped too or forbid the drop: views that group by a key, extensions, statistics.
dependents AS (
    SELECT d.refclassid, d.refobjid, min(pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)) AS who
      FROM pg_catalog.pg_depend d
     WHERE d.refclassid IN ('pg_catalog.pg_constraint'::regclass, 'pg_catalog.pg_class'::regclass)
       AND d.deptype IN ('n', 'e', 'x')
       AND NOT (d.classid = 'pg_catalog.pg_constraint'::regclass
                AND EXISTS (SELECT FROM pg_catalog.pg_constraint f WHERE f.oid = d.objid AND f.contype = 'f'))
     GROUP BY d.refclassid, d.refobjid
),
extensions AS (
    SELECT d.classid, d.objid FROM pg_catalog.pg_depend d WHERE d.deptype IN ('e', 'x')
),
-- A foreign key, and its parts for the partitions of the referenced table.
parts (root, oid) AS (
    SELECT con.oid, con.oid FROM held h
      JOIN pg_catalog.pg_constraint con ON con.conrelid = h.oid AND con.contype = 'f' AND con.conparentid = 0
    UNION ALL
    SELECT p.root, con.oid FROM parts p JOIN pg_catalog.pg_constraint con ON con.conparentid = p.oid
),
indexes AS (
    SELECT h.relname, h.name AS table_name,
           CASE WHEN h.kept_because IS NOT NULL THEN h.kept_because
                WHEN NOT pg_catalog.has_schema_privilege($1, 'CREATE')
                THEN 'this role may not create in the schema, so it could not be re-created' END AS table_kept_because,
           h.published, i.*, x.relname AS index_name,
           format('%I.%I', $1, x.relname) AS index_full,
           EXISTS (SELECT FROM extensions e
                    WHERE e.classid = 'pg_catalog.pg_class'::regclass AND e.objid = i.indexrelid
                       OR e.classid = 'pg_catalog.pg_constraint'::regclass AND e.objid = con.oid) AS of_extension,
           con.oid AS con, con.contype, con.condeferrable, con.condeferred,
           -- An entry of a B-tree or BRIN index must fit in a page or part of one, and so must each element under GIN. An entry of
           -- a hash index always fits.
           ARRAY(SELECT a.attname::text
                   FROM pg_catalog.pg_attribute a
                   JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
                   JOIN pg_catalog.pg_am m ON m.oid = x.relam
                  WHERE a.attrelid = i.indrelid AND a.attnum > 0
                    AND (a.attnum = ANY (i.indkey::int2[])
                         OR EXISTS (SELECT FROM pg_catalog.pg_depend d
                                     WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indexrelid
                                       AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = i.indrelid
                                       AND d.refobjsubid = a.attnum))
                    AND (m.amname IN ('btree', 'brin') OR (m.amname = 'gin' AND y.typcategory = 'A'))
                  ORDER BY a.attnum) AS sized,
           ARRAY(SELECT a.attname::text FROM generate_series(0, i.indnkeyatts - 1) AS k
                   LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k]
                  ORDER BY k) AS columns,
           (x.reltablespace = 0 OR pg_catalog.has_tablespace_privilege(x.reltablespace, 'CREATE')) AS may_place,
           CASE WHEN x.reltablespace <> 0
                THEN format('SET LOCAL default_tablespace = %L; ', (SELECT spcname FROM pg_catalog.pg_tablespace WHERE oid = x.reltablespace))
                ELSE 'SET LOCAL default_tablespace = ''''; ' END AS place,
           ARRAY(SELECT format('ALTER INDEX %I.%I ALTER COLUMN %s SET STATISTICS %s', $1, x.relname, a.attnum, a.attstattarget)
                   FROM pg_catalog.pg_attribute a
                  WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0 ORDER BY a.attnum) AS statistics,
           CASE WHEN i.indisclustered THEN ARRAY[format('ALTER TABLE %s CLUSTER ON %I', h.name, x.relname)] ELSE '{}' END AS clustered,
           CASE WHEN pg_catalog.obj_description(i.indexrelid, 'pg_class') IS NOT NULL
                THEN ARRAY[format('COMMENT ON INDEX %I.%I IS %L', $1, x.relname, pg_catalog.obj_description(i.indexrelid, 'pg_class'))]
                ELSE '{}' END AS remark
      FROM held h
      JOIN pg_catalog.pg_index i ON i.indrelid = h.oid
      JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
      LEFT JOIN pg_catalog.pg_constraint con ON con.conindid = i.indexrelid AND con.contype IN ('p', 'u', 'x')
),
-- A row in a partition fires the partition's triggers: copies of the root's triggers, which servers before 15 call internal, and
-- the partition's own. Each trigger is disabled by itself, so that each gets its previous mode again.
members AS (
    SELECT h.relname, h.oid AS member FROM held h
    UNION
    SELECT h.relname, p.relid FROM held h CROSS JOIN LATERAL pg_catalog.pg_partition_tree(h.oid) p WHERE h.relkind = 'p'
),
triggers AS (
    SELECT m.relname, t.oid, t.tgname, pg_catalog.pg_has_role(c.relowner, 'USAGE') AS owned,
           format('ALTER TABLE %s%I.%I', CASE c.relkind WHEN 'p' THEN 'ONLY ' ELSE '' END, n.nspname, c.relname) AS alter_table,
           CASE t.tgenabled WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' ELSE '' END AS how
      FROM members m
      JOIN pg_catalog.pg_trigger t ON t.tgrelid = m.member
      JOIN pg_catalog.pg_class c ON c.oid = m.member
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE t.tgenabled <> 'D'
       AND (NOT t.tgisinternal
            -- A copy is a trigger for each row (1). Others that are internal belong to an extension, such as those of Citus.
            OR c.relispartition AND t.tgtype & 1 = 1
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.oid = t.tgconstraint AND k.contype <> 't'))
)
SELECT t.relname::text AS table_name, t.tgname::text AS object, 'trigger' AS kind, '{}'::text[] AS columns,
       pg_catalog.array_agg(format('%s DISABLE TRIGGER %I', t.alter_table, t.tgname) ORDER BY t.oid) AS detach_sql,
       ARRAY[pg_catalog.string_agg(format('%s ENABLE %s TRIGGER %I', t.alter_table, t.how, t.tgname), '; ' ORDER BY t.oid)] AS reattach_sql,
       CASE WHEN NOT pg_catalog.bool_and(t.owned) THEN 'this role does not own the table' END AS kept_because,
       min(t.oid::int8) AS oid, '{}'::int8[] AS needed_by, '{}'::text[] AS sized
  FROM triggers t
 GROUP BY t.relname, t.tgname
UNION ALL
SELECT h.relname, con.conname, 'foreign',
       ARRAY(SELECT a.attname::text FROM unnest(con.conkey) WITH ORDINALITY AS k(no, at)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = con.conrelid AND a.attnum = k.no ORDER BY k.at),
       ARRAY[format('ALTER TABLE %s DROP CONSTRAINT %I', h.name, con.conname)],
       -- VALIDATE does not reach the parts for the partitions of a referenced table, so such a key is added as a whole.
       CASE WHEN con.convalidated AND parent.relkind <> 'p'
            THEN ARRAY[format('ALTER TABLE %s ADD CONSTRAINT %I %s NOT VALID', h.name, con.conname, pg_catalog.pg_get_constraintdef(con.oid)),
                       format('ALTER TABLE %s VALIDATE CONSTRAINT %I', h.name, con.conname)]
            ELSE ARRAY[format('ALTER TABLE %s ADD CONSTRAINT %I %s', h.name, con.conname, pg_catalog.pg_get_constraintdef(con.oid))] END
       || CASE WHEN pg_catalog.obj_description(con.oid, 'pg_constraint') IS NOT NULL
               THEN ARRAY[format('COMMENT ON CONSTRAINT %I ON %s IS %L', con.conname, h.name, pg_catalog.obj_description(con.oid, 'pg_constraint'))]
               ELSE '{}' END,
       CASE WHEN h.kept_because IS NOT NULL THEN h.kept_because
            WHEN EXISTS (SELECT FROM extensions e WHERE e.classid = 'pg_catalog.pg_constraint'::regclass AND e.objid = con.oid)
            THEN 'an extension owns it'
            WHEN EXISTS (SELECT FROM parts p JOIN pg_catalog.pg_trigger t ON t.tgconstraint = p.oid
                          WHERE p.root = con.oid AND t.tgenabled <> 'O')
            THEN 'its triggers are not in the usual mode, which could not be restored'
            WHEN NOT pg_catalog.has_table_privilege(con.confrelid, 'REFERENCES')
            THEN 'this role may not refer to the parent, so it could not be re-created' END,
       con.oid::int8, '{}', '{}'
  FROM held h
  JOIN pg_catalog.pg_constraint con ON con.conrelid = h.oid AND con.contype = 'f' AND con.conparentid = 0
  JOIN pg_catalog.pg_class parent ON parent.oid = con.confrelid
UNION ALL
SELECT i.relname, i.index_name, CASE WHEN i.indisunique THEN 'unique' ELSE 'index' END, i.columns,
       ARRAY[format('DROP INDEX %s', i.index_full)],
       ARRAY[i.place || pg_catalog.pg_get_indexdef(i.indexrelid)] || i.statistics || i.remark || i.clustered,
       CASE WHEN i.table_kept_because IS NOT NULL THEN i.table_kept_because
            WHEN NOT i.indisvalid THEN 'it is not valid'
            WHEN i.of_extension THEN 'an extension owns it, or it depends on one'
            WHEN i.indisreplident THEN 'it is the replica identity'
            WHEN NOT i.may_place THEN 'this role may not create in its tablespace, so it could not be re-created'
            WHEN i.indisexclusion THEN 'it is an exclusion constraint'
            WHEN $3 AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)
            THEN 'its expression could change under the search path that the application''s functions need'
            WHEN i.indisunique AND (i.indpred IS NOT NULL OR i.indexprs IS NOT NULL) THEN 'it is unique over an expression or some of the rows'
            WHEN d.who IS NOT NULL THEN d.who || ' depends on it' END,
       i.indexrelid::int8,
       ARRAY(SELECT f.oid::int8 FROM pg_catalog.pg_constraint f
              WHERE f.contype = 'f' AND f.conindid = i.indexrelid AND f.conparentid = 0),
       i.sized
  FROM indexes i
  LEFT JOIN dependents d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = i.indexrelid
 WHERE i.con IS NULL
UNION ALL
SELECT i.relname, i.index_name, CASE i.contype WHEN 'p' THEN 'primary' ELSE 'unique' END, i.columns,
       ARRAY[format('ALTER TABLE %s DROP CONSTRAINT %I', i.table_name, i.index_name)],
       ARRAY[i.place || pg_catalog.pg_get_indexdef(i.indexrelid),
             format('ALTER TABLE %s ADD CONSTRAINT %I %s USING INDEX %I%s', i.table_name, i.index_name,
                    CASE i.contype WHEN 'p' THEN 'PRIMARY KEY' ELSE 'UNIQUE' END, i.index_name,
                    CASE WHEN i.condeferred THEN ' DEFERRABLE INITIALLY DEFERRED' WHEN i.condeferrable THEN ' DEFERRABLE' ELSE '' END)]
       || i.statistics || i.remark
       || CASE WHEN pg_catalog.obj_description(i.con, 'pg_constraint') IS NOT NULL
               THEN ARRAY[format('COMMENT ON CONSTRAINT %I ON %s IS %L', i.index_name, i.table_name, pg_catalog.obj_description(i.con, 'pg_constraint'))]
               ELSE '{}' END
       || i.clustered,
       CASE WHEN i.table_kept_because IS NOT NULL THEN i.table_kept_because
            WHEN NOT i.indisvalid THEN 'it is not valid'
            WHEN i.of_extension THEN 'an extension owns it, or it depends on one'
            WHEN i.contype = 'x' THEN 'it is an exclusion constraint'
            WHEN i.indisreplident THEN 'it is the replica identity'
            WHEN NOT i.may_place THEN 'this role may not create in its tablespace, so it could not be re-created'
            WHEN i.published AND i.contype = 'p' THEN 'a publication of the table needs it'
            WHEN d.who IS NOT NULL THEN d.who || ' depends on it' END,
       i.indexrelid::int8,
       ARRAY(SELECT f.oid::int8 FROM pg_catalog.pg_constraint f
              WHERE f.contype = 'f' AND f.conindid = i.indexrelid AND f.conparentid = 0),
       i.sized
  FROM indexes i
  LEFT JOIN dependents d ON d.refclassid = 'pg_catalog.pg_constraint'::regclass AND d.refobjid = i.con
 WHERE i.con IS NOT NULL
 ORDER BY 1, 3, 2
