-- Sets everything that a session of this program needs, in one statement and on any server since version 12. Settings that the
-- server does not have are left out. Role, database and server may each have changed the defaults.
--   :read_only  on for dry runs and verification, off otherwise
-- In psql: \set read_only off
SELECT pg_catalog.set_config(wanted.name, wanted.value, false)
FROM (VALUES
    ('client_encoding', 'UTF8'),
    ('DateStyle', 'ISO, MDY'),
    ('IntervalStyle', 'postgres'),
    ('TimeZone', 'UTC'),
    ('extra_float_digits', '3'),
    ('bytea_output', 'hex'),
    ('standard_conforming_strings', 'on'),
    ('search_path', 'pg_catalog, pg_temp'),
    -- This decides how the server prints the expressions of defaults, indexes and constraints.
    ('quote_all_identifiers', 'off'),
    -- This one bounds the rows that a GIN index returns.
    ('gin_fuzzy_search_limit', '0'),
    -- These decide how text becomes money, arrays and XML.
    ('lc_monetary', 'C'),
    ('array_nulls', 'on'),
    ('xmloption', 'content'),
    ('default_transaction_isolation', 'read committed'),
    ('default_transaction_deferrable', 'off'),
    ('default_transaction_read_only', :'read_only'),
    -- A long batch, an idle session that holds the lock, and a wait for another session's row are all part of the work.
    ('statement_timeout', '0'),
    ('idle_in_transaction_session_timeout', '0'),
    ('idle_session_timeout', '0'),
    ('transaction_timeout', '0'),
    -- A client that ends without closing its connection holds locks until the server notices: by default after two hours.
    ('tcp_keepalives_idle', '30'),
    ('tcp_keepalives_interval', '10'),
    ('tcp_keepalives_count', '3'),
    ('tcp_user_timeout', '60000'),
    -- Waiting for a table lock is not: it would block every session that asks for the table afterwards.
    ('lock_timeout', '10s'),
    -- A commit that is reported must be on disk. Stronger values stay.
    ('synchronous_commit', 'on'),
    -- Another value disables foreign keys permanently and without a trace.
    ('session_replication_role', 'origin')
) AS wanted (name, value)
JOIN pg_catalog.pg_settings AS present ON present.name = wanted.name
WHERE CASE wanted.name
    -- A value from the connection's own options is the operator's choice.
    WHEN 'lock_timeout' THEN present.source <> 'client'
    WHEN 'synchronous_commit' THEN present.setting = 'off'
    WHEN 'session_replication_role' THEN present.setting <> 'origin'
    ELSE true
END
