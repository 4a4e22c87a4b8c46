-- Made by Active Record 6.1.7 on SQLite.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE IF NOT EXISTS "schema_migrations" ("version" varchar NOT NULL PRIMARY KEY);
INSERT INTO schema_migrations VALUES('20240101000000');
CREATE TABLE IF NOT EXISTS "ar_internal_metadata" ("key" varchar NOT NULL PRIMARY KEY, "value" varchar, "created_at" datetime(6) NOT NULL, "updated_at" datetime(6) NOT NULL);
INSERT INTO ar_internal_metadata VALUES('environment','production','2024-04-05 03:52:14.872976','2024-04-05 03:52:14.872976');
CREATE TABLE IF NOT EXISTS "users" ("id" integer PRIMARY KEY AUTOINCREMENT NOT NULL, "username" varchar NOT NULL, "email" varchar NOT NULL, "is_active" boolean DEFAULT 1 NOT NULL, "created_at" datetime(6) NOT NULL, "updated_at" datetime(6) NOT NULL);
INSERT INTO users VALUES(1,'ann','ann@example.com',1,'2024-01-02 08:00:00','2024-01-02 08:00:00.000005');
INSERT INTO users VALUES(2,'ben','ben@example.com',0,'2024-01-02 08:00:00','2024-01-02 08:00:00');
CREATE TABLE IF NOT EXISTS "tags" ("id" integer PRIMARY KEY AUTOINCREMENT NOT NULL, "name" varchar NOT NULL);
INSERT INTO tags VALUES(1,'garden');
INSERT INTO tags VALUES(2,'house');
INSERT INTO tags VALUES(3,'music');
CREATE TABLE IF NOT EXISTS "projects" ("id" integer PRIMARY KEY AUTOINCREMENT NOT NULL, "owner_id" integer NOT NULL, "name" varchar(80), "budget" decimal(10,2), "state" varchar DEFAULT 'open' NOT NULL, "is_public" boolean DEFAULT 0 NOT NULL, "options" json, "due" date, "created_at" datetime(6) NOT NULL, "updated_at" datetime(6) NOT NULL, CONSTRAINT "fk_rails_219ef9bf7d"
FOREIGN KEY ("owner_id")
  REFERENCES "users" ("id")
);
INSERT INTO projects VALUES(1,1,'Shed',1250.5,'open',0,'{"colour":"green","sizes":[1,2.5]}','2024-06-30','2024-01-02 08:00:00','2024-01-02 08:00:00');
INSERT INTO projects VALUES(2,2,'Choir',300,'done',1,NULL,NULL,'2024-01-02 08:00:00','2024-01-02 08:00:00');
CREATE TABLE IF NOT EXISTS "entries" ("id" integer PRIMARY KEY AUTOINCREMENT NOT NULL, "project_id" integer NOT NULL, "note" text, "starts" time, "at" datetime(6) NOT NULL, "photo" blob, "weight" float, "serial" bigint NOT NULL, CONSTRAINT "fk_rails_917625c1ee"
FOREIGN KEY ("project_id")
  REFERENCES "projects" ("id")
);
INSERT INTO entries VALUES(1,1,'dug','2000-01-01 09:05:00','2024-03-01 07:15:00.123456',X'8900ff',2.5,9007199254740993);
INSERT INTO entries VALUES(2,1,NULL,NULL,'2024-03-02 00:00:00',NULL,NULL,1);
INSERT INTO entries VALUES(3,2,'sang','2000-01-01 20:00:00.500000','2024-03-03 01:02:03',NULL,0.33333333333333331482,2);
CREATE TABLE IF NOT EXISTS "projects_tags" ("project_id" integer NOT NULL, "tag_id" integer NOT NULL);
INSERT INTO projects_tags VALUES(1,1);
INSERT INTO projects_tags VALUES(1,2);
INSERT INTO projects_tags VALUES(2,3);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('users',2);
INSERT INTO sqlite_sequence VALUES('tags',3);
INSERT INTO sqlite_sequence VALUES('projects',2);
INSERT INTO sqlite_sequence VALUES('entries',3);
CREATE UNIQUE INDEX "index_users_on_username" ON "users" ("username");
CREATE UNIQUE INDEX "index_tags_on_name" ON "tags" ("name");
CREATE INDEX "index_projects_on_owner_id" ON "projects" ("owner_id");
CREATE INDEX "index_entries_on_project_id" ON "entries" ("project_id");
CREATE UNIQUE INDEX "index_projects_tags_on_project_id_and_tag_id" ON "projects_tags" ("project_id", "tag_id");
COMMIT;
