CREATE TYPE leave_status AS ENUM ('open', 'granted', 'denied');
CREATE TYPE leave_kind AS ENUM ('Half day', 'Whole day');
CREATE TABLE leaves (id serial PRIMARY KEY, status leave_status NOT NULL, kind leave_kind, took interval, waited interval, payload bytea, token uuid, tags json, amount numeric(10,2), due date, at time);
