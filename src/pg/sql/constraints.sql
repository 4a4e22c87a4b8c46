-- The foreign keys and CHECK constraints of the tables of schema $1. PostgreSQL keeps a constraint of its own for each
-- partition of a referenced table: it is part of the foreign key, not another one.
--   match_full   NULL in some columns of a reference is an error
--   is_enforced  all triggers of the foreign key fire in an ordinary session
WITH RECURSIVE parts (root, oid) AS (
    SELECT con.oid, con.oid
      FROM pg_catalog.pg_constraint con
      JOIN pg_catalog.pg_class c ON c.oid = con.conrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $1
     WHERE con.contype = 'f' AND con.conparentid = 0
    UNION ALL
    SELECT p.root, con.oid FROM parts p JOIN pg_catalog.pg_constraint con ON con.conparentid = p.oid
),
unenforced AS (
    SELECT DISTINCT p.root FROM parts p
      JOIN pg_catalog.pg_trigger t ON t.tgconstraint = p.oid AND t.tgenabled NOT IN ('O', 'A')
)
SELECT con.conrelid::int8  AS table_oid,
       con.conname::text   AS name,
       con.contype::text   AS kind,
       con.condeferrable   AS deferrable,
       (con.confdeltype = 'c') AS cascades,
       (con.confmatchtype = 'f') AS match_full,
       con.oid NOT IN (SELECT u.root FROM unenforced u) AS is_enforced,
       pn.nspname::text    AS parent_schema,
       p.relname::text     AS parent,
       ARRAY(SELECT a.attname::text
               FROM unnest(con.conkey) WITH ORDINALITY AS k(no, at)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = con.conrelid AND a.attnum = k.no
              ORDER BY k.at) AS columns,
       ARRAY(SELECT a.attname::text
               FROM unnest(con.confkey) WITH ORDINALITY AS k(no, at)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = con.confrelid AND a.attnum = k.no
              ORDER BY k.at) AS parent_columns,
       pg_catalog.pg_get_constraintdef(con.oid) AS definition
  FROM pg_catalog.pg_constraint con
  JOIN pg_catalog.pg_class c ON c.oid = con.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $1
  LEFT JOIN pg_catalog.pg_class p ON p.oid = con.confrelid
  LEFT JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
 WHERE con.contype IN ('f', 'c') AND con.conparentid = 0 AND NOT c.relispartition
 ORDER BY con.conrelid, con.conname
