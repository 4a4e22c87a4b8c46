-- The enabled user triggers and rules that run for an event on rows of table $2 of schema $1 or of its partitions: the statements
-- that disable and enable each again in its mode, the table's owner, and true if this role may run the statements.
--   $3  the event: 4 for INSERT, 8 for DELETE, 16 for UPDATE
WITH RECURSIVE tables AS (
    SELECT c.oid FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2
    UNION
    SELECT i.inhrelid FROM tables t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid
),
named AS (
    SELECT c.oid, pg_catalog.pg_has_role(c.relowner, 'USAGE') AS is_ours,
           pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(c.relowner)) AS owner,
           pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name
      FROM tables t
      JOIN pg_catalog.pg_class c ON c.oid = t.oid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
)
-- ONLY: since version 15, each partition has its own triggers, each with its own mode.
SELECT t.name AS table_name, g.tgname::text AS object, t.is_ours, t.owner,
       pg_catalog.format('ALTER TABLE ONLY %s DISABLE TRIGGER %I', t.name, g.tgname) AS disable_sql,
       pg_catalog.format('ALTER TABLE ONLY %s ENABLE %s TRIGGER %I', t.name,
                         CASE g.tgenabled WHEN 'A' THEN 'ALWAYS' ELSE '' END, g.tgname) AS enable_sql
  FROM named t
  JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid
 WHERE NOT g.tgisinternal AND g.tgenabled IN ('O', 'A') AND g.tgtype & $3::int4 <> 0
UNION ALL
SELECT t.name, r.rulename::text, t.is_ours, t.owner,
       pg_catalog.format('ALTER TABLE %s DISABLE RULE %I', t.name, r.rulename),
       pg_catalog.format('ALTER TABLE %s ENABLE %s RULE %I', t.name,
                         CASE r.ev_enabled WHEN 'A' THEN 'ALWAYS' ELSE '' END, r.rulename)
  FROM named t
  JOIN pg_catalog.pg_rewrite r ON r.ev_class = t.oid
 WHERE r.ev_type = CASE $3::int4 WHEN 4 THEN '3' WHEN 8 THEN '4' ELSE '2' END::"char" AND r.ev_enabled IN ('O', 'A')
 ORDER BY 1, 2
