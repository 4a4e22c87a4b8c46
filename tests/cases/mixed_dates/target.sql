CREATE TABLE visits (id serial PRIMARY KEY, seen timestamp, day date, made timestamptz, took interval);
