//! Objects that are detached for the load: they are reattached unchanged, to the last option and comment.

use crate::support::case::{Case, faults};
use crate::support::postgres::{Database, version};

/// Everything about constraints, indexes, triggers and tables that a user could have set, one line each.
const CATALOGUE: &str = "
SELECT format('%s %s %s valid=%s deferrable=%s/%s: %s', conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated,
              condeferrable, condeferred, obj_description(oid, 'pg_constraint')) FROM pg_constraint
 WHERE connamespace = 'public'::regnamespace AND conrelid <> 0
UNION ALL
SELECT format('%s valid=%s clustered=%s identity=%s options=%s tablespace=%s statistics=%s: %s', pg_get_indexdef(i.indexrelid),
              indisvalid, indisclustered, indisreplident, x.reloptions,
              (SELECT spcname FROM pg_tablespace WHERE oid = x.reltablespace),
              (SELECT array_agg(coalesce(attstattarget, -1) ORDER BY attnum) FROM pg_attribute WHERE attrelid = x.oid),
              obj_description(i.indexrelid, 'pg_class'))
  FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE x.relnamespace = 'public'::regnamespace
UNION ALL
SELECT format('%s %s %s: %s', tgrelid::regclass, tgname, tgenabled, obj_description(oid, 'pg_trigger')) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL
SELECT format('%s identity=%s', oid::regclass, relreplident) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
UNION ALL
SELECT format('%s %s not null=%s statistics=%s', attrelid::regclass, attname, attnotnull, coalesce(attstattarget, -1)) FROM pg_attribute a
  JOIN pg_class c ON c.oid = attrelid WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0
ORDER BY 1";

const SOURCE: &str = "
CREATE TABLE parents (id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, region TEXT NOT NULL, number TEXT NOT NULL, UNIQUE (region, number));
CREATE TABLE children (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL REFERENCES parents, second_id INTEGER REFERENCES parents,
                       code TEXT NOT NULL UNIQUE, title TEXT, price REAL, kept TEXT NOT NULL UNIQUE);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
INSERT INTO parents SELECT i, 'p' || i, 'r' || (i % 3), i FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)
INSERT INTO children SELECT i, i % 300 + 1, NULL, 'c' || i, 'Title ' || i, i / 4.0, 'k' || i FROM n;";

/// One of each thing that an index or a constraint can have.
const TARGET: &str = "
CREATE TABLE parents (id int PRIMARY KEY, code text NOT NULL, region text NOT NULL, number text NOT NULL);
ALTER TABLE parents ADD CONSTRAINT by_code UNIQUE (code) DEFERRABLE INITIALLY DEFERRED;
COMMENT ON CONSTRAINT by_code ON parents IS 'it''s ours';
CREATE UNIQUE INDEX by_region ON parents (region DESC NULLS LAST, number) WITH (fillfactor = 70);
CREATE TABLE children (id int, parent_id int NOT NULL, second_id int, code text NOT NULL, title text, price numeric(8,2), kept text NOT NULL);
ALTER TABLE children ADD CONSTRAINT children_key PRIMARY KEY (id) INCLUDE (title) WITH (fillfactor = 80);
COMMENT ON INDEX children_key IS 'the index';
COMMENT ON CONSTRAINT children_key ON children IS 'the constraint';
ALTER TABLE children CLUSTER ON children_key;
CREATE UNIQUE INDEX kept ON children (kept);
ALTER TABLE children REPLICA IDENTITY USING INDEX kept;
ALTER TABLE children ALTER title SET STATISTICS 300;
ALTER TABLE children ADD CONSTRAINT to_parent FOREIGN KEY (parent_id) REFERENCES parents ON DELETE CASCADE ON UPDATE SET NULL DEFERRABLE;
COMMENT ON CONSTRAINT to_parent ON children IS 'goes along';
ALTER TABLE children ADD CONSTRAINT to_second FOREIGN KEY (second_id) REFERENCES parents NOT VALID;
ALTER TABLE children ADD CONSTRAINT priced CHECK (price >= 0);
CREATE INDEX by_pattern ON children (title text_pattern_ops);
CREATE INDEX by_lower ON children (lower(title) COLLATE \"C\") WHERE price > 10;
ALTER INDEX by_lower ALTER COLUMN 1 SET STATISTICS 500;
CREATE INDEX by_hash ON children USING hash (code);
CREATE INDEX by_price ON children USING brin (price) WITH (pages_per_range = 16);
COMMENT ON INDEX by_price IS 'rough';
CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER a_usual BEFORE INSERT ON children FOR EACH ROW EXECUTE FUNCTION quiet();
CREATE TRIGGER b_off BEFORE INSERT ON children FOR EACH ROW EXECUTE FUNCTION quiet();
CREATE TRIGGER c_always BEFORE INSERT ON children FOR EACH ROW EXECUTE FUNCTION quiet();
CREATE TRIGGER d_replica BEFORE INSERT ON children FOR EACH ROW EXECUTE FUNCTION quiet();
COMMENT ON TRIGGER c_always ON children IS 'always';
ALTER TABLE children DISABLE TRIGGER b_off;
ALTER TABLE children ENABLE ALWAYS TRIGGER c_always;
ALTER TABLE children ENABLE REPLICA TRIGGER d_replica;";

/// Options that only later servers have.
const LATER: &str = "
CREATE UNIQUE INDEX one_null ON parents (region, number) NULLS NOT DISTINCT WITH (deduplicate_items = off);";

const MAPPING: &str = "[load.parents]\n[load.children]\n";

fn catalogue(target: &Database) -> Vec<String> {
    target.rows(CATALOGUE).into_iter().flatten().flatten().collect()
}

#[test]
fn detached_objects_are_reattached_unchanged() {
    let later = if version() >= 150_000 { LATER } else { "" };
    let case = Case::new(SOURCE, &format!("{TARGET}{later}"), MAPPING);
    let before = catalogue(&case.target);
    let report = case.exits(0, &["--yes", "--detach", "always", "--batch-rows", "100"]);
    assert_eq!(catalogue(&case.target), before);
    let off: Vec<&str> =
        report["detached"].as_array().expect("a list").iter().filter_map(|d| d["object"].as_str()).collect();
    for object in
        ["children_key", "to_parent", "by_pattern", "by_lower", "by_hash", "by_price", "by_region", "parents_pkey"]
    {
        assert!(off.contains(&object), "{object} stayed on: {off:?}");
    }
    // The replica identity stays, and so do CHECKs and what takes NULLs for equal, which SQLite does not prove.
    assert!(["kept", "priced", "one_null"].iter().all(|object| !off.contains(object)), "{off:?}");
}

#[test]
fn an_index_is_reattached_in_its_tablespace() {
    if version() < 150_000 {
        // A tablespace without a folder of its own is a thing of later servers; the statement is the same on all.
        return assert!(version() >= 120_000);
    }
    let space = format!("place_{}", std::process::id());
    let case = Case::new(SOURCE, TARGET, MAPPING);
    case.target.elsewhere(&format!("SET allow_in_place_tablespaces = on; CREATE TABLESPACE {space} LOCATION ''"));
    case.target.run(&format!(
        "ALTER INDEX by_pattern SET TABLESPACE {space}; ALTER INDEX children_key SET TABLESPACE {space}"
    ));
    let before = catalogue(&case.target);
    case.exits(0, &["--yes", "--detach", "always"]);
    assert_eq!(catalogue(&case.target), before);
    assert!(before.iter().any(|line| line.contains(&space)));
    case.target.run("DROP TABLE children");
    case.target.elsewhere(&format!("DROP TABLESPACE {space}"));
}

#[test]
fn an_object_that_others_depend_on_stays_attached() {
    let more = "CREATE VIEW grouped AS SELECT id, code, count(*) FROM parents GROUP BY id;
                CREATE TABLE others (parent_id int REFERENCES parents);";
    let case = Case::new(SOURCE, &format!("{TARGET}{more}"), MAPPING);
    let before = catalogue(&case.target);
    let report = case.exits(0, &["--yes", "--detach", "always"]);
    assert_eq!(catalogue(&case.target), before);
    let off: Vec<&str> =
        report["detached"].as_array().expect("a list").iter().filter_map(|d| d["object"].as_str()).collect();
    assert!(!off.contains(&"parents_pkey"), "{off:?}");
    assert!(off.contains(&"children_key"), "{off:?}");
}

#[test]
fn a_table_of_any_publication_keeps_its_key() {
    let all = ["FOR ALL TABLES", "FOR TABLE children", "FOR TABLES IN SCHEMA public"];
    // Schemas came with version 15.
    for named in &all[..if version() < 150_000 { 2 } else { 3 }] {
        let case = Case::new(SOURCE, &format!("{TARGET}CREATE PUBLICATION news {named}"), MAPPING);
        let report = case.exits(0, &["--yes", "--detach", "always"]);
        let off: Vec<&str> =
            report["detached"].as_array().expect("a list").iter().filter_map(|d| d["object"].as_str()).collect();
        assert!(!off.contains(&"children_key"), "{named}: {off:?}");
    }
}

#[test]
fn nothing_is_detached_with_detach_never() {
    let case = Case::new(SOURCE, TARGET, MAPPING);
    let before = catalogue(&case.target);
    let report = case.exits(0, &["--yes", "--detach", "never", "--on-fault", "abort"]);
    // Triggers go off by a word of their own.
    let off = report["detached"].as_array().expect("a list").iter().filter_map(|d| d["object"].as_str());
    assert_eq!(off.collect::<Vec<_>>(), ["a_usual", "c_always", "d_replica"]);
    assert_eq!(catalogue(&case.target), before);
}

#[test]
fn a_load_that_needs_a_unique_index_keeps_it() {
    let case = Case::new(
        SOURCE,
        &TARGET.replace(" DEFERRABLE INITIALLY DEFERRED", ""),
        "[load.parents]\nconflict = { skip = [\"code\"] }\n[load.children]\n",
    );
    let report = case.exits(0, &["--yes", "--detach", "always"]);
    let off: Vec<&str> =
        report["detached"].as_array().expect("a list").iter().filter_map(|d| d["object"].as_str()).collect();
    assert!(!off.contains(&"by_code"), "{off:?}");
}

/// Triggers of a partitioned table, of its partitions through it, and of one partition alone.
const PARTITIONED: &str = "
CREATE TABLE counted (n int); INSERT INTO counted VALUES (100);
CREATE FUNCTION count_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE counted SET n = n + 1; RETURN NULL; END';
CREATE TABLE t (id int, name text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10);
CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (20) PARTITION BY LIST (id);
CREATE TABLE t3 PARTITION OF t2 DEFAULT;
CREATE TRIGGER a_statement AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION count_it();
CREATE TRIGGER b_row AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION count_it();
CREATE TRIGGER c_own AFTER INSERT ON t3 FOR EACH ROW EXECUTE FUNCTION count_it();
ALTER TABLE t3 ENABLE ALWAYS TRIGGER c_own;
ALTER TABLE t1 ENABLE REPLICA TRIGGER b_row;";

#[test]
fn triggers_of_partitions_are_disabled_and_each_is_restored() {
    let source =
        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (11, 'c')";
    let case = Case::new(source, PARTITIONED, "[load.t]\n");
    // Servers before 15 call the copies on partitions internal.
    let states = "SELECT string_agg(format('%s.%s=%s', tgrelid::regclass, tgname, tgenabled), ' ' ORDER BY oid) FROM pg_trigger WHERE tgname !~ '^RI_'";
    let before = case.target.value(states);
    assert!(before.contains("t1.b_row=R") && before.contains("t3.c_own=A"), "{before}");
    case.exits(0, &["--yes"]);
    assert_eq!((case.target.count("t"), case.target.value("SELECT n FROM counted").as_str()), (3, "100"));
    assert_eq!(case.target.value(states), before);
    let case = Case::new(source, PARTITIONED, "[load.t]\ntriggers = \"fire\"\n");
    case.exits(0, &["--yes"]);
    // The statement, the row in t3, and t3's own: t1's wakes in a replica alone.
    assert_eq!(case.target.value("SELECT n FROM counted"), "103");
}

#[test]
fn a_foreign_key_stays_attached_if_its_parents_may_be_skipped() {
    let source =
        "CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE c (id INTEGER PRIMARY KEY, p_id INTEGER);
        INSERT INTO p VALUES (1, 'a'), (2, 'a'); INSERT INTO c VALUES (1, 1), (2, 2)";
    let target = "CREATE TABLE p (id int PRIMARY KEY, name text UNIQUE); CREATE TABLE c (id int PRIMARY KEY, p_id int REFERENCES p)";
    let case = Case::new(source, target, "[load.p]\nconflict = { skip = [\"name\"] }\n[load.c]\n");
    let orphan = [("c".to_owned(), 2, Some("p_id".to_owned()), "orphan".to_owned())];
    for way in ["--dry-run", "--yes"] {
        assert_eq!(faults(&case.exits(3, &[way])), orphan, "a row that is skipped is no parent");
    }
    let report = case.exits(4, &["--yes", "--detach", "always", "--skip-preflight"]);
    assert_eq!(faults(&report), orphan);
    assert_eq!(case.target.count("c WHERE p_id = 2"), 0);
    case.exits(6, &["--yes", "--detach", "always", "--on-fault", "quarantine"]);
    assert_eq!(case.ids("c"), [1]);
    assert_eq!(case.target.value("SELECT convalidated FROM pg_constraint WHERE conname = 'c_p_id_fkey'"), "t");
}

#[test]
fn a_unique_key_with_a_broader_collation_than_sqlite_stays_attached() {
    let source =
        "CREATE TABLE p (id INTEGER PRIMARY KEY, mail TEXT UNIQUE); CREATE TABLE c (id INTEGER PRIMARY KEY, mail TEXT);
        INSERT INTO p VALUES (1, 'a@x'), (2, 'b@x'); INSERT INTO c VALUES (1, 'A@x')";
    let target = "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
        CREATE TABLE p (id int PRIMARY KEY, mail text COLLATE loose UNIQUE);
        CREATE TABLE c (id int PRIMARY KEY, mail text COLLATE loose REFERENCES p (mail))";
    let mapping = "[load.p]\n[load.c]\n";
    // To the target they are one, so this is no orphan.
    Case::new(source, target, mapping).exits(0, &["--yes", "--detach", "always"]);
    let case = Case::new(&source.replace("b@x", "A@x"), target, mapping);
    let report = case.exits(0, &["--dry-run"]);
    let said = report["checks"].as_array().unwrap().iter().filter(|c| c["check"] == "unique");
    assert_eq!(said.map(|c| c["verdict"].as_str().unwrap()).collect::<Vec<_>>(), ["NotChecked"]);
    let report = case.exits(4, &["--yes", "--detach", "always"]);
    assert_eq!(faults(&report), [("p".to_owned(), 2, None, "duplicate".to_owned())]);
}

const PAIRS: &str = "CREATE TABLE p (id INTEGER, k INTEGER, PRIMARY KEY (id, k)) WITHOUT ROWID;
    CREATE TABLE c (id INTEGER PRIMARY KEY, p_id INTEGER, p_k INTEGER);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
    INSERT INTO p SELECT i, i % 200 FROM n;
    INSERT INTO c SELECT id, id, k FROM p";

/// A foreign key that refers to a table with partitions, one of which has partitions itself.
const TO_PARTITIONED: &str = "
    CREATE TABLE p (id int, k int, PRIMARY KEY (id, k)) PARTITION BY RANGE (k);
    CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100);
    CREATE TABLE p2 PARTITION OF p DEFAULT PARTITION BY LIST (k);
    CREATE TABLE p3 PARTITION OF p2 DEFAULT;
    CREATE TABLE c (id int PRIMARY KEY, p_id int, p_k int, CONSTRAINT pair FOREIGN KEY (p_id, p_k) REFERENCES p);
    COMMENT ON CONSTRAINT pair ON c IS 'both'";

#[test]
fn a_foreign_key_to_a_partitioned_table_is_verified_and_reattached_as_a_whole() {
    let mapping = "[load.p]\n[load.c]\n";
    let invalid = "SELECT count(*) FROM pg_constraint WHERE NOT convalidated";
    for detach in ["always", "never"] {
        let case = Case::new(PAIRS, TO_PARTITIONED, mapping);
        let before = catalogue(&case.target);
        case.exits(0, &["--yes", "--detach", detach]);
        assert_eq!(catalogue(&case.target), before, "{detach}");
        assert_eq!(case.target.value(invalid), "0");
        case.exits(0, &["--yes"]);
        case.place.migrate(["rollback", "--yes", "-t", &case.target.url()]).exits(0);
        assert_eq!(catalogue(&case.target), before, "{detach}");
    }
    // An orphan is still found, as one of the whole key.
    let case = Case::new(PAIRS, TO_PARTITIONED, mapping);
    case.exits(0, &["--yes"]);
    case.target.run("SET session_replication_role = replica; DELETE FROM p WHERE id = 7");
    let report = case.place.migrate(["verify", "--json", "-t", &case.target.url()]).exits(5).json();
    let differs = report["checks"].as_array().expect("checks").iter().filter(|c| c["verdict"] == "Differs");
    let constraints: Vec<&str> =
        differs.filter(|c| c["check"] == "constraints").filter_map(|c| c["found"].as_str()).collect();
    assert_eq!(constraints, ["1 rows whose p_id, p_k is not in p"]);
}

#[test]
fn an_object_that_could_not_be_reattached_exactly_stays_attached() {
    let modes = |mode: &str| {
        format!(
            "DO $$ DECLARE n text; BEGIN FOR n IN SELECT tgname FROM pg_trigger WHERE tgrelid = 'children'::regclass AND tgisinternal \
             LOOP EXECUTE format('ALTER TABLE children {mode} TRIGGER %I', n); END LOOP; END $$"
        )
    };
    let states =
        "SELECT string_agg(tgenabled::text, '' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = 'children'::regclass";
    let stays = "its triggers are not in the usual mode";
    let depends = "an extension owns it, or it depends on one";
    let target = "CREATE TABLE parents (id int PRIMARY KEY, code text, region text, number text);
        CREATE TABLE children (id int PRIMARY KEY, parent_id int REFERENCES parents, second_id int, code text, title text, price numeric, kept text);
        CREATE INDEX titles ON children (title);";
    for (more, object, why) in [
        (modes("DISABLE"), "children_parent_id_fkey", stays),
        (modes("ENABLE ALWAYS"), "children_parent_id_fkey", stays),
        (modes("ENABLE REPLICA"), "children_parent_id_fkey", stays),
        ("ALTER INDEX titles DEPENDS ON EXTENSION plpgsql".to_owned(), "titles", depends),
    ] {
        let case = Case::new(SOURCE, &format!("{target}{more}"), MAPPING);
        let depending = "SELECT count(*) FROM pg_depend WHERE deptype = 'x'";
        let before = (catalogue(&case.target), case.target.value(states), case.target.value(depending));
        case.command(&["plan", "--detach", "always"]).exits(0).says(&[object, why]);
        case.exits(0, &["--yes", "--detach", "always"]);
        let after = (catalogue(&case.target), case.target.value(states), case.target.value(depending));
        assert_eq!(after, before, "{more}");
    }
}
