-- The columns of table $2 in schema $1, or of all its tables where $2 is NULL, whose type has its equality outside pg_catalog, such
-- as citext: the column, the operator of the default B-tree or hash class of its type, and the type that the operator compares.
WITH RECURSIVE base (table_name, column_name, type_oid) AS (
    SELECT c.relname, a.attname, a.atttypid
      FROM pg_catalog.pg_attribute a
      JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relname = coalesce($2, c.relname) AND c.relkind IN ('r', 'p')
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $1
     WHERE a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT base.table_name, base.column_name, t.typbasetype
      FROM base
      JOIN pg_catalog.pg_type t ON t.oid = base.type_oid AND t.typtype = 'd'
)
SELECT DISTINCT ON (base.table_name, base.column_name)
       base.table_name::text AS table_name,
       base.column_name::text AS column_name,
       pg_catalog.format('OPERATOR(%I.%s)', n.nspname, o.oprname) AS operator,
       pg_catalog.format_type(o.oprleft, -1) AS type_name
  FROM base
  JOIN pg_catalog.pg_opclass k ON k.opcintype = base.type_oid AND k.opcdefault
  JOIN pg_catalog.pg_am m ON m.oid = k.opcmethod
  -- Equality is the third strategy of a B-tree and the first of a hash index.
  JOIN pg_catalog.pg_amop e ON e.amopfamily = k.opcfamily AND e.amoplefttype = k.opcintype AND e.amoprighttype = k.opcintype
   AND e.amopstrategy = CASE m.amname WHEN 'btree' THEN 3 WHEN 'hash' THEN 1 END
  JOIN pg_catalog.pg_operator o ON o.oid = e.amopopr
  JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace AND n.nspname <> 'pg_catalog'
 ORDER BY base.table_name, base.column_name, m.amname
