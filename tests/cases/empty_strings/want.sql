CREATE TABLE want.members (LIKE public.members);
INSERT INTO want.members VALUES ('m00000000000001', 'm@example.org', true, '2023-03-01 10:00:00.25Z'), ('m00000000000002', NULL, false, '2023-03-02 10:00Z'), ('m00000000000003', NULL, false, '2023-03-03 10:00Z');
CREATE TABLE want.chores (LIKE public.chores);
INSERT INTO want.chores VALUES ('c1', 'sweep', '2023-04-01Z', 'm00000000000001', '{m00000000000001,m00000000000002}', '{"k": [1, 2]}', 1.5, '(2.5,-4)'), ('c2', '', NULL, NULL, '{}', NULL, 0, '(0,0)'),
    ('c3', 'mop', NULL, 'm00000000000002', '{}', 'null', 3, '(0,0)');
