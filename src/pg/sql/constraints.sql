-- The foreign keys and CHECK constraints of the tables of schema $1.
SELECT con.conrelid::int8  AS table_oid,
       con.conname::text   AS name,
       con.contype::text   AS kind,
       con.condeferrable   AS deferrable,
       (con.confdeltype = 'c') AS cascades,
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
 WHERE con.contype IN ('f', 'c') AND NOT c.relispartition
 ORDER BY con.conrelid, con.conname
