CREATE TABLE "SchemaVersions" ("Version" INTEGER NOT NULL, "AppliedOn" DATETIME, "Note" TEXT);
CREATE UNIQUE INDEX "UC_SchemaVersions" ON "SchemaVersions" ("Version");
CREATE TABLE "Profiles" ("Id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, "Grade" INTEGER NOT NULL UNIQUE, "Label" TEXT NOT NULL UNIQUE, "Low" NUMERIC, "High" NUMERIC);
CREATE TABLE "Jobs" ("Id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, "Type" TEXT NOT NULL UNIQUE, "EveryMinutes" NUMERIC NOT NULL, "LastRun" DATETIME NOT NULL);
CREATE TABLE "Delays" ("Id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, "Wifi" INTEGER NOT NULL, "Rank" INTEGER NOT NULL, "Tags" TEXT NOT NULL);
CREATE TABLE "Albums" ("Id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, "Folder" TEXT NOT NULL UNIQUE, "Watched" INTEGER NOT NULL, "Added" DATETIME);
INSERT INTO "SchemaVersions" VALUES (1, '2021-03-04T08:00:00', 'start'), (40, '2023-09-01T07:15:00', 'grades');
-- The user has changed the second and the third of these rows.
INSERT INTO "Profiles" VALUES (1, 0, 'Any', 0, 90), (2, 3, 'Lossless', 2.5, 40.25), (3, 5, 'Studio', NULL, NULL);
INSERT INTO "Jobs" VALUES (3, 'Shelf.Scan', 120, '2024-02-01 06:00:00Z'), (8, 'Shelf.Prune', 1440, '2024-01-31 23:30:00Z');
INSERT INTO "Delays" VALUES (1, 1, 2147483647, '[]'), (2, 0, 1, '[7]');
INSERT INTO "Albums" VALUES (1, '/music/a', 1, '2022-05-05 00:00:00Z'), (14, '/music/n', 0, NULL);
