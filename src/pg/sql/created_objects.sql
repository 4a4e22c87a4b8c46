-- Objects of schema $1, by kind $2 and name $3, with OID and a hash of the definition. A kind or a definition that `--create` does
-- not make matches nothing. The search path is the tool's own, so that the definitions do not depend on the role.
WITH wanted (kind, name) AS (
    SELECT * FROM unnest($2::text[], $3::text[])
), relations (kind, name, oid, definition) AS (
    SELECT w.kind, w.name, c.oid, pg_catalog.concat_ws(E'\n', c.relkind, c.relpersistence, c.relowner, c.relrowsecurity,
        (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', a.attnum, pg_catalog.quote_ident(a.attname),
                    pg_catalog.format_type(a.atttypid, a.atttypmod), a.attcollation, a.attnotnull, a.attidentity, a.attgenerated,
                    pg_catalog.pg_get_expr(d.adbin, d.adrelid)), E'\n' ORDER BY a.attnum)
           FROM pg_catalog.pg_attribute a
           LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
          WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
        -- Since version 18 a column that is NOT NULL has a constraint as well.
        (SELECT pg_catalog.string_agg(k.conname || ' ' || pg_catalog.pg_get_constraintdef(k.oid), E'\n' ORDER BY k.conname)
           FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.contype <> 'n'),
        (SELECT pg_catalog.string_agg(pg_catalog.pg_get_indexdef(i.indexrelid), E'\n' ORDER BY i.indexrelid::regclass::text)
           FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid),
        (SELECT pg_catalog.string_agg(t.tgenabled::text || ' ' || pg_catalog.pg_get_triggerdef(t.oid), E'\n' ORDER BY t.tgname)
           FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal),
        (SELECT pg_catalog.string_agg(pg_catalog.pg_get_ruledef(r.oid), E'\n' ORDER BY r.rulename)
           FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid))
      FROM wanted w
      JOIN pg_catalog.pg_class c ON c.relname = w.name AND c.relkind = CASE w.kind WHEN 'table' THEN 'r' WHEN 'view' THEN 'v' END
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1
), functions (kind, name, oid, definition) AS (
    SELECT w.kind, w.name, p.oid, pg_catalog.concat_ws(E'\n', p.proowner, pg_catalog.pg_get_functiondef(p.oid))
      FROM wanted w
      JOIN pg_catalog.pg_proc p ON p.proname = w.name AND w.kind = 'function' AND p.pronargs = 0 AND p.prokind = 'f'
      JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
     WHERE n.nspname = $1
)
SELECT kind, name, oid::pg_catalog.int8, pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(definition, 'UTF8')), 'hex') AS shape
  FROM (SELECT * FROM relations UNION ALL SELECT * FROM functions) AS found
