CREATE TABLE "__EFMigrationsHistory" ("MigrationId" varchar(150) NOT NULL PRIMARY KEY, "ProductVersion" varchar(32) NOT NULL);
CREATE TABLE "Tours" ("Id" uuid NOT NULL PRIMARY KEY, "Name" text NOT NULL, "Length" interval NOT NULL, "Fee" numeric NOT NULL, "StartsAt" timestamptz NOT NULL, "CreatedUtc" timestamptz NOT NULL, "IsOpen" boolean NOT NULL);
CREATE TABLE "Seats" ("Id" uuid NOT NULL PRIMARY KEY, "TourId" uuid NOT NULL REFERENCES "Tours" ON DELETE CASCADE, "Day" date NOT NULL, "At" time NOT NULL);
INSERT INTO "__EFMigrationsHistory" VALUES ('20240202000000_InitServer', '8.0.0');
