CREATE TABLE firms (id bigserial PRIMARY KEY, name varchar(255) NOT NULL UNIQUE);
CREATE TABLE makers (id bigserial PRIMARY KEY, name varchar(255) NOT NULL);
CREATE TABLE staff (id bigserial PRIMARY KEY, login varchar(255) NOT NULL, firm_id bigint REFERENCES firms, chief bigint);
CREATE TABLE devices (id bigserial PRIMARY KEY, tag varchar(255), maker_id bigint REFERENCES makers, held_by bigint, held_type varchar(255),
                      price numeric(20,2));
CREATE TABLE events (id bigserial PRIMARY KEY, staff_id bigint REFERENCES staff, verb varchar(255) NOT NULL, item_type varchar(255) NOT NULL,
                     item_id varchar(8) NOT NULL, detail jsonb);
INSERT INTO firms (name) VALUES ('East');
INSERT INTO makers (name) VALUES ('Elm'), ('Brook'), ('Hill');
INSERT INTO staff (login, firm_id) VALUES ('mia', 1);
INSERT INTO devices (tag, maker_id) VALUES ('E-1', 1), ('E-2', 2);
INSERT INTO events (staff_id, verb, item_type, item_id) VALUES (1, 'add', 'Shop\Device', '1');
