-- Notes the server's process of this session for the run of mapping $1 and owner $2, which this transaction began. Returns the
-- process; no row if the server does not show it.
WITH mine AS (
    SELECT pid, backend_start FROM pg_catalog.pg_stat_activity
     WHERE pid = pg_catalog.pg_backend_pid() AND backend_start IS NOT NULL
), noted AS (
    INSERT INTO :ledger.backend (run, epoch, pid, started)
    SELECT r.run, r.epoch, mine.pid, mine.backend_start FROM :ledger.run r, mine
     WHERE r.mapping = $1 AND r.owner = $2 AND r.state = 'Running'
    ON CONFLICT DO NOTHING
)
SELECT pid, backend_start::text FROM mine
