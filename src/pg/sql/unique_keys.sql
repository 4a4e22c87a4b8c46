-- The unique keys of the tables of schema $1 over plain columns of all rows; the primary key first.
-- NULLS NOT DISTINCT came with PostgreSQL 15; every version can be asked only through the text of the definition.
SELECT i.indrelid::int8 AS table_oid,
       x.relname::text  AS name,
       i.indisprimary   AS is_primary,
       NOT i.indimmediate AS deferrable,
       (pg_catalog.pg_get_indexdef(i.indexrelid) LIKE '%NULLS NOT DISTINCT%') AS nulls_equal,
       EXISTS (SELECT FROM pg_catalog.pg_collation o WHERE o.oid = ANY (i.indcollation) AND NOT o.collisdeterministic) AS loose,
       ARRAY(SELECT a.attname::text
               FROM generate_series(0, i.indnkeyatts - 1) AS k
               JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k]
              ORDER BY k) AS columns
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $1
 WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL AND NOT c.relispartition
 ORDER BY i.indrelid, i.indisprimary DESC, x.relname
