-- The offset of the session's time zone at each of the times in the array :times.
SELECT 'time' AS kind, s.at, extract(timezone FROM to_timestamp(s.at))::int4 AS east
  FROM unnest(:times::int8[]) AS s(at)
