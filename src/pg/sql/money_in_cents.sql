-- True if sessions with default settings count money in hundredths. The unit is that of lc_monetary, which this session has
-- changed.
SELECT pg_catalog.encode(pg_catalog.cash_send(one::money), 'hex') = '0000000000000064'
  FROM (SELECT CASE WHEN pg_catalog.set_config(name, reset_val, true) IS NOT NULL THEN 1 END AS one
          FROM pg_catalog.pg_settings
         WHERE name = 'lc_monetary'
        OFFSET 0) AS theirs
