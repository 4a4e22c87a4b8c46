CREATE TABLE records (id TEXT PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL, parent_id TEXT REFERENCES records (id), made TEXT NOT NULL);
CREATE TABLE marks (record_id TEXT NOT NULL REFERENCES records (id), tag TEXT NOT NULL, PRIMARY KEY (record_id, tag));
INSERT INTO records VALUES ('sample', 'Person', '{"n": 1}', NULL, '2025-08-01T10:00:00Z'), ('xyz', 'Reading', '{"n": 2}', 'sample', '2025-08-01T10:00:01Z');
INSERT INTO marks VALUES ('sample', 'p'), ('xyz', 'q');
