CREATE TABLE lines (id bigint PRIMARY KEY, short bigint);
CREATE TABLE hops (line bigint, part bigint, out_line bigint, amount bigint, seen bigint, PRIMARY KEY (line, part));
CREATE TABLE nodes (id bigint PRIMARY KEY, key bytea UNIQUE, address text);
