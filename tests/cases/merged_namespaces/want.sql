-- `default` is one namespace on both sides and keeps the target's row; `Default` in it is one experiment.
CREATE TABLE want.namespaces (LIKE public.namespaces);
INSERT INTO want.namespaces VALUES (1, 'default', 'here', 0), (2, 'other', 'o', 1), (4, 'team', 't', 5);
CREATE TABLE want.experiments (LIKE public.experiments);
INSERT INTO want.experiments VALUES (0, 'Default', 'active', 1), (1, 'Churn', 'active', 2), (2, 'Theirs', 'active', 2), (4, 'Price', 'active', 1), (5, 'Churn', 'deleted', 4);
CREATE TABLE want.runs (LIKE public.runs);
INSERT INTO want.runs VALUES ('r0', 'zero', 0), ('r1', 'one', 4), ('r2', 'two', 5), ('x9', 'theirs', 1);
CREATE TABLE want.metrics (LIKE public.metrics);
INSERT INTO want.metrics VALUES ('loss', 0.1, 0, false, 'r0'), ('loss', 0, 1, true, 'r0'), ('loss', 1.7976931348623157e308, 0, false, 'r1'), ('loss', -1.7976931348623157e308, 0, false, 'r2'), ('loss', 'Infinity', 1, false, 'r2');
CREATE TABLE want.apps (LIKE public.apps);
INSERT INTO want.apps VALUES ('9d7c0b5e-3c1b-4a57-8f4b-1d2f3a4b5c6d', '{"a": 1}', 1), ('a0d7c0b5-3c1b-4a57-8f4b-1d2f3a4b5c6d', NULL, 4);
CREATE TABLE want.dashboards (LIKE public.dashboards);
INSERT INTO want.dashboards VALUES ('b0d7c0b5-3c1b-4a57-8f4b-1d2f3a4b5c6d', 'D', 'a0d7c0b5-3c1b-4a57-8f4b-1d2f3a4b5c6d');
