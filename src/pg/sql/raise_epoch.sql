-- Raises the epoch of the run $1, and notes the server's process of this session for the new epoch. Returns the epoch and the
-- process, which is NULL if the server does not show it.
WITH raised AS (
    UPDATE :ledger.run SET epoch = epoch + 1 WHERE run = $1 RETURNING run, epoch
), mine AS (
    SELECT pid, backend_start FROM pg_catalog.pg_stat_activity
     WHERE pid = pg_catalog.pg_backend_pid() AND backend_start IS NOT NULL
), noted AS (
    INSERT INTO :ledger.backend (run, epoch, pid, started)
    SELECT raised.run, raised.epoch, mine.pid, mine.backend_start FROM raised, mine ON CONFLICT DO NOTHING
)
SELECT raised.epoch, mine.pid, mine.backend_start::text FROM raised LEFT JOIN mine ON true
