CREATE TABLE tenants (id uuid PRIMARY KEY, slug text NOT NULL UNIQUE);
CREATE TABLE records (id text PRIMARY KEY, tenant_id uuid NOT NULL REFERENCES tenants, kind text NOT NULL, body jsonb NOT NULL, parent_id text REFERENCES records, made timestamptz NOT NULL);
CREATE TABLE marks (record_id text NOT NULL REFERENCES records, tenant_id uuid NOT NULL REFERENCES tenants, tag text NOT NULL, PRIMARY KEY (record_id, tag));
INSERT INTO tenants VALUES ('11111111-0000-4000-8000-000000000001', 'east'), ('22222222-0000-4000-8000-000000000002', 'west');
INSERT INTO records VALUES ('sample', '11111111-0000-4000-8000-000000000001', 'Person', '{"theirs": 1}', NULL, '2025-07-01Z');
