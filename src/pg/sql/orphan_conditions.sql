-- For each schema of $1, its table in $2 and that table's foreign key in $3: the conditions under which a row `c` refers by the
-- key to a row `p`, with the operators and the collations by which the server compares both.
--   refers   the row refers to some row
--   matches  it refers to this row
SELECT cn.nspname::text AS schema_name, c.relname::text AS table_name, con.conname::text AS name,
       pg_catalog.string_agg(pg_catalog.format('c.%I IS NOT NULL', a.attname),
                             CASE con.confmatchtype WHEN 'f' THEN ' OR ' ELSE ' AND ' END) AS refers,
       pg_catalog.string_agg(pg_catalog.format('p.%I OPERATOR(%I.%s) c.%I%s', r.attname, n.nspname, o.oprname, a.attname,
                                               CASE WHEN r.attcollation <> a.attcollation
                                                    THEN pg_catalog.format(' COLLATE %I.%I', ln.nspname, l.collname) END),
                             ' AND ') AS matches
  FROM pg_catalog.pg_constraint con
  JOIN pg_catalog.pg_class c ON c.oid = con.conrelid
  JOIN pg_catalog.pg_namespace cn ON cn.oid = c.relnamespace
  JOIN unnest($1::text[], $2::text[], $3::text[]) AS wanted (schema_name, table_name, key_name)
    ON cn.nspname = wanted.schema_name AND c.relname = wanted.table_name AND con.conname = wanted.key_name
-- Without a schema, `unnest` of several arrays is the server's own function, whatever the search path.
 CROSS JOIN LATERAL unnest(con.conkey, con.confkey, con.conpfeqop) AS k (child, parent, operator)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = con.conrelid AND a.attnum = k.child
  JOIN pg_catalog.pg_attribute r ON r.attrelid = con.confrelid AND r.attnum = k.parent
  JOIN pg_catalog.pg_operator o ON o.oid = k.operator
  JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
  LEFT JOIN pg_catalog.pg_collation l ON l.oid = r.attcollation
  LEFT JOIN pg_catalog.pg_namespace ln ON ln.oid = l.collnamespace
 WHERE con.contype = 'f'
 GROUP BY con.oid, cn.nspname, c.relname, con.conname
