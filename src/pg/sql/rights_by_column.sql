-- The columns of tables on which this role lacks a right as a whole but holds it on some column ($1: `TABLE schema.name`, $2: the
-- right): right, table, the column's plain name and its name as GRANT writes it, and true if the right is held on the column.
SELECT lacking.right_name, lacking.key, a.attname::text, pg_catalog.quote_ident(a.attname),
       pg_catalog.has_column_privilege(c.oid, a.attnum, lacking.right_name)
  FROM unnest($1::text[], $2::text[]) AS lacking (key, right_name)
  JOIN pg_catalog.pg_class c ON c.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND 'TABLE ' || n.nspname || '.' || c.relname = lacking.key
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE pg_catalog.has_any_column_privilege(c.oid, lacking.right_name)
 ORDER BY lacking.key, lacking.right_name, a.attnum
