CREATE TABLE "Nodes" ("Id" uuid NOT NULL PRIMARY KEY, "ParentId" uuid REFERENCES "Nodes" ON DELETE CASCADE, "Name" text NOT NULL);
CREATE UNIQUE INDEX "IX_Nodes" ON "Nodes" ("ParentId", "Name");
CREATE TABLE "Doomed" ("Id" uuid NOT NULL PRIMARY KEY);
CREATE TABLE "Parts" ("NodeId" uuid NOT NULL PRIMARY KEY REFERENCES "Nodes", "Pieces" jsonb NOT NULL);
