//! The treatment of faulty rows, stated for each load.

use crate::support::case::Case;

#[test]
fn each_load_may_state_the_treatment_of_its_faulty_rows() {
    let source = "CREATE TABLE a (id INTEGER PRIMARY KEY, n); INSERT INTO a VALUES (1, 1), (2, 'x'); \
                  CREATE TABLE b (id INTEGER PRIMARY KEY, n); INSERT INTO b VALUES (1, 1), (2, 2);";
    let target = "CREATE TABLE a (id int PRIMARY KEY, n int); CREATE TABLE b (id int PRIMARY KEY, n int CHECK (n < 9))";
    let loads = "[load.a]\non_fault = \"quarantine\"\n[load.b]\n";
    let case = Case::new(source, target, loads);
    case.exits(6, &["--dry-run"]);
    case.exits(3, &["--yes", "--on-fault", "abort"]);
    case.exits(6, &["--yes"]);
    assert_eq!((case.ids("a"), case.ids("b")), (vec![1], vec![1, 2]));
    let faulty = source.replace("(1, 1), (2, 2)", "(1, 1), (2, 90)");
    let case = Case::new(&faulty, target, loads);
    case.refused(&["check-failed"]);
    let turned = "[defaults]\non_fault = \"quarantine\"\n[load.a]\non_fault = \"abort\"\n[load.b]\n";
    Case::new(source, target, turned).refused(&["not-a-number"]);
    let case = Case::new(&faulty, target, turned);
    case.refused(&["not-a-number"]);
    let fixed = faulty.replace("(2, 'x')", "(2, 2)");
    let case = Case::new(&fixed, target, turned);
    case.exits(6, &["--yes"]);
    assert_eq!((case.ids("a"), case.ids("b")), (vec![1, 2], vec![1]));
}
