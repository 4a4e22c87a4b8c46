-- Adds the files $2 with their values $3 to run $1, except those that it has. The caller has locked the run's row with an earlier
-- statement, so that this one sees the members that another worker has just added.
WITH fleet AS (
    SELECT run FROM :ledger.run WHERE run = $1 AND state = 'Running'
), last AS (
    SELECT coalesce(max(m.member), 0) AS member FROM :ledger.member m WHERE m.run = $1
), new AS (
    SELECT f.path, f.owner, row_number() OVER (ORDER BY f.place) AS place
      FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS f (path, owner, place)
     WHERE NOT EXISTS (SELECT FROM :ledger.member m WHERE m.run = $1 AND m.path = f.path)
)
INSERT INTO :ledger.member (run, member, path, owner)
SELECT fleet.run, last.member + new.place::int, new.path, new.owner::jsonb
  FROM fleet, last, new
