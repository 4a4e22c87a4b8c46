-- The foreign keys of any schema that refer to table $2 of schema $1 and whose columns no index of the referring table begins
-- with: for each deleted row, the server reads that whole table to look for references.
--   index_sql  creates such an index
--   drop_sql   drops it again
--   blocks     the size of the referring table
--   is_ours    this role may create an index there
SELECT pg_catalog.format('CREATE INDEX %I ON %I.%I (%s)', pg_catalog.format('migrate_rollback_%s', con.oid), n.nspname, c.relname,
                         (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY k.at)
                            FROM pg_catalog.unnest(con.conkey) WITH ORDINALITY AS k (no, at)
                            JOIN pg_catalog.pg_attribute a ON a.attrelid = con.conrelid AND a.attnum = k.no)) AS index_sql,
       pg_catalog.format('DROP INDEX %I.%I', n.nspname, pg_catalog.format('migrate_rollback_%s', con.oid)) AS drop_sql,
       coalesce((SELECT sum(pg_catalog.pg_relation_size(p.relid)) FROM pg_catalog.pg_partition_tree(c.oid) AS p)::int8,
                pg_catalog.pg_relation_size(c.oid)) / pg_catalog.current_setting('block_size')::int8 AS blocks,
       pg_catalog.pg_has_role(c.relowner, 'USAGE') AND pg_catalog.has_schema_privilege(n.oid, 'CREATE') AS is_ours
  FROM pg_catalog.pg_constraint con
  JOIN pg_catalog.pg_class p ON p.oid = con.confrelid
  JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
  JOIN pg_catalog.pg_class c ON c.oid = con.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE con.contype = 'f' AND con.conparentid = 0 AND pn.nspname = $1 AND p.relname = $2
   AND NOT EXISTS (
       SELECT FROM pg_catalog.pg_index i
         JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
         JOIN pg_catalog.pg_am m ON m.oid = x.relam AND m.amname = 'btree'
        WHERE i.indrelid = con.conrelid AND i.indisvalid AND i.indpred IS NULL
          AND i.indnkeyatts >= pg_catalog.cardinality(con.conkey)
          AND (i.indkey::int2[])[0:pg_catalog.cardinality(con.conkey) - 1] @> con.conkey)
 ORDER BY con.oid
