CREATE TABLE schema_migrations (version varchar NOT NULL PRIMARY KEY);
CREATE TABLE ar_internal_metadata (key varchar NOT NULL PRIMARY KEY, value varchar, created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL);
CREATE TABLE users (id bigserial PRIMARY KEY, name varchar, admin boolean DEFAULT false NOT NULL, settings jsonb DEFAULT '{}', created_at timestamp(6) NOT NULL);
CREATE TABLE meetups (id bigserial PRIMARY KEY, name varchar NOT NULL, public boolean DEFAULT true NOT NULL, host_id bigint NOT NULL REFERENCES users, latitude double precision, starts_at timestamp(6) NOT NULL);
CREATE TABLE labels (id bigserial PRIMARY KEY, name varchar, hidden integer, notify boolean, "default" boolean);
CREATE TABLE labellings (id bigserial PRIMARY KEY, label_id bigint NOT NULL REFERENCES labels, labelled_type varchar NOT NULL, labelled_id bigint NOT NULL);
INSERT INTO schema_migrations VALUES ('20230101000000'), ('20240101000000');
INSERT INTO ar_internal_metadata VALUES ('environment', 'production', '2024-01-02', '2024-01-02');
