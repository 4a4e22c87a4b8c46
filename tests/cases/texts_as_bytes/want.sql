CREATE TABLE want.oc_contacts (LIKE public.oc_contacts);
INSERT INTO want.oc_contacts VALUES (1, convert_to(E'FN:Søren \\ a\\b\r\n', 'UTF8'), 'a.vcf'), (2, '\x464eff', 'b.vcf');
CREATE TABLE want.oc_files (LIKE public.oc_files);
INSERT INTO want.oc_files VALUES (71, 'foto/é.jpg', 'é.jpg', 12), (72, 'ok/ö.jpg', 'ö.jpg', 9007199254740993);
CREATE TABLE want.oc_config (LIKE public.oc_config);
INSERT INTO want.oc_config VALUES ('core', 'installed', '1'), ('core', 'vendor', NULL);
