-- The columns of table $2 in schema $1, or of all its tables where $2 is NULL, whose type has its equality outside pg_catalog, such
-- as citext: the column, the operator of the default B-tree or hash class of its type, and the type that the operator compares.
-- The types come first: most databases have none, and then no column is read.
WITH RECURSIVE special (type_oid, method, operator, type_name) AS MATERIALIZED (
    SELECT k.opcintype, m.amname,
           pg_catalog.format('OPERATOR(%I.%s)', n.nspname, o.oprname),
           pg_catalog.format_type(o.oprleft, -1)
      FROM pg_catalog.pg_operator o
      JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace AND n.nspname <> 'pg_catalog'
      JOIN pg_catalog.pg_amop e ON e.amopopr = o.oid
      JOIN pg_catalog.pg_opclass k ON k.opcfamily = e.amopfamily AND k.opcintype = e.amoplefttype AND k.opcintype = e.amoprighttype
       AND k.opcdefault
      JOIN pg_catalog.pg_am m ON m.oid = k.opcmethod
     -- Equality is the third strategy of a B-tree and the first of a hash index.
     WHERE e.amopstrategy = CASE m.amname WHEN 'btree' THEN 3 WHEN 'hash' THEN 1 END
),
base (table_name, column_name, type_oid) AS (
    SELECT c.relname, a.attname, a.atttypid
      FROM pg_catalog.pg_attribute a
      JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relname = coalesce($2, c.relname) AND c.relkind IN ('r', 'p')
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $1
     WHERE a.attnum > 0 AND NOT a.attisdropped AND EXISTS (SELECT FROM special)
    UNION ALL
    SELECT base.table_name, base.column_name, t.typbasetype
      FROM base
      JOIN pg_catalog.pg_type t ON t.oid = base.type_oid AND t.typtype = 'd'
)
SELECT DISTINCT ON (base.table_name, base.column_name)
       base.table_name::text AS table_name,
       base.column_name::text AS column_name,
       special.operator AS operator,
       special.type_name AS type_name
  FROM base
  JOIN special ON special.type_oid = base.type_oid
 ORDER BY base.table_name, base.column_name, special.method
