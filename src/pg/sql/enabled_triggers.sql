-- The user triggers of the tables of schema $1 that are enabled in some mode. `bends`: the trigger runs for each row (1) before (2)
-- the row is inserted (4), so it may change the row. `inserts`: the trigger runs when a row is inserted.
SELECT t.tgrelid::int8 AS table_oid, t.tgname::text AS name, t.tgenabled::text AS enabled, t.tgtype & 7 = 7 AS bends,
       t.tgtype & 4 = 4 AND t.tgenabled <> 'R' AS inserts
  FROM pg_catalog.pg_trigger t
  JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $1
 WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND NOT c.relispartition
 ORDER BY 1, 2
