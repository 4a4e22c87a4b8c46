-- The loads of the runs `:runs`: parts, batches and sums.
SELECT l.run, l.load,
       (SELECT count(*) FROM :ledger.part p WHERE p.run = l.run AND p.load = l.load) AS parts,
       (SELECT count(*) FROM :ledger.part p WHERE p.run = l.run AND p.load = l.load AND p.done) AS parts_done,
       count(b.batch) AS batches,
       coalesce(sum(b.read), 0)::int8, coalesce(sum(b.written), 0)::int8,
       coalesce(sum(b.skipped), 0)::int8, coalesce(sum(b.faults), 0)::int8
  FROM :ledger.load l
  LEFT JOIN :ledger.batch b ON b.run = l.run AND b.load = l.load
 WHERE l.run IN :runs
 GROUP BY l.run, l.load
 ORDER BY l.run, l.load
