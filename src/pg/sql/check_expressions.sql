-- The expressions of the CHECK constraints of the tables $2 in schema $1 as they are printed under the search path of the moment.
SELECT con.oid::pg_catalog.int8 AS oid, pg_catalog.pg_get_expr(con.conbin, con.conrelid) AS expression
  FROM pg_catalog.pg_constraint con
  JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) con.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
 WHERE con.contype OPERATOR(pg_catalog.=) 'c'::pg_catalog."char" AND n.nspname OPERATOR(pg_catalog.=) $1
   AND c.relname OPERATOR(pg_catalog.=) ANY ($2)
