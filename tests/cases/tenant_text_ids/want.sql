CREATE TABLE want.records (LIKE public.records);
INSERT INTO want.records VALUES ('sample', '11111111-0000-4000-8000-000000000001', 'Person', '{"theirs": 1}', NULL, '2025-07-01Z'),
    ('west:sample', '22222222-0000-4000-8000-000000000002', 'Person', '{"n": 1}', NULL, '2025-08-01 10:00Z'),
    ('west:xyz', '22222222-0000-4000-8000-000000000002', 'Reading', '{"n": 2}', 'west:sample', '2025-08-01 10:00:01Z');
CREATE TABLE want.marks (LIKE public.marks);
INSERT INTO want.marks VALUES ('west:sample', '22222222-0000-4000-8000-000000000002', 'p'), ('west:xyz', '22222222-0000-4000-8000-000000000002', 'q');
