-- The constraints, indexes and user triggers of the tables $2 of schema $1, and the state of each as text. The state of a
-- foreign key includes that of its internal triggers, and of its parts for the partitions of the referenced table.
WITH RECURSIVE parts (root, oid, convalidated) AS (
    SELECT con.oid, con.oid, con.convalidated
      FROM pg_catalog.pg_constraint con
      JOIN pg_catalog.pg_class c ON c.oid = con.conrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = ANY ($2) AND con.conparentid = 0
    UNION ALL
    SELECT p.root, con.oid, con.convalidated FROM parts p JOIN pg_catalog.pg_constraint con ON con.conparentid = p.oid
),
states AS (
    SELECT p.root, pg_catalog.bool_and(p.convalidated) AS convalidated, pg_catalog.bool_or(t.tgenabled = 'D') AS disabled,
           pg_catalog.bool_or(t.tgenabled = 'R') AS on_replicas, pg_catalog.bool_or(t.tgenabled = 'A') AS always
      FROM parts p LEFT JOIN pg_catalog.pg_trigger t ON t.tgconstraint = p.oid
     GROUP BY p.root
)
SELECT c.relname::text AS table_name, con.conname::text AS object,
       pg_catalog.pg_get_constraintdef(con.oid) || CASE WHEN s.convalidated THEN '' ELSE ' not validated' END
       || CASE WHEN s.disabled THEN ' disabled' ELSE '' END || CASE WHEN s.on_replicas THEN ' on replicas' ELSE '' END
       || CASE WHEN s.always THEN ' always' ELSE '' END AS state
  FROM states s
  JOIN pg_catalog.pg_constraint con ON con.oid = s.root
  JOIN pg_catalog.pg_class c ON c.oid = con.conrelid
UNION ALL
SELECT c.relname::text, x.relname::text,
       pg_catalog.pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid AND i.indisready THEN '' ELSE ' not valid' END
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relname = ANY ($2)
UNION ALL
SELECT c.relname::text, t.tgname::text,
       pg_catalog.pg_get_triggerdef(t.oid) || CASE t.tgenabled WHEN 'O' THEN '' WHEN 'D' THEN ' disabled'
                                              WHEN 'R' THEN ' on replicas' ELSE ' always' END
  FROM pg_catalog.pg_trigger t
  JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relname = ANY ($2) AND NOT t.tgisinternal
 ORDER BY 1, 2, 3
