-- Everything about the relations of schema $1 that have the name of a ledger's table. A row for each finding; none if the schema
-- contains no such relation and belongs to a trusted role. Reads the catalogue alone, so that nothing of another role runs.
--   finding  present  the relation exists
--            owner    another role owns it, so that role could change or replace it
--            code     a rule, a policy, or a trigger or function of another role, which would run or decide when the ledger is
--                     read or written
--            writer   another role may write to the table of detached objects, whose expressions are run when one is reattached, or
--                     to the table of created objects, which a rollback drops
--            kind     it is no plain table whose rows survive a crash
--            missing  a column that versions from `since` on have, and that is missing or has another type
--            known    a column that versions from `since` on have
--            extra    a column that no version has
--            key      a unique key that is missing
-- A ledger's version is compared with `since` by the caller, because only a ledger that passes the other findings is read.
WITH RECURSIVE expected (relation, name, type, since) AS (VALUES
    ('ledger', 'version', 'int4', 1),
    ('run', 'run', 'int8', 1), ('run', 'mapping', 'text', 1), ('run', 'owner', 'text', 1), ('run', 'tool', 'text', 1),
    ('run', 'state', 'text', 1), ('run', 'epoch', 'int4', 1), ('run', 'seed', 'int8', 1), ('run', 'stamp', 'text', 1),
    ('run', 'catalog', 'text', 1), ('run', 'read_ahead', 'bool', 1), ('run', 'judged', 'jsonb', 1),
    ('run', 'started_at', 'timestamptz', 1), ('run', 'ended_at', 'timestamptz', 1),
    ('backend', 'run', 'int8', 1), ('backend', 'epoch', 'int4', 1), ('backend', 'pid', 'int4', 1),
    ('backend', 'started', 'timestamptz', 1),
    ('load', 'run', 'int8', 1), ('load', 'load', 'text', 1), ('load', 'plan', 'text', 1),
    ('part', 'run', 'int8', 1), ('part', 'load', 'text', 1), ('part', 'part', 'int4', 1), ('part', 'after_key', 'text', 1),
    ('part', 'until_key', 'text', 1), ('part', 'done', 'bool', 1),
    ('batch', 'run', 'int8', 1), ('batch', 'load', 'text', 1), ('batch', 'part', 'int4', 1), ('batch', 'batch', 'int4', 1),
    ('batch', 'first_key', 'text', 1), ('batch', 'last_key', 'text', 1), ('batch', 'read', 'int8', 1),
    ('batch', 'written', 'int8', 1), ('batch', 'skipped', 'int8', 1), ('batch', 'faults', 'int8', 1),
    ('batch', 'digest', 'bytea', 1), ('batch', 'issued', '_int8', 1), ('batch', 'losses', 'jsonb', 1),
    ('batch', 'lookups', 'jsonb', 1), ('batch', 'at', 'timestamptz', 1),
    ('fault', 'run', 'int8', 1), ('fault', 'load', 'text', 1), ('fault', 'part', 'int4', 1), ('fault', 'batch', 'int4', 1),
    ('fault', 'fault', 'jsonb', 1),
    ('deviation', 'run', 'int8', 1), ('deviation', 'load', 'text', 1), ('deviation', 'part', 'int4', 1),
    ('deviation', 'batch', 'int4', 1), ('deviation', 'at', 'text', 1), ('deviation', 'orphan', 'text', 1),
    ('made', 'run', 'int8', 1), ('made', 'kind', 'text', 1), ('made', 'object', 'text', 1), ('made', 'was', 'text', 1),
    ('made', 'became', 'text', 1),
    ('detached', 'run', 'int8', 1), ('detached', 'no', 'int4', 1), ('detached', 'table_name', 'text', 1),
    ('detached', 'object', 'text', 1), ('detached', 'kind', 'text', 1), ('detached', 'back_sql', '_text', 1),
    ('detached', 'steps', 'int4', 1), ('detached', 'shape', 'jsonb', 1), ('detached', 'back', 'bool', 1),
    ('kept', 'run', 'int8', 3), ('kept', 'table_name', 'text', 3), ('kept', 'was', 'json', 3), ('kept', 'became', 'json', 3),
    ('created', 'mapping', 'text', 4), ('created', 'owner', 'text', 4), ('created', 'kind', 'text', 4),
    ('created', 'schema_name', 'text', 4), ('created', 'object', 'text', 4), ('created', 'oid', 'int8', 4),
    ('created', 'shape', 'text', 4),
    ('member', 'run', 'int8', 5), ('member', 'member', 'int4', 5), ('member', 'path', 'text', 5), ('member', 'owner', 'jsonb', 5),
    ('member', 'state', 'text', 5), ('member', 'epoch', 'int4', 5), ('member', 'worker', 'text', 5),
    ('member', 'lease', 'timestamptz', 5), ('member', 'stamp', 'text', 5), ('member', 'owner_key', 'text', 5),
    ('member', 'made', 'bool', 5), ('member', 'rows', 'jsonb', 5), ('member', 'proved', 'bool', 5),
    ('member', 'reason', 'text', 5), ('member', 'millis', 'int8', 5), ('member', 'at', 'timestamptz', 5),
    ('member', 'omitted', 'jsonb', 6), ('member', 'position', 'jsonb', 6),
    ('range', 'run', 'int8', 5), ('range', 'table_name', 'text', 5), ('range', 'next', 'int8', 5)
),
-- The keys that keep a row from being written twice.
keys (relation, columns) AS (VALUES
    ('run', ARRAY['run']), ('run', ARRAY['mapping', 'owner']), ('backend', ARRAY['run', 'pid', 'started']),
    ('load', ARRAY['run', 'load']), ('part', ARRAY['run', 'load', 'part']), ('batch', ARRAY['run', 'load', 'part', 'batch']),
    ('made', ARRAY['run', 'kind', 'object']), ('detached', ARRAY['run', 'no']),
    ('created', ARRAY['mapping', 'owner', 'kind', 'schema_name', 'object']),
    ('member', ARRAY['run', 'member']), ('member', ARRAY['run', 'path']), ('range', ARRAY['run', 'table_name'])
),
-- This role and every role whose rights it has. pg_has_role() is no help: for a superuser it is true of each role.
mine (oid) AS (
    SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user
    UNION
    SELECT m.roleid
      FROM mine
      JOIN pg_catalog.pg_auth_members m ON m.member = mine.oid
     -- Since version 16 a membership may give no rights: that of a role in each role that it created, for example.
     WHERE coalesce((pg_catalog.to_jsonb(m) ->> 'inherit_option')::bool, true)
        OR coalesce((pg_catalog.to_jsonb(m) ->> 'set_option')::bool, true)
),
trusted (oid) AS (
    SELECT oid FROM mine
    UNION
    SELECT oid FROM pg_catalog.pg_roles WHERE rolsuper
    UNION
    -- The database's owner is an implicit member of pg_database_owner.
    SELECT r.oid
      FROM pg_catalog.pg_roles r
      JOIN pg_catalog.pg_database d ON d.datname = current_database()
      JOIN pg_catalog.pg_roles o ON o.oid = d.datdba
     WHERE r.rolname = 'pg_database_owner' AND (o.rolsuper OR o.oid IN (SELECT oid FROM mine))
),
relations AS (
    SELECT c.oid, c.relname, c.relkind, c.relpersistence, c.relowner, c.relrowsecurity,
           pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname IN (SELECT relation FROM expected)
),
columns AS (
    SELECT r.relname, r.name AS table_name, a.attname,
           CASE WHEN n.nspname = 'pg_catalog' THEN t.typname ELSE n.nspname || '.' || t.typname END AS type
      FROM relations r
      JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
      JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
      JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
     WHERE r.relkind = 'r'
),
-- Indexes and sequences of the tables.
attached AS (
    SELECT x.oid, x.relname, x.relkind, x.relowner
      FROM relations r
      JOIN pg_catalog.pg_index i ON i.indrelid = r.oid
      JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
    UNION
    SELECT s.oid, s.relname, s.relkind, s.relowner
      FROM relations r
      JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = r.oid
                                 AND d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i')
      JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
),
-- Defaults, constraints and indexes: the objects whose expressions run with each row.
computing (classid, objid) AS (
    SELECT 'pg_catalog.pg_attrdef'::regclass, d.oid FROM relations r JOIN pg_catalog.pg_attrdef d ON d.adrelid = r.oid
    UNION ALL
    SELECT 'pg_catalog.pg_constraint'::regclass, c.oid FROM relations r JOIN pg_catalog.pg_constraint c ON c.conrelid = r.oid
    UNION ALL
    SELECT 'pg_catalog.pg_class'::regclass, x.oid FROM attached x
),
found (finding, object, owner_oid, since) AS (
    SELECT 'present', relname::text, relowner, 0 FROM relations
    UNION ALL
    SELECT 'owner', 'schema ' || pg_catalog.quote_ident(nspname), nspowner, 0
      FROM pg_catalog.pg_namespace WHERE nspname = $1 AND nspowner NOT IN (SELECT oid FROM trusted)
    UNION ALL
    SELECT 'owner', CASE relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'view ' ELSE 'table ' END || name, relowner, 0
      FROM relations WHERE relowner NOT IN (SELECT oid FROM trusted)
    UNION ALL
    SELECT 'owner', CASE relkind WHEN 'S' THEN 'sequence ' ELSE 'index ' END || relname, relowner, 0
      FROM attached WHERE relowner NOT IN (SELECT oid FROM trusted)
    UNION ALL
    SELECT 'kind', name, relowner, 0
      FROM relations r
     WHERE relkind <> 'r' OR relpersistence <> 'p'
        OR EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = r.oid OR h.inhparent = r.oid)
    UNION ALL
    -- A trigger has no owner: it is trusted if its function is, and if only trusted roles may create one on the table.
    SELECT 'code', 'trigger ' || t.tgname || ' of ' || r.name, p.proowner, 0
      FROM relations r
      JOIN pg_catalog.pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
      JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
     WHERE p.proowner NOT IN (SELECT oid FROM trusted)
        OR EXISTS (SELECT FROM pg_catalog.pg_class c
                    CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS granted
                    WHERE c.oid = r.oid AND granted.privilege_type = 'TRIGGER'
                      AND granted.grantee NOT IN (SELECT oid FROM trusted))
    UNION ALL
    -- A right on a single column suffices.
    SELECT DISTINCT 'writer', r.name, granted.grantee, 0
      FROM relations r
      JOIN pg_catalog.pg_class c ON c.oid = r.oid
      LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attacl IS NOT NULL
     CROSS JOIN LATERAL (SELECT w.grantee, w.privilege_type FROM pg_catalog.aclexplode(c.relacl) AS w
                          UNION ALL
                         SELECT w.grantee, w.privilege_type FROM pg_catalog.aclexplode(a.attacl) AS w) AS granted
     WHERE r.relname IN ('detached', 'created') AND granted.privilege_type IN ('INSERT', 'UPDATE')
       AND granted.grantee NOT IN (SELECT oid FROM trusted)
    UNION ALL
    SELECT 'code', 'rule ' || w.rulename || ' of ' || r.name, r.relowner, 0
      FROM relations r JOIN pg_catalog.pg_rewrite w ON w.ev_class = r.oid WHERE r.relkind = 'r'
    UNION ALL
    SELECT 'code', 'policy ' || o.polname || ' of ' || r.name, r.relowner, 0
      FROM relations r JOIN pg_catalog.pg_policy o ON o.polrelid = r.oid
    UNION ALL
    SELECT 'code', 'row-level security of ' || name, relowner, 0 FROM relations WHERE relrowsecurity
    UNION ALL
    -- The server's own functions and operators are pinned, and no dependency on them is recorded.
    SELECT 'code', pg_catalog.pg_describe_object(d.refclassid, d.refobjid, 0) || ', which '
           || pg_catalog.pg_describe_object(d.classid, d.objid, 0) || ' calls',
           coalesce(p.proowner, o.oprowner), 0
      FROM computing c
      JOIN pg_catalog.pg_depend d ON d.classid = c.classid AND d.objid = c.objid
      LEFT JOIN pg_catalog.pg_proc p ON d.refclassid = 'pg_catalog.pg_proc'::regclass AND p.oid = d.refobjid
      LEFT JOIN pg_catalog.pg_operator o ON d.refclassid = 'pg_catalog.pg_operator'::regclass AND o.oid = d.refobjid
     WHERE coalesce(p.proowner, o.oprowner) NOT IN (SELECT oid FROM trusted)
    UNION ALL
    SELECT CASE WHEN c.attname IS NULL THEN 'missing' ELSE 'known' END, e.relation || '.' || e.name, NULL, e.since
      FROM expected e
      LEFT JOIN columns c ON c.relname = e.relation AND c.attname = e.name AND c.type = e.type
    UNION ALL
    SELECT 'extra', c.relname || '.' || c.attname, NULL, 0
      FROM columns c
     WHERE NOT EXISTS (SELECT FROM expected e WHERE e.relation = c.relname AND e.name = c.attname)
    UNION ALL
    SELECT 'key', k.relation || ' (' || pg_catalog.array_to_string(k.columns, ', ') || ')', NULL, 0
      FROM keys k
      JOIN relations r ON r.relname = k.relation AND r.relkind = 'r'
     WHERE NOT EXISTS (
           SELECT FROM pg_catalog.pg_index i
            WHERE i.indrelid = r.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
              AND k.columns = ARRAY(SELECT a.attname::text
                                      FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) AS n
                                      JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[n]
                                     ORDER BY n))
)
SELECT f.finding, f.object, CASE f.owner_oid WHEN 0 THEN 'PUBLIC' ELSE coalesce(pg_catalog.pg_get_userbyid(f.owner_oid)::text, '') END AS owner, f.since
  FROM found f
 WHERE f.finding <> 'missing' AND f.finding <> 'known' OR EXISTS (SELECT FROM relations)
 -- A list is cut after some objects: the schema and the tables say most.
 ORDER BY f.finding, f.object LIKE 'schema %' DESC, f.object LIKE 'table %' DESC, f.object
