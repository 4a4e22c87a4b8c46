CREATE TABLE pages (id serial PRIMARY KEY, title text NOT NULL, vector real[], dims integer);
CREATE TABLE marks (id serial PRIMARY KEY, listed real[], json double precision[]);
