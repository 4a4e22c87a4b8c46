//! The main job from end to end: personal_finance into a real PostgreSQL.

use super::support::postgres::Database;
use super::support::repo;
use super::support::tool::Place;

#[test]
fn a_dry_run_finds_nothing_and_writes_nothing() {
    let target = Database::of(&["fixtures/personal_finance/target.sql"]);
    let before = target.inventory();
    let place = Place::new();
    let mapping = repo("mappings/personal_finance.toml");
    place.migrate(["-m"]).arg(mapping).args(["-t", &target.url(), "--dry-run"]).exits(0);
    assert_eq!(target.inventory(), before);
    assert!(place.files().is_empty(), "{:?}", place.files());
}
