CREATE TABLE want.rooms (LIKE public.rooms);
INSERT INTO want.rooms VALUES (1, 'hall'), (840, 'attic');
CREATE TABLE want.messages (LIKE public.messages);
INSERT INTO want.messages VALUES (-5, 1, 'late'), (12, 1, 'first'), (27, 840, 'last');
CREATE TABLE want.files (LIKE public.files);
INSERT INTO want.files VALUES (3, 'a.png');
