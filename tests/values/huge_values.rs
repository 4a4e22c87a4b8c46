//! Values beyond every limit: named with row and column before anything is sent, at the cost of no memory.
//!
//! SQLite as built here writes no value of more than 1,000,000,000 bytes, and others may: the file is put together page by
//! page, with holes where the zeros are. `tests/cutover/memory.rs` carries values that are large and within the limits.

use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::support::postgres::Database;
use crate::support::sqlite;
use crate::support::tool::Place;

/// Bytes of a page.
const PAGE: u64 = 65_536;

/// Bytes of a value on one page of its chain, after the number of the next one.
const CHAINED: u64 = PAGE - 4;

/// A number as records and cells hold it: seven bits a byte, the first ones first.
fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = vec![number as u8 & 0x7f];
    while number > 0x7f {
        number >>= 7;
        bytes.insert(0, number as u8 & 0x7f | 0x80);
    }
    bytes
}

/// A table `t (id INTEGER PRIMARY KEY, v, w)` of the rows 1, NULL, NULL and 2, a blob of so many zeros, NULL.
/// <https://www.sqlite.org/fileformat2.html#b_tree_pages>
fn with_a_blob_of(path: &Path, zeros: u64) {
    let empty = rusqlite::Connection::open(path).expect("a SQLite file");
    let made =
        empty.execute_batch(&format!("PRAGMA page_size = {PAGE}; CREATE TABLE t (id INTEGER PRIMARY KEY, v, w)"));
    made.expect("a table");
    empty.close().expect("a closed SQLite file");
    // A record: the length of its head, then NULL for the rowid, and a blob's class and length in one number.
    let types = [varint(0), varint(zeros * 2 + 12), varint(0)].concat();
    let head = [varint(types.len() as u64 + 1), types].concat();
    let record = head.len() as u64 + zeros;
    // The part of it on the leaf, as the format has it.
    let least = (PAGE - 12) * 32 / 255 - 23;
    let wanted = least + (record - least) % CHAINED;
    let here = if wanted <= PAGE - 35 { wanted } else { least };
    let chain = (record - here).div_ceil(CHAINED);
    let mut cell = [varint(record), varint(2), head.clone()].concat();
    cell.resize(cell.len() + here as usize - head.len(), 0);
    cell.extend(3_u32.to_be_bytes());
    let first = [varint(4), varint(1), vec![4, 0, 0, 0]].concat();
    let mut leaf = vec![0; PAGE as usize];
    let (one, two) = (leaf.len() - first.len(), leaf.len() - first.len() - cell.len());
    leaf[one..].copy_from_slice(&first);
    leaf[two..one].copy_from_slice(&cell);
    leaf[0] = 13;
    for (at, number) in [(3, 2), (5, two), (8, one), (10, two)] {
        leaf[at..at + 2].copy_from_slice(&(number as u16).to_be_bytes());
    }
    let file = std::fs::OpenOptions::new().write(true).open(path).expect("the file");
    let write = |bytes: &[u8], at: u64| file.write_all_at(bytes, at).expect("a page");
    write(&leaf, PAGE);
    for page in 3..3 + chain {
        let next = if page < 2 + chain { page + 1 } else { 0 };
        write(&(next as u32).to_be_bytes(), (page - 1) * PAGE);
    }
    write(&((2 + chain) as u32).to_be_bytes(), 28);
    file.set_len((2 + chain) * PAGE).expect("its length");
}

#[test]
fn a_value_over_a_gibibyte_is_reported_before_it_is_read() {
    let place = Place::new();
    let path = place.path("source.db");
    with_a_blob_of(&path, 1_200_000_000);
    let whole = sqlite::open(&path).query_row("SELECT length(v) FROM t WHERE id = 2", [], |row| row.get(0));
    assert_eq!(whole, Ok(1_200_000_000), "the file is one that SQLite reads");
    place.write("migrate.toml", "format = 1\nname = \"huge\"\n[source]\npath = \"source.db\"\n[load.t]\n");
    let target = Database::with("CREATE TABLE t (id int PRIMARY KEY, v bytea, w bytea)");
    for (args, code, held) in
        [(&["--dry-run"][..], 3, 0), (&["--yes"], 3, 0), (&["--yes", "--on-fault", "quarantine"], 6, 1)]
    {
        let ran = place.migrate(["--json", "-t", &target.url()]).args(args).ran();
        let report = ran.json();
        assert_eq!((ran.code, report["fault_total"].as_u64()), (code, Some(1)), "{}", ran.said());
        let fault = &report["faults"][0];
        assert_eq!(
            (&fault["rowid"], &fault["column"], &fault["reason"]),
            (&2.into(), &"v".into(), &"too-large".into())
        );
        assert_eq!(target.count("t"), held);
    }
    // Omitted columns are not read.
    let mapping =
        "format = 1\nname = \"left\"\n[source]\npath = \"source.db\"\n[leave]\nt.v = \"too large\"\n[load.t]\n";
    place.write("migrate.toml", mapping);
    let target = Database::with("CREATE TABLE t (id int PRIMARY KEY, w bytea)");
    let ran = place.migrate(["--yes", "-t", &target.url()]).exits(0);
    assert_eq!(target.count("t"), 2, "{}", ran.said());
}
