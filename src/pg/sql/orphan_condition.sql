-- The conditions under which a row `c` refers by foreign key $3 of table $2 of schema $1 to a row `p`: with the operators and
-- the collations by which the server compares both.
--   refers   the row refers to some row
--   matches  it refers to this row
SELECT pg_catalog.string_agg(pg_catalog.format('c.%I IS NOT NULL', a.attname),
                             CASE con.confmatchtype WHEN 'f' THEN ' OR ' ELSE ' AND ' END) AS refers,
       pg_catalog.string_agg(pg_catalog.format('p.%I OPERATOR(%I.%s) c.%I%s', r.attname, n.nspname, o.oprname, a.attname,
                                               CASE WHEN r.attcollation <> a.attcollation
                                                    THEN pg_catalog.format(' COLLATE %I.%I', ln.nspname, l.collname) END),
                             ' AND ') AS matches
  FROM pg_catalog.pg_constraint con
-- Without a schema, `unnest` of several arrays is the server's own function, whatever the search path.
 CROSS JOIN LATERAL unnest(con.conkey, con.confkey, con.conpfeqop) AS k (child, parent, operator)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = con.conrelid AND a.attnum = k.child
  JOIN pg_catalog.pg_attribute r ON r.attrelid = con.confrelid AND r.attnum = k.parent
  JOIN pg_catalog.pg_operator o ON o.oid = k.operator
  JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
  LEFT JOIN pg_catalog.pg_collation l ON l.oid = r.attcollation
  LEFT JOIN pg_catalog.pg_namespace ln ON ln.oid = l.collnamespace
 WHERE con.conrelid = pg_catalog.format('%I.%I', $1::text, $2::text)::pg_catalog.regclass AND con.conname = $3 AND con.contype = 'f'
 GROUP BY con.oid
