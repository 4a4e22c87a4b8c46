CREATE TABLE logins (id text PRIMARY KEY, made datetime, begun datetime, ended datetime);
CREATE TABLE pulses (id integer PRIMARY KEY AUTOINCREMENT, member text NOT NULL, time timestamp, saved numeric);
INSERT INTO logins VALUES ('short', '2025-02-03 14:05:06.125+00', '2025-02-03 16:05:06+02', NULL);
INSERT INTO logins VALUES ('zoned', '2025-02-03T14:05:06Z', '2025-02-03 14:05:06 +0000 UTC', '2025-02-04 00:00:00.5-03:30');
INSERT INTO logins VALUES ('nanos', '2022-07-08 12:00:00.987654321+02:00', '2022-07-08 09:00:00.5 +0000 UTC m=+3.25', NULL);
INSERT INTO logins VALUES ('clock', '2022-07-08 12:00:00.9876543 +0200 CEST m=+0.000000009', '2022-07-08 09:00:00', NULL);
INSERT INTO logins VALUES ('zero', '0001-01-01 00:00:00+00:00', NULL, NULL);
INSERT INTO pulses (member, time, saved) VALUES ('m', 1650000123456, 1), ('m', '2022-04-15 05:22:03.456+00:00', 0), ('n', '2022-04-15 07:22:03+02:00', NULL);
