-- A target for the verifier's own score: every type that has a binary form, keys of every kind, rows of others before.
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE people (id serial PRIMARY KEY, name text NOT NULL UNIQUE, role text);
INSERT INTO people (name, role) VALUES ('other', 'guest');

CREATE TABLE things (
    id serial PRIMARY KEY,
    user_id int NOT NULL REFERENCES people,
    title text,
    note varchar(60),
    padded char(8),
    ratio double precision,
    small real,
    price numeric(12, 2),
    free numeric,
    big bigint,
    at timestamp,
    at_tz timestamptz(3),
    day date,
    clock time,
    wait interval,
    flag boolean,
    doc jsonb,
    raw json,
    tags text[],
    uid uuid,
    body bytea,
    mood mood,
    address inet
);
CREATE INDEX things_title ON things (title);
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.note := NEW.note; RETURN NEW; END';
CREATE TRIGGER things_touched BEFORE UPDATE ON things FOR EACH ROW EXECUTE FUNCTION touched();

-- No key: nothing distinguishes equal rows.
CREATE TABLE parts (thing_id int REFERENCES things, label text, n int);

-- Others' rows were here before; ids are drawn.
CREATE TABLE in_use (id serial PRIMARY KEY, user_id int NOT NULL REFERENCES people, word text, n int DEFAULT 7);
INSERT INTO in_use (user_id, word) SELECT 1, 'word ' || i FROM generate_series(1, 20) AS i;

-- Two loads of different columns.
CREATE TABLE mixed (code text PRIMARY KEY, a int, b text, c text);

-- A type without a binary form here: the load goes as text.
CREATE TABLE spans (id int PRIMARY KEY, span int4range, factor double precision, since timestamp, wait interval);

-- Rows whose key is there already are skipped; two were here before.
CREATE TABLE words (word text PRIMARY KEY, n int);
INSERT INTO words VALUES ('w0', 100), ('other', 100);

-- References to missing rows, next to a foreign row.
CREATE TABLE links (id int PRIMARY KEY, thing_id int REFERENCES things, note text);
INSERT INTO links VALUES (-1, NULL, 'other');

-- Whose it is, a lookup finds.
CREATE TABLE tagged (id serial PRIMARY KEY, person_id int REFERENCES people, tag text);
