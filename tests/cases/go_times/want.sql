CREATE TABLE want.logins (LIKE public.logins);
INSERT INTO want.logins VALUES ('short', '2025-02-03 14:05:06.125Z', '2025-02-03 14:05:06Z', NULL), ('zoned', '2025-02-03 14:05:06Z', '2025-02-03 14:05:06Z', '2025-02-04 03:30:00.5Z'),
    ('nanos', '2022-07-08 10:00:00.987654Z', '2022-07-08 09:00:00.5Z', NULL), ('clock', '2022-07-08 10:00:00.987654Z', '2022-07-08 09:00:00Z', NULL), ('zero', '0001-01-01 00:00:00Z', NULL, NULL);
CREATE TABLE want.pulses (LIKE public.pulses);
INSERT INTO want.pulses VALUES (1, 'm', '2022-04-15 05:22:03.456Z', true), (2, 'm', '2022-04-15 05:22:03.456Z', false), (3, 'n', '2022-04-15 05:22:03Z', NULL);
