//! Statements that the server prints are accepted, and every forged one is refused.

use super::*;

const KEY_OF_ITEMS: Recorded<'static> =
    Recorded { schema: "public", table: "items", object: "by_code", kind: DetachKind::Unique };

fn of(kind: DetachKind) -> Recorded<'static> {
    Recorded { kind, ..KEY_OF_ITEMS }
}

fn is_accepted(recorded: &Recorded<'_>, step: &str) -> bool {
    ReattachSql::read(recorded, vec![step.to_owned()]).is_some()
}

#[test]
fn statements_that_the_server_prints_are_accepted() {
    for (kind, step) in [
        (DetachKind::Trigger, "ALTER TABLE public.items ENABLE  TRIGGER by_code"),
        (
            DetachKind::Trigger,
            "ALTER TABLE ONLY public.items ENABLE ALWAYS TRIGGER by_code; ALTER TABLE other.part ENABLE REPLICA TRIGGER by_code",
        ),
        (
            DetachKind::Foreign,
            "ALTER TABLE public.items ADD CONSTRAINT by_code FOREIGN KEY (a, \"B;\") REFERENCES other.\"Parent\"(a, b) MATCH FULL ON UPDATE SET NULL ON DELETE SET DEFAULT (a) DEFERRABLE INITIALLY DEFERRED NOT VALID",
        ),
        (DetachKind::Foreign, "ALTER TABLE public.items VALIDATE CONSTRAINT by_code"),
        (DetachKind::Foreign, "COMMENT ON CONSTRAINT by_code ON public.items IS 'it''s; a \\ -- text'"),
        (DetachKind::Foreign, "COMMENT ON CONSTRAINT by_code ON public.items IS  E'it\\'s; \\\\'"),
        (
            DetachKind::Index,
            "SET LOCAL default_tablespace = ''; CREATE INDEX by_code ON public.items USING btree (lower((title)::text) COLLATE \"C\" text_pattern_ops DESC NULLS LAST) INCLUDE (id) WITH (fillfactor='70') WHERE ((price > (10)::numeric) AND (kind = ANY (ARRAY['a'::text, 'b;'::text])))",
        ),
        (DetachKind::Index, "CREATE INDEX by_code ON public.items USING gin (data jsonb_path_ops) WHERE active"),
        (DetachKind::Index, "ALTER INDEX public.by_code ALTER COLUMN 1 SET STATISTICS 500"),
        (DetachKind::Index, "COMMENT ON INDEX public.by_code IS ''"),
        (DetachKind::Index, "ALTER TABLE public.items CLUSTER ON by_code"),
        (
            DetachKind::Unique,
            "SET LOCAL default_tablespace = 'fast'; CREATE UNIQUE INDEX by_code ON public.items USING btree (a) NULLS NOT DISTINCT",
        ),
        (
            DetachKind::Unique,
            "ALTER TABLE public.items ADD CONSTRAINT by_code UNIQUE USING INDEX by_code DEFERRABLE INITIALLY DEFERRED",
        ),
        (DetachKind::Primary, "ALTER TABLE public.items ADD CONSTRAINT by_code PRIMARY KEY USING INDEX by_code"),
        (DetachKind::Primary, "COMMENT ON CONSTRAINT by_code ON public.items IS 'x'"),
    ] {
        assert!(is_accepted(&of(kind), step), "{step}");
    }
    let hostile = Recorded { schema: "S\"x", table: "t; DROP", object: "Ünique", kind: DetachKind::Index };
    assert!(is_accepted(&hostile, "ALTER TABLE \"S\"\"x\".\"t; DROP\" CLUSTER ON \"Ünique\""));
}

#[test]
fn forged_statements_are_refused() {
    for (kind, step) in [
        (DetachKind::Trigger, "ALTER ROLE eve SUPERUSER"),
        (DetachKind::Trigger, "ALTER TABLE public.items ENABLE TRIGGER other"),
        (DetachKind::Trigger, "ALTER TABLE public.items ENABLE TRIGGER by_code, OWNER TO eve"),
        (DetachKind::Trigger, "ALTER TABLE public.items ENABLE TRIGGER by_code; ALTER ROLE eve SUPERUSER"),
        (DetachKind::Trigger, "ALTER TABLE public.items ENABLE TRIGGER by_code;"),
        (DetachKind::Trigger, ""),
        (
            DetachKind::Foreign,
            "ALTER TABLE public.accounts ADD CONSTRAINT by_code FOREIGN KEY (a) REFERENCES public.p(a)",
        ),
        (DetachKind::Foreign, "ALTER TABLE items ADD CONSTRAINT by_code FOREIGN KEY (a) REFERENCES public.p(a)"),
        (DetachKind::Foreign, "ALTER TABLE public.items ADD CONSTRAINT other FOREIGN KEY (a) REFERENCES public.p(a)"),
        (
            DetachKind::Foreign,
            "ALTER TABLE public.items ADD CONSTRAINT by_code FOREIGN KEY (a) REFERENCES public.p(a), OWNER TO eve",
        ),
        (DetachKind::Foreign, "ALTER TABLE public.items ADD CONSTRAINT by_code CHECK (evil())"),
        (DetachKind::Foreign, "COMMENT ON CONSTRAINT by_code ON public.items IS 'x'; SELECT evil()"),
        (DetachKind::Index, "ALTER TABLE public.items ADD CONSTRAINT by_code UNIQUE USING INDEX by_code"),
        (DetachKind::Index, "CREATE INDEX by_code ON public.items USING btree (a) WHERE true; DROP TABLE public.items"),
        (DetachKind::Index, "CREATE INDEX by_code ON public.items USING btree (a); -- a comment"),
        (DetachKind::Index, "CREATE INDEX by_code ON public.items USING btree (a) /* a comment */"),
        (DetachKind::Index, "CREATE INDEX by_code ON public.items USING btree ((a + $$1$$))"),
        (DetachKind::Index, "CREATE INDEX by_code ON public.items USING btree (a; b)"),
        (DetachKind::Index, "CREATE INDEX by_code ON public.items USING btree (a))"),
        (DetachKind::Index, "CREATE INDEX by_code ON public.items USING btree ((a + U&'\\0027')"),
        (DetachKind::Index, "CREATE INDEX by_code ON public.items USING btree ((a || 'x)"),
        (DetachKind::Index, "CREATE INDEX by_code ON public.items USING btree ((a || E'\\'')) ; DROP TABLE x; --')"),
        (DetachKind::Index, "DO $$ BEGIN EXECUTE 'ALTER ROLE eve SUPERUSER'; END $$"),
        (DetachKind::Index, "CREATE FUNCTION evil() RETURNS int LANGUAGE sql AS 'SELECT 1'"),
        (DetachKind::Index, "SET LOCAL role = 'postgres'"),
        (DetachKind::Index, "SET LOCAL default_tablespace = '' , x"),
        (DetachKind::Unique, "ALTER TABLE public.items ADD CONSTRAINT by_code UNIQUE USING INDEX other"),
        (
            DetachKind::Primary,
            "ALTER TABLE public.items ADD CONSTRAINT by_code PRIMARY KEY USING INDEX by_code, DISABLE TRIGGER ALL",
        ),
    ] {
        assert!(!is_accepted(&of(kind), step), "{step}");
    }
}

#[test]
fn a_trigger_names_the_partitions_in_which_it_is_enabled() {
    let step =
        "ALTER TABLE ONLY public.items ENABLE TRIGGER by_code; ALTER TABLE other.\"Part\" ENABLE TRIGGER by_code";
    let read = ReattachSql::read(&of(DetachKind::Trigger), vec![step.to_owned()]).expect("statements of a trigger");
    assert_eq!(read.members, [("other".to_owned(), "Part".to_owned())]);
    assert_eq!((read.count(), read.remaining(1).len()), (1, 0));
}
