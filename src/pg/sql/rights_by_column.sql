-- The columns of the tables of schema $1, and of parents in other schemas, on which this role lacks a right as a whole but holds
-- it on some column: right, `TABLE schema.name`, the column's plain name and its name as GRANT writes it, and true if the right
-- is held on the column.
SELECT r.name, 'TABLE ' || n.nspname || '.' || c.relname, a.attname::text, pg_catalog.quote_ident(a.attname),
       pg_catalog.has_column_privilege(c.oid, a.attnum, r.name)
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN (VALUES ('INSERT'), ('SELECT')) AS r (name)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relkind IN ('r', 'p')
   AND (n.nspname = $1
        OR c.oid IN (SELECT con.confrelid
                       FROM pg_catalog.pg_constraint con
                       JOIN pg_catalog.pg_class t ON t.oid = con.conrelid
                       JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
                      WHERE con.contype = 'f' AND tn.nspname = $1))
   AND NOT pg_catalog.has_table_privilege(c.oid, r.name)
   AND pg_catalog.has_any_column_privilege(c.oid, r.name)
 ORDER BY 2, 1, a.attnum
