-- For schema $1: the number of relations that have the name of a ledger's table, and the columns of a ledger that are
-- missing or have another type.
WITH expected (relation, name, type) AS (VALUES
    ('ledger', 'version', 'int4'),
    ('run', 'run', 'int8'), ('run', 'mapping', 'text'), ('run', 'owner', 'text'), ('run', 'tool', 'text'),
    ('run', 'state', 'text'), ('run', 'epoch', 'int4'), ('run', 'seed', 'int8'), ('run', 'stamp', 'text'),
    ('run', 'catalog', 'text'), ('run', 'read_ahead', 'bool'), ('run', 'judged', 'jsonb'),
    ('run', 'started_at', 'timestamptz'), ('run', 'ended_at', 'timestamptz'),
    ('backend', 'run', 'int8'), ('backend', 'epoch', 'int4'), ('backend', 'pid', 'int4'),
    ('backend', 'started', 'timestamptz'),
    ('load', 'run', 'int8'), ('load', 'load', 'text'), ('load', 'plan', 'text'),
    ('part', 'run', 'int8'), ('part', 'load', 'text'), ('part', 'part', 'int4'), ('part', 'after_key', 'text'),
    ('part', 'until_key', 'text'), ('part', 'done', 'bool'),
    ('batch', 'run', 'int8'), ('batch', 'load', 'text'), ('batch', 'part', 'int4'), ('batch', 'batch', 'int4'),
    ('batch', 'first_key', 'text'), ('batch', 'last_key', 'text'), ('batch', 'read', 'int8'),
    ('batch', 'written', 'int8'), ('batch', 'skipped', 'int8'), ('batch', 'faults', 'int8'),
    ('batch', 'digest', 'bytea'), ('batch', 'issued', '_int8'), ('batch', 'losses', 'jsonb'),
    ('batch', 'lookups', 'jsonb'), ('batch', 'at', 'timestamptz'),
    ('fault', 'run', 'int8'), ('fault', 'load', 'text'), ('fault', 'part', 'int4'), ('fault', 'batch', 'int4'),
    ('fault', 'fault', 'jsonb'),
    ('deviation', 'run', 'int8'), ('deviation', 'load', 'text'), ('deviation', 'part', 'int4'),
    ('deviation', 'batch', 'int4'), ('deviation', 'at', 'text'), ('deviation', 'orphan', 'text'),
    ('made', 'run', 'int8'), ('made', 'kind', 'text'), ('made', 'object', 'text'), ('made', 'was', 'text'),
    ('made', 'became', 'text'),
    ('detached', 'run', 'int8'), ('detached', 'no', 'int4'), ('detached', 'table_name', 'text'),
    ('detached', 'object', 'text'), ('detached', 'kind', 'text'), ('detached', 'back_sql', '_text'),
    ('detached', 'steps', 'int4'), ('detached', 'shape', 'jsonb'), ('detached', 'back', 'bool'),
    ('kept', 'run', 'int8'), ('kept', 'table_name', 'text'), ('kept', 'was', 'json'), ('kept', 'became', 'json')
),
relations AS (
    SELECT c.oid, c.relname, c.relkind
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname IN (SELECT relation FROM expected)
),
columns AS (
    SELECT r.relname, a.attname, t.typname
      FROM relations r
      JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
      JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
     WHERE r.relkind = 'r'
)
SELECT (SELECT count(*) FROM relations) AS relations,
       ARRAY(SELECT relation || '.' || name FROM expected e
              WHERE NOT EXISTS (SELECT FROM columns c
                                 WHERE c.relname = e.relation AND c.attname = e.name AND c.typname = e.type)) AS missing
