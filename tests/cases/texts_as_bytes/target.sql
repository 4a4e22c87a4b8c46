CREATE TABLE oc_contacts (id bigserial PRIMARY KEY, body bytea DEFAULT NULL, uri varchar(255) DEFAULT NULL);
CREATE TABLE oc_files (id bigserial PRIMARY KEY, path varchar(4000) DEFAULT NULL, name varchar(250) DEFAULT NULL, size bigint DEFAULT 0 NOT NULL);
CREATE TABLE oc_config (app varchar(32) NOT NULL, key varchar(64) NOT NULL, value text, PRIMARY KEY (app, key));
INSERT INTO oc_config VALUES ('core', 'installed', '2');
