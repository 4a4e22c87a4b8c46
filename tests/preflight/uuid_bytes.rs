//! UUIDs that are stored as 16 bytes: their order is stated, or all values prove it.

use crate::support::case::Case;

const TARGET: &str = "CREATE TABLE t (id int PRIMARY KEY, u uuid)";

fn case(values: &[&str], columns: &str) -> Case {
    let rows: Vec<String> = values.iter().enumerate().map(|(n, value)| format!("({n}, {value})")).collect();
    let source = format!("CREATE TABLE t (id INTEGER PRIMARY KEY, u BLOB); INSERT INTO t VALUES {}", rows.join(", "));
    Case::new(&source, TARGET, &format!("[load.t]\n{columns}"))
}

#[test]
fn sixteen_bytes_need_an_order_unless_all_values_prove_it() {
    // The seventh and the eighth byte can both be that of the version in the first value only.
    let (both, rfc, dotnet) = (
        "x'a0eebc999c0b4e18bb6d6bb9bd380a11'",
        "x'a0eebc999c0b4ef8bb6d6bb9bd380a11'",
        "x'99bceea00b9cf84ebb6d6bb9bd380a11'",
    );
    for proved in [&[rfc][..], &[rfc, both], &[rfc, "NULL"], &["NULL"], &["x'00000000000000000000000000000000'"]] {
        case(proved, "").done();
    }
    for unproved in [&[both][..], &[both, dotnet, rfc], &["x'00000000000000000000000000000001'"]] {
        case(unproved, "").refused(&["load.t.columns.u", "do not prove their byte order", "bytes = \\\"rfc\\\""]);
    }
    case(&[dotnet, "NULL"], "").refused(&["load.t.columns.u", "have the byte order of .NET", "bytes = \\\"dotnet\\\""]);
    let stated = case(&[dotnet], "[load.t.columns]\nu = { bytes = \"dotnet\" }\n");
    stated.done();
    assert_eq!(stated.rows("SELECT u FROM t"), ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]);
    let kept = case(&[dotnet], "[load.t.columns]\nu = { bytes = \"rfc\" }\n");
    kept.done();
    assert_eq!(kept.rows("SELECT u FROM t"), ["99bceea0-0b9c-f84e-bb6d-6bb9bd380a11"]);
}
