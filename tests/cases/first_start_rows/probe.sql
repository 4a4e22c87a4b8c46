WITH album AS (INSERT INTO "Albums" ("Folder", "Watched") VALUES ('/music/z', true) RETURNING "Id"),
     job AS (INSERT INTO "Jobs" ("Type", "EveryMinutes", "LastRun") VALUES ('Shelf.New', 1, now()) RETURNING "Id")
SELECT (SELECT "Id" FROM album), (SELECT "Id" FROM job);
