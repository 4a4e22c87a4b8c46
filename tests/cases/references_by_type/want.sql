CREATE TABLE want.firms AS SELECT * FROM (VALUES (1::bigint, 'East'::varchar(255)), (2, 'West')) AS t (id, name);
CREATE TABLE want.makers AS SELECT * FROM (VALUES (1::bigint, 'Elm'::varchar(255)), (2, 'Brook'), (3, 'Hill'), (4, 'Norden'), (5, 'Elm')) AS t (id, name);
CREATE TABLE want.staff AS SELECT * FROM (VALUES (1::bigint, 'mia'::varchar(255), 1::bigint, NULL::bigint), (2, 'ida', 2, NULL), (3, 'jon', 2, 2))
  AS t (id, login, firm_id, chief);
CREATE TABLE want.devices AS SELECT * FROM (VALUES
  (1::bigint, 'E-1'::varchar(255), 1::bigint, NULL::bigint, NULL::varchar(255), NULL::numeric(20,2)), (2, 'E-2', 2, NULL, NULL, NULL),
  (3, 'W-1', 4, 3, 'Shop\Staff', 999.90), (4, 'W-2', 5, 3, 'Shop\Device', NULL), (5, 'W-3', 5, NULL, NULL, 5.00))
  AS t (id, tag, maker_id, held_by, held_type, price);
CREATE TABLE want.events AS SELECT * FROM (VALUES
  (1::bigint, 1::bigint, 'add'::varchar(255), 'Shop\Device'::varchar(255), '1'::varchar(8), NULL::jsonb),
  (2, 2, 'add', 'Shop\Device', '4', '{"note": "new"}'), (3, 2, 'lend', 'Shop\Device', '3', NULL), (4, 2, 'edit', 'Shop\Staff', '2', NULL),
  (5, 3, 'view', 'page', 'start', NULL)) AS t (id, staff_id, verb, item_type, item_id, detail);
