//! Lookups end to end: order of steps, ambiguity, misses, several key columns, rows of the same run, and what is refused.

use crate::support::case::Case;
use crate::support::postgres::Database;
use crate::support::tool::{Place, Ran};

const TARGET: &str = "CREATE TABLE users (id serial PRIMARY KEY, login text UNIQUE, email text, team int); \
    CREATE TABLE orders (id int PRIMARY KEY, who text, user_id int REFERENCES users); \
    INSERT INTO users (id, login, email, team) VALUES (3, 'kev', 'Kevin@x.example', 1), (4, 'ros', 'rosa@x.example', 1), \
    (7, 'info1', 'info@a.example', 1), (8, 'info2', 'info@b.example', 2); SELECT setval('users_id_seq', 8);";

const ORDERS: &str = "CREATE TABLE orders (id INTEGER PRIMARY KEY, who TEXT); INSERT INTO orders VALUES (1, 'kev'), \
    (2, ' KEVIN@X.example '), (3, 'rosa'), (4, 'info'), (5, 'unknown'), (6, NULL), (7, '');";

fn head(lookup: &str) -> String {
    format!(
        "format = 1\nname = \"x\"\n[source]\npath = \"source.sql\"\n[load.orders]\nowner = false\n\
         [load.orders.columns.user_id.lookup]\ntable = \"users\"\ntake = \"id\"\n{lookup}\n"
    )
}

const STEPS: &str = "steps = [ { target = \"login\", source = \"trim(who)\" }, { target = \"email\", source = \"trim(who)\", nocase = true }, \
    { target = \"split_part(email, '@', 1)\", source = \"trim(who)\" } ]\n";

fn run(source: &str, mapping: &str, args: &[&str], exit: i32) -> (Database, Ran) {
    let target = Database::with(TARGET);
    let place = Place::new();
    place.write("source.sql", source);
    place.write("m.toml", mapping);
    let ran = place.migrate(["--json", "-m", "m.toml", "-t", &target.url()]).args(args).exits(exit);
    (target, ran)
}

fn found(target: &Database) -> Vec<String> {
    let rows = target.rows("SELECT id, user_id FROM orders ORDER BY id");
    rows.into_iter()
        .map(|row| row.into_iter().map(|v| v.unwrap_or("-".to_owned())).collect::<Vec<_>>().join(" "))
        .collect()
}

#[test]
fn steps_are_tried_in_order_and_every_outcome_is_counted() {
    let mapping = head(&format!("{STEPS}ambiguous = \"next\"\nmissing = \"null\""));
    let (target, ran) = run(ORDERS, &mapping, &["--yes"], 0);
    assert_eq!(found(&target), ["1 3", "2 3", "3 4", "4 -", "5 -", "6 -", "7 -"]);
    let lookup = &ran.json()["lookups"][0];
    let hits: Vec<u64> = lookup["steps"].as_array().expect("steps").iter().filter_map(|s| s["hits"].as_u64()).collect();
    assert_eq!((hits, lookup["ambiguous"].as_u64(), lookup["missing"].as_u64()), (vec![1, 1, 1], Some(1), Some(2)));
    assert!(lookup["values"].is_null(), "no value is in a report");
    assert_eq!(lookup["missing_values"], 2);
}

/// 240 orders of 120 unknown people, of one known person, and of one quarantined person.
fn strangers() -> String {
    let rows = (1..=240).map(|n| format!("({n}, 'stranger {:03}')", (n - 1) % 120)).collect::<Vec<_>>().join(", ");
    format!(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, who TEXT); INSERT INTO orders VALUES {rows}, (241, 'kev'), (242, x'00');"
    )
}

#[test]
fn values_without_a_hit_are_counted_and_listed_on_request_up_to_a_bound() {
    let target = Database::with(TARGET);
    let place = Place::new();
    place.write("source.sql", strangers());
    place.write("m.toml", head(&format!("{STEPS}missing = \"null\"")));
    let url = target.url();
    let run = |args: &[&str], exit: i32| {
        place.migrate(args).args(["-m", "m.toml", "-t", &url, "--report", "r.md", "--report", "r.html"]).exits(exit)
    };
    let quarantine = ["--on-fault", "quarantine"];
    for (args, exit) in [(vec!["--dry-run"], 6), (vec!["--yes"], 6), (vec!["verify"], 6)] {
        let args = if args == ["verify"] { args } else { [args, quarantine.to_vec()].concat() };
        let quiet = run(&[args.clone(), vec!["--json"]].concat(), exit);
        let lookup = quiet.json()["lookups"][0].clone();
        assert_eq!((&lookup["missing"], &lookup["missing_values"]), (&240.into(), &120.into()), "{args:?}");
        assert!(lookup["values"].is_null() && !quiet.said().contains("stranger"), "{}", quiet.said());
        for report in [place.read("r.md"), place.read("r.html")] {
            assert!(report.contains("120 different values, which --show-values lists") && !report.contains("stranger"));
        }
        let shown = run(&[args.clone(), vec!["--json", "--show-values"]].concat(), exit).json()["lookups"][0].clone();
        let values = shown["values"].as_array().expect("values").clone();
        assert_eq!((values.len(), &values[0], &values[99]), (100, &"stranger 000".into(), &"stranger 099".into()));
        let terminal = run(&[args, vec!["--show-values"]].concat(), exit).stdout.replace("\n", " ");
        let terminal = terminal.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(terminal.contains("'stranger 019' and 100 more"), "{terminal}");
        for report in [place.read("r.md"), place.read("r.html")] {
            assert!(report.contains("stranger 099") && report.contains("and 20 more"), "{report}");
        }
    }
}

#[test]
fn values_refused_by_a_lookup_are_listed_with_the_refusal() {
    let (_, ran) = run(ORDERS, &head(STEPS), &["--yes", "--show-values"], 3);
    let lookup = ran.json()["lookups"][0].clone();
    // 'info' has several answers and is no value without a hit.
    assert_eq!(lookup["values"], serde_json::json!(["unknown", ""]));
}

#[test]
fn a_dry_run_looks_up_existing_rows() {
    let mapping = head(&format!("{STEPS}missing = \"null\""));
    let (target, ran) = run(ORDERS, &mapping, &["--dry-run"], 0);
    assert_eq!(target.count("orders"), 0);
    assert_eq!(ran.json()["lookups"][0]["missing"], 2);
}

#[test]
fn a_quiet_miss_is_counted_and_not_listed() {
    let mapping = head(&format!("{STEPS}missing = \"null\"\nquiet = true"));
    for (mapping, listed) in [(mapping.replace("quiet = true", ""), true), (mapping, false)] {
        let target = Database::with(TARGET);
        let place = Place::new();
        place.write("source.sql", ORDERS);
        place.write("m.toml", mapping);
        let args = ["--yes", "--json", "-m", "m.toml", "--report", "r.md", "-t", &target.url()];
        let lookup = place.migrate(args).exits(0).json()["lookups"][0].clone();
        assert_eq!((&lookup["missing"], &lookup["quiet"]), (&2.into(), &(!listed).into()));
        let report = place.read("r.md");
        assert!(report.contains("several answers"), "{report}");
        assert_eq!(report.contains("2 looked-up values were not found"), listed, "{report}");
        assert_eq!(report.contains("(not found)"), listed, "{report}");
    }
}

#[test]
fn missing_and_ambiguous_values_are_faults_if_the_mapping_requires_it() {
    let mapping = head(&format!("{STEPS}ambiguous = \"fault\""));
    let (target, ran) = run(ORDERS, &mapping, &["--yes"], 3);
    assert_eq!(target.count("orders"), 0);
    let faults = ran.json()["faults"].clone();
    let of = |f: &serde_json::Value| (f["rowid"].as_i64(), f["reason"].as_str().map(str::to_owned));
    let faults: Vec<_> = faults.as_array().expect("faults").iter().map(of).collect();
    let expected = [(4, "lookup-ambiguous"), (5, "lookup-missing"), (7, "lookup-missing")];
    assert_eq!(faults, expected.map(|(id, reason)| (Some(id), Some(reason.to_owned()))));
}

#[test]
fn a_composite_key_is_looked_up_and_a_constant_replaces_misses() {
    let steps = "steps = [ { target = [\"split_part(email, '@', 1)\", \"team\"], source = [\"who\", \"'2'\"] } ]\nmissing = { value = 3 }";
    let (target, _) = run(ORDERS, &head(steps), &["--yes"], 0);
    assert_eq!(found(&target)[3..], ["4 8", "5 3", "6 -", "7 3"]);
}

#[test]
fn rows_of_the_same_run_are_found_and_a_dry_run_reports_that_it_cannot_look() {
    let source = format!("{ORDERS} CREATE TABLE users (login TEXT); INSERT INTO users VALUES ('unknown');");
    let more = "[load.users]\nexisting = \"append\"\nowner = false\n";
    let mapping = format!("{}{more}", head(&format!("{STEPS}missing = \"null\"")));
    let (target, ran) = run(&source, &mapping, &["--yes"], 0);
    assert_eq!(found(&target)[4], "5 9");
    assert_eq!(ran.json()["lookups"][0]["steps"][0]["hits"], 2);
    let (_, dry) = run(&source, &mapping, &["--dry-run"], 0);
    dry.says(&["NotChecked", "it reads users, which this run loads first"]);
    assert_eq!(dry.json()["lookups"].as_array().map(Vec::len), Some(0));
}

#[test]
fn impossible_lookups_are_refused_with_their_places_all_at_once() {
    let steps = "steps = [ { target = \"logn\", source = \"who\" }, { target = [\"login\", \"team\"], source = \"who\" }, \
                 { target = \"team\", source = \"who\", nocase = true }, { target = \"row_to_json(users)\", source = \"who\" } ]\n\
                 ambiguous = \"first\"\nmissing = \"owner\"";
    let (_, ran) = run(ORDERS, &head(steps), &["--dry-run"], 3);
    ran.says(&[
        "steps.0.target",
        "column \\\"logn\\\" does not exist",
        "steps.1",
        "its key has 2 parts on the target and 1 in the source",
        "steps.2.nocase",
        "steps.3.target",
        "must be \\\"next\\\" or \\\"fault\\\"",
        "is the owner, and the mapping names no owner",
    ]);
    let wrong = head(STEPS).replace("take = \"id\"", "take = \"idd\"");
    run(ORDERS, &wrong, &["--dry-run"], 3).1.says(&["lookup.take", "Did you mean `id`?"]);
}

/// 60,000 people whose logins have 1,200 characters: 76 MiB of keys with the overhead of each.
const MANY: &str = "WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 60000) \
    SELECT id, printf('%01200d', id) AS login FROM n";

#[test]
fn a_too_large_lookup_table_is_refused_with_its_size_and_a_working_way_out() {
    let target = "CREATE TABLE users (id int PRIMARY KEY, login text); \
        CREATE TABLE orders (id int PRIMARY KEY, who text, user_id int REFERENCES users);";
    let many = "INSERT INTO users SELECT n, lpad(n::text, 1200, '0') FROM generate_series(1, 60000) n";
    let steps = "steps = [ { target = \"login\", source = \"printf('%01200d', who)\" } ]\nmissing = \"null\"\n";
    let source =
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, who TEXT); INSERT INTO orders VALUES (1, '7'), (2, '70000');";
    let loads = format!("[load.users]\nowner = false\nfrom = {{ sql = \"{MANY}\" }}\n");
    let fewer = |mapping: &str| mapping.replace("\"login\"", "\"CASE WHEN id < 100 THEN login END\"");
    let says = [
        "load.orders.columns.user_id.lookup",
        "its map would take 77 MiB in memory (60000 keys of public.users), and 64 MiB is the most",
        "an expression that is NULL for rows that cannot be meant",
    ];
    let place = Place::new();
    place.write("source.sql", source);
    for (held, mapping) in [(true, head(steps)), (false, head(steps) + &loads)] {
        let target = Database::with(&if held { format!("{target}{many}") } else { target.to_owned() });
        let url = target.url();
        // Nothing is read that need not be: neither ahead, where it is not what is asked, nor back.
        let quick: &[&str] = if held { &["--verify=counts"] } else { &["--verify=counts", "--skip-preflight"] };
        let run =
            |how: &str, exit: i32| place.migrate(["--json", "-m", "m.toml", "-t", &url, how]).args(quick).exits(exit);
        place.write("m.toml", &mapping);
        if held {
            run("--dry-run", 3).says(&says);
        }
        // What is there before is known before anything is written; what this run loads is not.
        run("--yes", if held { 3 } else { 4 }).says(&says);
        assert_eq!(target.count("orders"), 0);
        place.write("m.toml", fewer(&mapping));
        run("--yes", 0);
        assert_eq!(found(&target), ["1 7", "2 -"]);
    }
}

/// Row 2 of the people is too long for its column, row 4 fails a CHECK that the server alone sees.
const PEOPLE: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY, login TEXT, email TEXT, team INTEGER);
    INSERT INTO users VALUES (1, 'ada', 'ada@x', 1), (2, 'ben the very long', 'ben@x', 1), (3, 'cid', 'cid@x', 1), (4, 'dot', 'dot@x', -1);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, who TEXT);
    INSERT INTO orders VALUES (1, 'ada'), (2, 'ben the very long'), (3, 'unknown'), (4, 'DOT@x'), (5, 'dot'), (6, 'dot@x')";

#[test]
fn a_miss_due_to_a_quarantined_parent_is_distinguished_from_an_unknown_one() {
    let target = "CREATE TABLE users (id int PRIMARY KEY, login varchar(5), email text, team int CHECK (team > 0));
        CREATE TABLE orders (id int PRIMARY KEY, who text, user_id int REFERENCES users)";
    let mapping = "[load.users]\n[load.orders.columns.user_id.lookup]\ntable = \"users\"\ntake = \"id\"\nmissing = \"null\"\n\
        steps = [ { target = \"login\", source = \"who\" }, { target = \"email\", source = \"who\", nocase = true } ]\n";
    let case = Case::new(PEOPLE, target, mapping);
    let report = case.exits(6, &["--yes", "--on-fault", "quarantine", "--batch-rows", "2"]);
    let lookup = &report["lookups"][0];
    // 'ben the very long' is no login that the target could hold, so that row 2 has no owner.
    assert_eq!((&lookup["missing"], &lookup["set_aside"]), (&2.into(), &3.into()), "{lookup}");
    assert_eq!(case.ids("orders"), [1, 2, 3]);
    assert_eq!(report["faults"].as_array().map(Vec::len), Some(2), "{report}");
    assert_eq!(report["faults"][1]["children"], 3);
    let lines = case.lines();
    let child = lines.iter().find(|l| l["load"] == "orders" && l["rowid"] == 4).expect("row 4");
    assert_eq!(child["faults"][0]["reason"], "parent-refused");
    assert_eq!(child["faults"][0]["parent"], serde_json::json!({"load": "users", "key": [4]}));
    assert_eq!(case.exits(6, &["--yes", "--on-fault", "quarantine"])["lookups"][0]["set_aside"], 3);
}

#[test]
fn a_plain_reference_to_a_key_that_is_looked_up_is_refused() {
    let target = Database::with(
        "CREATE TABLE users (id int PRIMARY KEY, login text NOT NULL UNIQUE);
         CREATE TABLE profile (user_id int PRIMARY KEY REFERENCES users, bio text);
         CREATE TABLE badge (id int PRIMARY KEY, profile int REFERENCES profile);
         INSERT INTO users VALUES (1, 'carl'), (2, 'ann');",
    );
    let place = Place::new();
    place.write(
        "source.sql",
        "CREATE TABLE users (id INTEGER PRIMARY KEY, login TEXT); INSERT INTO users VALUES (1, 'ann'), (2, 'carl');
         CREATE TABLE profile (user_id INTEGER PRIMARY KEY, bio TEXT); INSERT INTO profile VALUES (1, 'of ann'), (2, 'of carl');
         CREATE TABLE badge (id INTEGER PRIMARY KEY, profile INT); INSERT INTO badge VALUES (1, 1), (2, 2);",
    );
    let lookup = |column: &str| {
        format!(
            "lookup = {{ table = \"users\", take = \"id\", steps = [{{ target = \"login\", \
             source = \"(SELECT login FROM users WHERE users.id = {column})\" }}] }}"
        )
    };
    let mapping = format!(
        "format = 1\nname = \"x\"\n[source]\npath = \"source.sql\"\n[leave]\nusers = \"they are there\"\n\
         [load.profile.columns]\nuser_id = {{ {} }}\n[load.badge]\n",
        lookup("user_id")
    );
    let run = |mapping: &str| {
        place.write("m.toml", mapping);
        place.migrate(["--yes", "-m", "m.toml", "-t", &target.url()])
    };
    run(&mapping).exits(3).says(&[
        "load.badge.columns.profile",
        "`profile.user_id`, which a lookup feeds",
        "Feed it by the same",
    ]);
    run(&format!("{mapping}[load.badge.columns]\nprofile = {{ {} }}\n", lookup("profile"))).exits(0);
    let bios = "SELECT string_agg(bio, ', ' ORDER BY b.id) FROM badge b JOIN profile p ON p.user_id = b.profile";
    assert_eq!(target.value(bios), "of ann, of carl");
}
