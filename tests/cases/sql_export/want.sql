CREATE TABLE want.polls (LIKE public.polls);
INSERT INTO want.polls VALUES ('p1', E'first\nsecond ''quoted''', '\x00ff7c0a'), ('p2', 'x', NULL);
CREATE TABLE want.votes (LIKE public.votes);
INSERT INTO want.votes VALUES ('v1', 'p1', true, '2022-04-15 05:20Z'), ('v2', 'p1', false, '2022-04-15 05:20Z'), ('v3', 'p2', true, NULL), ('v4', 'p2', false, '2022-04-15 05:20Z');
