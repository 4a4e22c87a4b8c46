CREATE TABLE members (id text PRIMARY KEY, mail text UNIQUE, verified boolean NOT NULL DEFAULT false, created timestamptz NOT NULL);
CREATE TABLE chores (id text PRIMARY KEY, title text NOT NULL DEFAULT '', due timestamptz, member text REFERENCES members, watchers text[] NOT NULL DEFAULT '{}', meta jsonb, weight numeric NOT NULL DEFAULT 0,
                     spot point);
