CREATE TABLE firms (id integer PRIMARY KEY AUTOINCREMENT, name varchar NOT NULL UNIQUE);
CREATE TABLE makers (id integer PRIMARY KEY AUTOINCREMENT, name varchar NOT NULL);
CREATE TABLE staff (id integer PRIMARY KEY AUTOINCREMENT, login varchar NOT NULL, firm_id integer, chief integer);
CREATE TABLE devices (id integer PRIMARY KEY AUTOINCREMENT, tag varchar, maker_id integer, held_by integer, held_type varchar, price numeric);
CREATE TABLE events (id integer PRIMARY KEY AUTOINCREMENT, staff_id integer, verb varchar NOT NULL, item_type varchar NOT NULL, item_id varchar NOT NULL,
                     detail text);
INSERT INTO firms VALUES (1, 'West');
INSERT INTO makers VALUES (1, 'Norden'), (2, 'Elm');
INSERT INTO staff VALUES (1, 'ida', 1, NULL), (2, 'jon', 1, 1);
INSERT INTO devices VALUES (1, 'W-1', 1, 2, 'Shop\Staff', 999.9), (2, 'W-2', 2, 1, 'Shop\Device', NULL), (3, 'W-3', 2, NULL, NULL, 5);
INSERT INTO events VALUES (1, 1, 'add', 'Shop\Device', '2', '{"note": "new"}'), (2, 1, 'lend', 'Shop\Device', '1', NULL),
                          (3, 1, 'edit', 'Shop\Staff', '1', NULL), (4, 2, 'view', 'page', 'start', NULL);
