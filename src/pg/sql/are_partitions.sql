-- True if each of the tables $4 of the schemas $3 is a partition of table $2 of schema $1.
SELECT NOT EXISTS (
    SELECT FROM unnest($3::text[], $4::text[]) AS named (schema, name)
     WHERE NOT EXISTS (
           SELECT FROM pg_catalog.pg_class root
             JOIN pg_catalog.pg_namespace rn ON rn.oid = root.relnamespace AND rn.nspname = $1
            CROSS JOIN LATERAL pg_catalog.pg_partition_tree(root.oid) AS tree
             JOIN pg_catalog.pg_class c ON c.oid = tree.relid
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE root.relname = $2 AND n.nspname = named.schema AND c.relname = named.name))
