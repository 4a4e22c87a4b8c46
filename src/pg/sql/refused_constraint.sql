-- Facts about the constraint $3 and the table $2 (in any schema if $1 is NULL) that the server named in a refusal: the kind of
-- constraint, u for a unique index without a constraint; true if the table is partitioned or a partition; true if it has
-- enabled user triggers.
SELECT coalesce((SELECT con.contype::text
                   FROM pg_catalog.pg_constraint con
                  WHERE con.conrelid = c.oid AND con.conname = $3),
                (SELECT 'u'
                   FROM pg_catalog.pg_index i
                   JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
                  WHERE i.indrelid = c.oid AND i.indisunique AND x.relname = $3)) AS kind,
       (c.relkind = 'p' OR c.relispartition) AS partitioned,
       EXISTS (SELECT FROM pg_catalog.pg_trigger t
                WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled <> 'D') AS triggers
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relname = $2 AND ($1::text IS NULL OR n.nspname = $1) AND c.relkind IN ('r', 'p')
 LIMIT 1
