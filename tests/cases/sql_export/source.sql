PRAGMA defer_foreign_keys=TRUE;
CREATE TABLE d1_migrations(
		id         INTEGER PRIMARY KEY AUTOINCREMENT,
		name       TEXT UNIQUE
);
INSERT INTO "d1_migrations" VALUES(1,'0000_first.sql');
CREATE TABLE IF NOT EXISTS "votes" (
  "id" text PRIMARY KEY NOT NULL,
  "poll_id" text NOT NULL REFERENCES polls(id) ON DELETE cascade,
  "valid" integer NOT NULL,
  "cast_at" integer
);
INSERT INTO "votes" VALUES('v1','p1','true',1650000000000);
INSERT INTO "votes" VALUES('v2','p1','false','2022-04-15T05:20:00.000Z');
INSERT INTO "votes" VALUES('v3','p2',1,NULL);
INSERT INTO "votes" VALUES('v4','p2',0.0,1650000000000.0);
CREATE TABLE IF NOT EXISTS "polls" ("id" text PRIMARY KEY NOT NULL, "body" text NOT NULL, "icon" blob);
INSERT INTO "polls" VALUES('p1',replace('first\nsecond ''quoted''','\n',char(10)),X'00ff7c0a');
INSERT INTO "polls" VALUES('p2','x',NULL);
DELETE FROM sqlite_sequence;
INSERT INTO "sqlite_sequence" VALUES('d1_migrations',1);
CREATE INDEX votes_of_poll ON votes(poll_id);
