CREATE TABLE rooms (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE messages (position INTEGER PRIMARY KEY, room INTEGER NOT NULL REFERENCES rooms, body TEXT NOT NULL);
CREATE TABLE files (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL);
INSERT INTO rooms VALUES (1, 'hall'), (840, 'attic');
-- Messages that arrived late were given positions before the first.
INSERT INTO messages VALUES (-5, 1, 'late'), (12, 1, 'first'), (27, 840, 'last');
INSERT INTO files VALUES (3, 'a.png'), (9, 'b.png');
DELETE FROM files WHERE id = 9;
