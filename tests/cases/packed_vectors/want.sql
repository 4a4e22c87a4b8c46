CREATE TABLE want.pages (LIKE public.pages);
INSERT INTO want.pages VALUES (1, 'one', '{0.2,-1.25,7}', 3), (2, 'two', NULL, NULL), (3, 'three', '{1,0,-0}', 3);
CREATE TABLE want.marks (LIKE public.marks);
INSERT INTO want.marks VALUES (1, '{0.2,0.4,-5}', '{0.2,0.4,-0.25}');
