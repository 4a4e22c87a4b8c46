//! Local times of named zones, compared with the server's own reading of them.

use migrate::model::named_zone::NamedZone;

use crate::support::case::Case;
use crate::support::postgres::other_bindir;

/// Zones with and without differences between builds of the tz database; `MIGRATE_ZONES=all` takes all that the server has.
const ZONES: [&str; 12] = [
    "Europe/Oslo",
    "Europe/Stockholm",
    "Europe/Amsterdam",
    "Atlantic/Reykjavik",
    "Africa/Lagos",
    "Africa/Bamako",
    "America/Nassau",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Sydney",
    "CET",
];

/// 400 local times from 1880 to 1969, 82 days and some hours apart, and 40 later ones.
const LOCAL: &str = "CREATE TABLE l (id INTEGER PRIMARY KEY, local TEXT);
    WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 399)
    INSERT INTO l SELECT n + 1, datetime('1880-01-01', (n * 7103377 % 2840140800) || ' seconds') FROM n;
    WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 39)
    INSERT INTO l SELECT n + 401, datetime('1970-01-03', (n * 440) || ' days') FROM n";

#[test]
fn a_local_time_that_the_server_reads_otherwise_is_counted() {
    let target = "CREATE TABLE t (zone text, id int, local timestamp, at timestamptz, PRIMARY KEY (zone, id))";
    let case = Case::with(crate::support::postgres::Database::with(target), &["-m", "zones.toml", "-s", "zones.db"]);
    crate::support::sqlite::file(&case.place, "zones.db", LOCAL);
    let zones: Vec<String> = match std::env::var("MIGRATE_ZONES").as_deref() {
        Ok("all") => {
            case.rows("SELECT name FROM pg_timezone_names WHERE name ~ '/' AND name !~ '^(posix|right|Etc)' ORDER BY 1")
        }
        _ => ZONES.map(str::to_owned).to_vec(),
    };
    let zones: Vec<String> = zones.into_iter().filter(|zone| NamedZone::find(zone).is_some()).collect();
    let load = |(n, zone): (usize, &String)| {
        format!(
            "[load.z{n}]\nto = \"t\"\nexisting = \"append\"\nfrom = {{ sql = \"SELECT id, local, local AS at, '{zone}' AS zone FROM l\" }}\n\
             [load.z{n}.columns]\nat = {{ zone = \"{zone}\", overlap = \"earlier\" }}\n"
        )
    };
    let loads: String = zones.iter().enumerate().map(load).collect();
    case.place.write("zones.toml", format!("format = 1\nname = \"zones\"\n[source]\npath = \"zones.db\"\n{loads}"));
    let dry = case.run(&["--dry-run", "--on-fault", "quarantine"]).json();
    let report = case.run(&["--yes", "--on-fault", "quarantine"]).json();
    let counted = |report: &serde_json::Value, n: usize| {
        let losses = report["losses"].as_array().expect("losses").iter();
        let mut of_load = losses.filter(|loss| loss["load"] == format!("z{n}") && loss["modifier"] == "time-zone-data");
        of_load.next().map_or(0, |loss| loss["count"].as_u64().expect("a count"))
    };
    let (mut all, mut differing) = (0, 0);
    for (n, zone) in zones.iter().enumerate() {
        // Set as a whole zone: AT TIME ZONE takes CET for an abbreviation. An instant's local time has one reading.
        let mut client = case.target.client();
        client.batch_execute(&format!("SET TimeZone = '{zone}'")).expect("a zone");
        let sql = "SELECT count(*) FROM t WHERE zone = $1 AND at::timestamp <> local";
        let differs = client.query_one(sql, &[zone]).expect("a count").get::<_, i64>(0).unsigned_abs();
        let found = counted(&report, n);
        assert!(found >= differs, "{zone}: {differs} differ, {found} are counted");
        assert_eq!(counted(&dry, n), found, "{zone}: the dry run counts as the run does");
        all += found;
        differing += differs;
    }
    // A server that was built with its own time zone data may agree in all of them.
    assert!(differing > 0 || other_bindir().is_some(), "the zones do not test what they are for");
    // A span begins and ends with a sample, at most three days from the change.
    assert!(all <= differing + differing / 10 + 6 * zones.len() as u64, "{all} are counted, {differing} differ");
}
