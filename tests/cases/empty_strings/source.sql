CREATE TABLE _params (id TEXT PRIMARY KEY NOT NULL, value JSON DEFAULT NULL);
CREATE TABLE members (id TEXT PRIMARY KEY NOT NULL, mail TEXT DEFAULT '' NOT NULL, verified BOOLEAN DEFAULT FALSE NOT NULL, created TEXT DEFAULT '' NOT NULL);
CREATE TABLE chores (id TEXT PRIMARY KEY NOT NULL, title TEXT DEFAULT '' NOT NULL, due TEXT DEFAULT '' NOT NULL, member TEXT DEFAULT '' NOT NULL, watchers JSON DEFAULT '[]' NOT NULL,
                     meta JSON DEFAULT NULL, weight NUMERIC DEFAULT 0 NOT NULL, spot JSON DEFAULT '{"lon":0,"lat":0}' NOT NULL);
CREATE UNIQUE INDEX members_mail ON members (mail) WHERE mail != '';
INSERT INTO _params VALUES ('settings', '{}');
INSERT INTO members VALUES ('m00000000000001', 'm@example.org', TRUE, '2023-03-01 10:00:00.250Z'), ('m00000000000002', '', FALSE, '2023-03-02 10:00:00.000Z'), ('m00000000000003', '', 0, '2023-03-03 10:00:00.000Z');
INSERT INTO chores VALUES ('c1', 'sweep', '2023-04-01 00:00:00.000Z', 'm00000000000001', '["m00000000000001","m00000000000002"]', '{"k":[1,2]}', 1.5, '{"lon":2.5,"lat":-4}'),
    ('c2', '', '', '', '[]', '', 0, '{"lon":0,"lat":0}'), ('c3', 'mop', '', 'm00000000000002', '[]', 'null', 3, '{"lon":0,"lat":0}');
