CREATE TABLE homes (id uuid PRIMARY KEY, name varchar NOT NULL UNIQUE);
CREATE TABLE dishes (id uuid PRIMARY KEY, home_id uuid NOT NULL REFERENCES homes, slug varchar, stars double precision);
CREATE TABLE energy (id serial PRIMARY KEY, dish_id uuid REFERENCES dishes, calories varchar);
CREATE TABLE labels (id uuid PRIMARY KEY, name varchar NOT NULL);
CREATE TABLE menus (id uuid PRIMARY KEY, name varchar NOT NULL);
CREATE TABLE menus_to_labels (menu_id uuid NOT NULL REFERENCES menus, label_id uuid NOT NULL REFERENCES labels);
CREATE TABLE remarks (id serial PRIMARY KEY, energy_id integer NOT NULL REFERENCES energy, body text);
