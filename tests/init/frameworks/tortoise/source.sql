-- Made by tortoise-orm 1.1.9 on SQLite.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE IF NOT EXISTS "tag" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "name" VARCHAR(40) NOT NULL UNIQUE
);
INSERT INTO tag VALUES(1,'garden');
INSERT INTO tag VALUES(2,'house');
INSERT INTO tag VALUES(3,'music');
CREATE TABLE IF NOT EXISTS "users" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "username" VARCHAR(40) NOT NULL UNIQUE,
    "email" VARCHAR(200) NOT NULL,
    "is_active" INT NOT NULL,
    "created_at" TIMESTAMP NOT NULL
);
INSERT INTO users VALUES(1,'ann','ann@example.com',1,'2024-01-02 08:00:00+00:00');
INSERT INTO users VALUES(2,'ben','ben@example.com',0,'2024-02-03 09:00:00.000005+00:00');
CREATE TABLE IF NOT EXISTS "project" (
    "id" CHAR(36) NOT NULL PRIMARY KEY,
    "name" VARCHAR(80) NOT NULL,
    "budget" VARCHAR(40),
    "state" VARCHAR(4) NOT NULL /* open: open\ndone: done */,
    "is_public" INT NOT NULL,
    "options" JSON,
    "due" DATE,
    "owner_id" INT NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE
);
INSERT INTO project VALUES('12345678-90ab-4cde-8f00-112233445566','Shed','1250.50','open',0,'{"colour":"green","sizes":[1,2.5]}','2024-06-30',1);
INSERT INTO project VALUES('fedcba98-7654-4321-8f00-112233445566','Choir','300.00','done',1,NULL,NULL,2);
CREATE TABLE IF NOT EXISTS "entry" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "note" TEXT,
    "at" TIMESTAMP NOT NULL,
    "spent" BIGINT,
    "photo" BLOB,
    "weight" REAL,
    "serial" BIGINT NOT NULL,
    "project_id" CHAR(36) NOT NULL REFERENCES "project" ("id") ON DELETE CASCADE
);
INSERT INTO entry VALUES(1,'dug','2024-03-01 07:15:00.123456+00:00',5400000000,X'8900ff',2.5,9007199254740993,'12345678-90ab-4cde-8f00-112233445566');
INSERT INTO entry VALUES(2,NULL,'2024-03-02 00:00:00+00:00',86400000005,NULL,NULL,1,'12345678-90ab-4cde-8f00-112233445566');
INSERT INTO entry VALUES(3,'sang','2024-03-03 01:02:03+00:00',45000000,NULL,0.33333333333333331482,2,'fedcba98-7654-4321-8f00-112233445566');
CREATE TABLE IF NOT EXISTS "project_tag" (
    "project_id" CHAR(36) NOT NULL REFERENCES "project" ("id") ON DELETE CASCADE,
    "tag_id" INT NOT NULL REFERENCES "tag" ("id") ON DELETE CASCADE
);
INSERT INTO project_tag VALUES('12345678-90ab-4cde-8f00-112233445566',1);
INSERT INTO project_tag VALUES('12345678-90ab-4cde-8f00-112233445566',2);
INSERT INTO project_tag VALUES('fedcba98-7654-4321-8f00-112233445566',3);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('users',2);
INSERT INTO sqlite_sequence VALUES('tag',3);
INSERT INTO sqlite_sequence VALUES('entry',3);
CREATE UNIQUE INDEX "uidx_project_tag_project_88a99b" ON "project_tag" ("project_id", "tag_id");
COMMIT;
