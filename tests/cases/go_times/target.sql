CREATE TABLE logins (id text PRIMARY KEY, made timestamptz NOT NULL, begun timestamptz, ended timestamptz);
CREATE TABLE pulses (id bigserial PRIMARY KEY, member text NOT NULL, time timestamptz NOT NULL, saved boolean);
