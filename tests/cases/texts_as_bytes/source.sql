CREATE TABLE oc_contacts (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, body BLOB DEFAULT NULL, uri VARCHAR(255) DEFAULT NULL);
CREATE TABLE oc_files (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, path VARCHAR(4000) DEFAULT NULL, name VARCHAR(250) DEFAULT NULL, size BIGINT DEFAULT 0 NOT NULL);
CREATE TABLE oc_config (app VARCHAR(32) NOT NULL, key VARCHAR(64) NOT NULL, value CLOB, PRIMARY KEY (app, key));
INSERT INTO oc_contacts VALUES (1, 'FN:Søren \ a\b' || char(13, 10), 'a.vcf'), (2, X'464eff', 'b.vcf');
-- The bytes of the first name are Latin-1.
INSERT INTO oc_files VALUES (71, CAST(X'666f746f2fe92e6a7067' AS TEXT), CAST(X'e92e6a7067' AS TEXT), 12), (72, 'ok/ö.jpg', 'ö.jpg', 9007199254740993);
INSERT INTO oc_config VALUES ('core', 'installed', '1'), ('core', 'vendor', NULL);
