-- True if rows that are copied into the table may be fewer afterwards: a trigger before each inserted row may swallow
-- them, and so may the server of a foreign table. The search path is the application's.
EXISTS (
    SELECT FROM (SELECT :table::pg_catalog.oid UNION ALL
                 SELECT relid::pg_catalog.oid FROM pg_catalog.pg_partition_tree(:table)) AS part (oid)
     WHERE EXISTS (SELECT FROM pg_catalog.pg_class AS c
                    WHERE c.oid OPERATOR(pg_catalog.=) part.oid AND c.relkind OPERATOR(pg_catalog.=) 'f')
        OR EXISTS (SELECT FROM pg_catalog.pg_trigger AS t
                    WHERE t.tgrelid OPERATOR(pg_catalog.=) part.oid AND NOT t.tgisinternal
                      AND t.tgenabled OPERATOR(pg_catalog.<>) 'D'
                      AND (t.tgtype OPERATOR(pg_catalog.&) 7) OPERATOR(pg_catalog.=) 7))
