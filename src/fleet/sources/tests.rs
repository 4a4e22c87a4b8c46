//! Texts that name files, and the lists that they become.

use std::path::PathBuf;

use super::*;
use crate::model::record::{FAULTS_LISTED, Refusal};

fn file(path: &str, values: &[(&str, &str)]) -> MemberFile {
    let mut member = MemberFile::new(path);
    values.iter().for_each(|(name, value)| member.put(name, value));
    member
}

fn csv(text: &str) -> Result<Vec<MemberFile>, Vec<Refusal>> {
    listed(text.as_bytes(), ListingForm::Csv, "m.csv")
}

fn paths(text: &[u8]) -> Vec<String> {
    listed(text, ListingForm::Paths, "-").unwrap().into_iter().map(|member| member.path).collect()
}

/// `place: reason` of each refusal, none of which lacks a way out.
fn reasons<T: std::fmt::Debug>(refused: Result<T, Vec<Refusal>>) -> Vec<String> {
    let refusals = refused.unwrap_err();
    assert!(refusals.iter().all(|r| !r.advice.is_empty()), "{refusals:?}");
    refusals.iter().map(|r| format!("{}: {}", r.place, r.reason)).collect()
}

/// No file exists here, so that spellings alone are compared.
fn joined(named: Vec<MemberFile>, patterns: &[Pattern]) -> Result<Vec<MemberFile>, Vec<Refusal>> {
    members(named, patterns, "--sources x", &|_| None)
}

fn pattern(text: &str) -> Pattern {
    Pattern::owner_from(text).unwrap()
}

#[test]
fn a_csv_manifest_names_files_and_values_by_its_header() {
    let text = "\u{feff}username,path,\"full name\"\r\nada,\"a,1.db\",\"Ada \"\"L\"\"\r\nx\"\r\n\r\nbob,b.db,\r\n";
    let read = csv(text).unwrap();
    assert_eq!(
        read,
        [file("a,1.db", &[("username", "ada"), ("full name", "Ada \"L\"\r\nx")]), file("b.db", &[("username", "bob")])]
    );
    assert_eq!(csv("path\na.db\n").unwrap(), [file("a.db", &[])]);
    assert_eq!(csv("path,a\n").unwrap(), []);
    assert_eq!(csv("").unwrap(), []);
}

#[test]
fn a_tsv_manifest_is_separated_by_tabs_alone() {
    let read = listed(b"path\tname\na,b.db\tx, y\n", ListingForm::Tsv, "m.tsv").unwrap();
    assert_eq!(read, [file("a,b.db", &[("name", "x, y")])]);
}

#[test]
fn a_header_with_a_fault_is_refused_before_the_records() {
    for (header, expected) in [
        ("file,a", "no column is named `path`"),
        ("path,a,a", "the column name `a` is there twice"),
        ("path,path", "the column name `path` is there twice"),
        ("path,", "the column name `` is empty"),
        ("path, a", "the column name ` a` has a blank at its beginning or end"),
    ] {
        assert_eq!(reasons(csv(&format!("{header}\nonly one\n"))), [format!("m.csv: line 1: {expected}")]);
    }
    let advice = |text| csv(text).unwrap_err()[0].advice.clone();
    assert!(advice("path;a\nb;c\n").contains("commas instead of semicolons"));
    assert!(advice("path\ta\nb\tc\n").contains("commas instead of tabs"));
    assert!(advice("Path,a\n").starts_with("Did you mean `Path`? Then rename it."));
    assert!(advice("Datei,a\n").starts_with("The first line names the columns"));
    let tsv = listed(b"path,a\n", ListingForm::Tsv, "m.tsv").unwrap_err();
    assert!(tsv[0].advice.contains("tabs instead of commas"), "{tsv:?}");
}

#[test]
fn every_line_of_a_manifest_with_a_fault_is_refused_at_once() {
    let text = b"path,a\nx.db\n\ny.db,1,2\n,b\nv\xff.db,b\nw.db,\xe9\nn.db,\"x\0\"\nok.db,b\n\"z.db,b\n";
    assert_eq!(
        reasons(listed(text, ListingForm::Csv, "m.csv")),
        [
            "m.csv: line 2: has 1 fields, and the header has 2",
            "m.csv: line 4: has 3 fields, and the header has 2",
            "m.csv: line 5: its path is empty",
            "m.csv: line 6: the path `v\\xff.db` is not UTF-8",
            "m.csv: line 7: the value `\\xe9` of `a` is not UTF-8",
            "m.csv: line 8: contains a NUL byte",
            "m.csv: line 10: opens a quote that is never closed",
        ]
    );
    assert_eq!(reasons(listed(b"\xff\xfep\0a\0", ListingForm::Csv, "m.csv")), ["m.csv: is UTF-16"]);
}

#[test]
fn ndjson_names_one_file_a_line() {
    let text = b"\xef\xbb\xbf{\"path\": \"a\"}\r\n\n  \n{\"path\":\"b\",\"owner\":{\"id\":7}}";
    let read = listed(text, ListingForm::Ndjson, "m.ndjson").unwrap();
    assert_eq!(read, [file("a", &[]), file("b", &[("id", "7")])]);
    let text = b"{\"path\": \"a\"}\n{\"path\": \"\"}\nb\n{\"path\": \"a\\u0000\"}\n{\"path\": \"a\", \"x\": 1}\n";
    assert_eq!(
        reasons(listed(text, ListingForm::Ndjson, "m")),
        [
            "m: line 2: its path is empty",
            "m: line 3: cannot be read; no object begins here",
            "m: line 4: contains a NUL byte",
            "m: line 5: cannot be read; unknown field `x`, expected `path` or `owner`, column 17",
        ]
    );
}

#[test]
fn paths_end_at_nul_bytes_or_at_line_ends() {
    assert_eq!(paths(b"a\r\nb c\n\n,\"d\"\n"), ["a", "b c", ",\"d\""]);
    assert_eq!(paths(b"\xef\xbb\xbfa\nb"), ["a", "b"]);
    assert_eq!(paths(b"a\nb\0c\r\n\0"), ["a\nb", "c\r\n"]);
    assert_eq!(paths(b"\n"), [""; 0]);
    assert_eq!(
        reasons(listed(b"a\nM\xfcller\nb\xc3\n", ListingForm::Paths, "-")),
        ["-: line 2: the path `M\\xfcller` is not UTF-8", "-: line 3: the path `b\\xc3` is not UTF-8"]
    );
    assert_eq!(reasons(listed(b"a\0\xff\0", ListingForm::Paths, "-")), ["-: path 2: the path `\\xff` is not UTF-8"]);
}

#[test]
fn the_beginning_of_a_text_decides_its_form() {
    for (text, expected) in [
        ("{\"path\": \"a\"}\n", ListingForm::Ndjson),
        ("path,username\na,b\n", ListingForm::Csv),
        ("\u{feff}\"username\",\"path\"\r\na,b\n", ListingForm::Csv),
        ("path\tusername\r\na\tb\n", ListingForm::Tsv),
        ("a,path\tb\n", ListingForm::Paths),
        ("a.db\nb.db\n", ListingForm::Paths),
        ("./path\nb.db\n", ListingForm::Paths),
        ("paths,username\n", ListingForm::Paths),
        ("a.db\0b.db\0", ListingForm::Paths),
        ("", ListingForm::Paths),
    ] {
        assert_eq!(ListingForm::of_text(text.as_bytes(), "-"), Ok(expected), "{text:?}");
    }
    let refused = |text: &[u8]| reasons(ListingForm::of_text(text, "-").map_err(|refusal| vec![refusal]));
    assert_eq!(refused(b"path\na.db\n"), ["-: line 1: is `path` alone, which may be a header or the name of a file"]);
    let noise = "-: is neither a SQLite database nor a text that names files";
    assert_eq!(refused(b"\x8f\x02\xe1\x90\x1b\x77"), [noise]);
}

#[test]
fn the_ending_of_a_name_decides_its_form() {
    for (name, expected) in [
        ("m.csv", Some(ListingForm::Csv)),
        ("a.db/M.TSV", Some(ListingForm::Tsv)),
        ("m.ndjson", Some(ListingForm::Ndjson)),
        ("m.jsonl", Some(ListingForm::Ndjson)),
        ("m.txt", None),
        ("csv", None),
    ] {
        assert_eq!(ListingForm::of_name(name), expected, "{name}");
    }
}

#[test]
fn members_have_the_values_of_list_and_patterns_in_order_of_their_paths() {
    let named = vec![file("t/b/x.db", &[("plan", "pro")]), file("t/a/x.db", &[])];
    let patterns = [pattern("t/%{tenant}/*.db"), pattern("(?<stem>[^/]+)[.]db$")];
    assert_eq!(
        joined(named, &patterns).unwrap(),
        [
            file("t/a/x.db", &[("tenant", "a"), ("stem", "x")]),
            file("t/b/x.db", &[("tenant", "b"), ("stem", "x"), ("plan", "pro")]),
        ]
    );
}

#[test]
fn a_path_named_twice_is_refused_in_every_spelling() {
    let named = ["b", "a", "b", ".//a", "a/../b", "link"].map(MemberFile::new).to_vec();
    let canonical = |path: &str| matches!(path, "a/../b" | "link" | "b").then(|| PathBuf::from("/srv/b"));
    assert_eq!(
        reasons(members(named, &[], "x", &canonical)),
        [
            "a: is the same file as .//a",
            "b: is the same file as a/../b",
            "b: is the same file as a/../b",
            "link: is the same file as a/../b",
        ]
    );
    let twice = vec![file("a", &[("n", "1")]), file("a", &[("n", "1")])];
    assert_eq!(reasons(joined(twice, &[])), ["a: is named twice"], "and not refused for its owner, too");
}

#[test]
fn two_files_with_the_same_values_are_refused() {
    let named = vec![file("t/a/1.db", &[]), file("t/a/2.db", &[]), file("t/b/1.db", &[]), file("u/a/3.db", &[])];
    let same = "has the same owner as t/a/1.db: tenant = \"a\"";
    let refused = reasons(joined(named, &[pattern("%{tenant}/*.db")]));
    assert_eq!(refused, [format!("t/a/2.db: {same}"), format!("u/a/3.db: {same}")]);
    assert!(joined(vec![MemberFile::new("a"), MemberFile::new("b")], &[]).is_ok(), "no values are compared here");
}

#[test]
fn every_refusal_of_a_list_is_made_at_once() {
    let named = ["t/a/1.db", "t/a/2.db", "t/./b/1.db", "t/b/1.db", "t/c.db"].map(MemberFile::new).to_vec();
    assert_eq!(
        reasons(joined(named, &[pattern("t/%{tenant}/*.db")])),
        [
            "t/c.db: --owner-from 't/%{tenant}/*.db' does not match this path",
            "t/b/1.db: is the same file as t/./b/1.db",
            "t/a/2.db: has the same owner as t/a/1.db: tenant = \"a\"",
        ]
    );
}

#[test]
fn a_pattern_that_fits_no_path_is_refused_once() {
    let named = || (0..5_000).map(|n| MemberFile::new(format!("t/{n}.db"))).collect::<Vec<_>>();
    let expected = "--owner-from 'x/%{a}.db': fits none of the 5000 paths; the first one is t/0.db";
    assert_eq!(reasons(joined(named(), &[pattern("x/%{a}.db")])), [expected]);
    assert_eq!(
        reasons(joined(named()[..1].to_vec(), &[pattern("x/%{a}.db")])),
        ["t/0.db: --owner-from 'x/%{a}.db' does not match this path"]
    );
    let refused = joined(named(), &[pattern("t/(?<a>1)?")]).unwrap_err();
    assert_eq!(refused.len(), FAULTS_LISTED + 1);
    // Five thousand files; those with a 1 at the beginning are 1, 10 to 19, 100 to 199 and 1000 to 1999.
    assert_eq!(refused[FAULTS_LISTED].reason, "has 110 more refusals, which are not listed");
}

#[test]
fn a_value_with_two_origins_is_refused() {
    let named = vec![file("t/a", &[]), file("t/b", &[("tenant", "c"), ("plan", "pro")])];
    let patterns = [pattern("t/%{tenant}"), pattern("(?<tenant>.)$")];
    assert_eq!(
        reasons(joined(named, &patterns)),
        [
            "--owner-from 't/%{tenant}': yields the value `tenant`, which has another origin, too: the manifest, for t/b",
            "--owner-from '(?<tenant>.)$': yields the value `tenant`, which has another origin, too: --owner-from 't/%{tenant}'",
        ]
    );
}

#[test]
fn an_empty_list_is_refused() {
    assert_eq!(reasons(joined(Vec::new(), &[])), ["--sources x: names no file"]);
}

#[test]
fn each_member_needs_the_values_of_its_owner_and_no_other_has_the_same() {
    let named = [
        file("a", &[("username", "ada"), ("host", "1")]),
        file("b", &[("username", "ada"), ("host", "2")]),
        file("c", &[("host", "1")]),
    ];
    assert_eq!(
        reasons(owned(&named, &["username"], "x")),
        ["c: has no value `username`, which the owner needs", "b: has the same owner as a: username = \"ada\"",]
    );
    assert_eq!(owned(&named[..2], &["username", "host"], "x"), Ok(()));
    let refused = owned(&named, &["user_name"], "x").unwrap_err();
    assert_eq!(refused[0].reason, "no file has a value `user_name`, which the owner needs");
    assert!(refused[0].advice.starts_with("Did you mean `username`? "), "{refused:?}");
}

#[test]
fn a_hundred_thousand_paths_are_a_list_in_order() {
    let text: String = (0..100_000).rev().map(|n| format!("storage/tenants/t{n:05}/main.sqlite3\n")).collect();
    let named = listed(text.as_bytes(), ListingForm::Paths, "-").unwrap();
    let all = joined(named, &[pattern("tenants/%{tenant}/main.sqlite3")]).unwrap();
    assert_eq!((all.len(), all[0].values["tenant"].as_str()), (100_000, "t00000"));
    assert!(all.is_sorted());
}
