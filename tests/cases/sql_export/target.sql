CREATE TABLE polls (id text PRIMARY KEY, body text NOT NULL, icon bytea);
CREATE TABLE votes (id text PRIMARY KEY, poll_id text NOT NULL REFERENCES polls ON DELETE CASCADE, valid boolean NOT NULL, cast_at timestamptz);
