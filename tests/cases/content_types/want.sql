-- A new row's id is the next number of its sequence, which counts the matched rows, too.
CREATE TABLE want.django_content_type (LIKE public.django_content_type);
INSERT INTO want.django_content_type VALUES (1, 'books', 'book'), (2, 'auth', 'user'), (3, 'admin', 'logentry'), (4, 'books', 'added'), (8, 'books', 'removed');
CREATE TABLE want.auth_permission (LIKE public.auth_permission);
INSERT INTO want.auth_permission VALUES (1, 1, 'add_book'), (2, 1, 'view_book'), (3, 2, 'change_user'), (4, 3, 'view_logentry'), (5, 4, 'view_added'), (10, 8, 'view_removed');
CREATE TABLE want.auth_user (LIKE public.auth_user);
INSERT INTO want.auth_user VALUES (1, '!', NULL, false, 'guest'), (2, 'pbkdf2$a', '2024-03-03 08:00:00.25Z', true, 'root'), (4, 'pbkdf2$b', NULL, false, 'lena');
CREATE TABLE want.auth_user_user_permissions (LIKE public.auth_user_user_permissions);
INSERT INTO want.auth_user_user_permissions VALUES (1, 4, 2), (2, 4, 3), (3, 1, 2);
CREATE TABLE want.django_admin_log (LIKE public.django_admin_log);
INSERT INTO want.django_admin_log VALUES (1, 'Atlas', 1, 2, '2024-03-03 08:01Z'), (2, 'lena', 2, 2, '2024-03-03 08:02Z'), (3, 'lost', NULL, 4, '2024-03-03 08:03Z');
