CREATE TABLE want.leaves (LIKE public.leaves);
INSERT INTO want.leaves VALUES
    (1, 'open', 'Half day', '02:45:00', '72:00:00', '\x800495', '00112233-4455-6677-8899-aabbccddeeff', '["x", "y"]', 7.50, '2023-05-06', '09:08:07'),
    (2, 'granted', 'Whole day', '-00:00:14.75', NULL, NULL, NULL, 'null', 2000000.00, '2024-02-29', '00:00'),
    (3, 'denied', NULL, '00:00:00.000002', '1422:00:00', '', 'ffeeddcc-bbaa-9988-7766-554433221100', NULL, 0.30, NULL, NULL);
