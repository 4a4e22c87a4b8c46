-- The samples from :first to :last, :step seconds apart, at which the offset of the session's time zone changes.
SELECT 'change' AS kind, c.at, c.east
  FROM (SELECT o.at, o.east, lag(o.east) OVER (ORDER BY o.at) AS before
          FROM (SELECT s.at, extract(timezone FROM to_timestamp(s.at))::int4 AS east
                  FROM generate_series(:first::int8, :last::int8, :step::int8) AS s(at)) AS o) AS c
 WHERE c.before IS DISTINCT FROM c.east
 ORDER BY c.at
