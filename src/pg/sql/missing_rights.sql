-- The rights that this role lacks of all that a run could need, on the tables of schema $1 and for a ledger in schema $2: each
-- right, its object by the plain name, and the object as GRANT writes it. `part` is `target` or `ledger` for a right that is
-- needed there, `guarded` for active row-level security, and `stranger` for triggers that a load would fire and that only their
-- owner may disable.
WITH tables AS (
    SELECT c.oid, n.oid AS schema_oid, n.nspname = $1 AS ours, n.nspname || '.' || c.relname AS plain,
           pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p')
       AND (n.nspname = $1
            -- Parents in other schemas, which the search for orphans reads.
            OR c.oid IN (SELECT con.confrelid
                           FROM pg_catalog.pg_constraint con
                           JOIN pg_catalog.pg_class t ON t.oid = con.conrelid
                           JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
                          WHERE con.contype = 'f' AND tn.nspname = $1))
),
sequences AS (
    SELECT s.oid, n.oid AS schema_oid,
           pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(s.relname) AS name
      FROM pg_catalog.pg_class s
      JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
     WHERE s.relkind = 'S'
       AND (n.nspname = $1
            OR s.oid IN (SELECT d.objid
                           FROM pg_catalog.pg_depend d
                           JOIN tables t ON t.oid = d.refobjid AND t.ours
                          WHERE d.classid = 'pg_catalog.pg_class'::regclass
                            AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i')
                         UNION ALL
                         SELECT d.refobjid
                           FROM pg_catalog.pg_attrdef ad
                           JOIN tables t ON t.oid = ad.adrelid AND t.ours
                           JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = ad.oid
                          WHERE d.refclassid = 'pg_catalog.pg_class'::regclass))
),
schemas AS (
    SELECT n.oid, n.nspname AS plain, pg_catalog.quote_ident(n.nspname) AS name
      FROM pg_catalog.pg_namespace n
     WHERE n.nspname = $1 OR n.oid IN (SELECT schema_oid FROM tables UNION ALL SELECT schema_oid FROM sequences)
),
here AS (
    SELECT 'DATABASE ' || pg_catalog.quote_ident(pg_catalog.current_database()) AS name
),
ledger AS (
    SELECT n.oid, pg_catalog.quote_ident(n.nspname) AS name,
           EXISTS (SELECT FROM pg_catalog.pg_class c
                    WHERE c.relnamespace = n.oid AND c.relname = 'ledger' AND c.relkind = 'r') AS made
      FROM pg_catalog.pg_namespace n
     WHERE n.nspname = $2
),
wanted (part, right_name, key, object, held) AS (
    SELECT 'target', 'TEMPORARY', 'DATABASE', here.name,
           pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMPORARY')
      FROM here
    UNION ALL
    SELECT 'target', 'USAGE', 'SCHEMA ' || s.plain, 'SCHEMA ' || s.name, pg_catalog.has_schema_privilege(s.oid, 'USAGE')
      FROM schemas s
    UNION ALL
    SELECT 'target', r, 'TABLE ' || t.plain, 'TABLE ' || t.name, pg_catalog.has_table_privilege(t.oid, r)
      FROM tables t, unnest(ARRAY['SELECT', 'INSERT', 'DELETE', 'UPDATE']) AS r
    UNION ALL
    SELECT 'target', r, 'SEQUENCE ' || s.name, 'SEQUENCE ' || s.name, pg_catalog.has_sequence_privilege(s.oid, r)
      FROM sequences s, unnest(ARRAY['SELECT', 'USAGE', 'UPDATE']) AS r
    UNION ALL
    SELECT 'ledger', 'CREATE', 'DATABASE', here.name,
           pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')
      FROM here
     WHERE NOT EXISTS (SELECT FROM ledger)
    UNION ALL
    SELECT 'ledger', r, 'SCHEMA', 'SCHEMA ' || l.name, pg_catalog.has_schema_privilege(l.oid, r)
      FROM ledger l, unnest(ARRAY['USAGE', 'CREATE']) AS r
     WHERE r = 'USAGE' OR NOT l.made
    UNION ALL
    SELECT 'ledger', r, 'TABLE', 'TABLE ' || l.name || '.' || pg_catalog.quote_ident(c.relname),
           pg_catalog.has_table_privilege(c.oid, r)
      FROM ledger l
      JOIN pg_catalog.pg_class c ON c.relnamespace = l.oid AND c.relkind = 'r',
           unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS r
     WHERE l.made
    UNION ALL
    SELECT 'guarded', '', t.plain, '', NOT pg_catalog.row_security_active(t.oid) FROM tables t
    UNION ALL
    SELECT 'stranger', g.names, t.plain, pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.relowner)),
           pg_catalog.pg_has_role(g.relowner, 'USAGE')
      FROM tables t
     CROSS JOIN LATERAL (
           SELECT c.relowner, string_agg(DISTINCT tgname::text, ', ' ORDER BY tgname::text) AS names
             FROM pg_catalog.pg_trigger
             JOIN pg_catalog.pg_class c ON c.oid = tgrelid
            WHERE (c.oid = t.oid OR c.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree(t.oid)))
             -- 4: the trigger runs for INSERT, and COPY counts as INSERT.
              AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 4 <> 0
            GROUP BY c.relowner) g
)
SELECT part, right_name, key, object FROM wanted WHERE NOT held ORDER BY part, key, object, right_name
