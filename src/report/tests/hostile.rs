//! Every form holds its shape whatever a database's names and words contain.

use serde_json::{Map, Value};

use super::*;

/// Steers a terminal, closes tags, tables and code spans, is wide, is long, turns the reading direction.
const HOSTILE: &str = "x\u{1b}[2J</td></style><script>alert(1)</script> src=\"http://a\" | `` ``` \\| *b* [l](javascript:a)\n\n# h\n\
                       税務署の口座番号の一覧表\u{202e}\u{0}\u{9b}31m&amp;\u{301}_one_name_without_any_blank_that_is_longer_than_any_line_of_any_terminal";

/// The samples, and each again with the hostile text in every place that takes any text.
fn all() -> Vec<(&'static str, Vec<Report>)> {
    let hostile = |reports: &[Report]| {
        let mut value: Value = serde_json::from_str(&json::render(reports).expect("rendered")).expect("read");
        poison(&mut value, "");
        json::read(&value.to_string()).expect("still reports")
    };
    let samples = samples::all();
    let poisoned: Vec<_> = samples.iter().map(|(name, reports)| (*name, hostile(reports))).collect();
    samples.into_iter().chain(poisoned).collect()
}

fn poison(value: &mut Value, key: &str) {
    match value {
        // Words of the contract, which no database can set.
        Value::String(_)
            if ["state", "verdict", "class", "reason", "command", "check", "step", "difference", "by"]
                .contains(&key) => {}
        Value::String(text) => text.push_str(HOSTILE),
        Value::Array(list) => list.iter_mut().for_each(|v| poison(v, key)),
        Value::Object(map) if key == "rows" || key == "match" => {
            *map = std::mem::take(map).into_iter().map(|(k, v)| (k + HOSTILE, v)).collect::<Map<_, _>>();
        }
        Value::Object(map) => map.iter_mut().for_each(|(k, v)| poison(v, k)),
        _ => {}
    }
}

#[test]
fn no_form_lets_a_control_character_through() {
    for (name, reports) in all() {
        let forms = [
            terminal(&reports, Style { colour: false, width: 100, all: false }),
            markdown::render(&reports),
            html::render(&reports),
        ];
        for text in forms {
            let steers = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!text.contains(steers), "{name}: {:?}", text.lines().find(|l| l.contains(steers)));
        }
    }
}

#[test]
fn hostile_names_do_not_widen_the_terminal() {
    for (name, reports) in all() {
        for most in [40, 100] {
            let text = terminal(&reports, Style { colour: false, width: most, all: false });
            // The next command is to be copied, and a shell does not allow a break inside of a word.
            let laid_out = text.split("\n\n").map(|part| part.split("\nNext: ").next().unwrap_or_default());
            assert!(laid_out.flat_map(str::lines).all(|line| width(line) <= most), "{name} at {most}");
        }
    }
}

/// Bars that divide cells: those without a backslash before them.
fn cells(line: &str) -> usize {
    let mut escaped = false;
    let mut bars = 0;
    for c in line.chars() {
        bars += usize::from(c == '|' && !escaped);
        escaped = c == '\\' && !escaped;
    }
    bars
}

#[test]
fn markdown_tables_have_the_same_cells_in_each_line() {
    for (name, reports) in all() {
        let text = markdown::render(&reports);
        let mut expected = None;
        for line in text.lines() {
            if !line.starts_with('|') {
                expected = None;
                continue;
            }
            let found = cells(line);
            assert_eq!(*expected.get_or_insert(found), found, "{name}: {line}");
        }
    }
}

#[test]
fn html_is_balanced_and_loads_nothing() {
    for (name, reports) in all() {
        let page = html::render(&reports);
        assert!(page.contains("default-src 'none'") && !page.contains("@import") && !page.contains("url("), "{name}");
        let mut open: Vec<&str> = Vec::new();
        for tag in page.split('<').skip(1).filter_map(|t| t.split_once('>')).map(|(tag, _)| tag) {
            for foreign in ["script", "link", "img", "iframe", "http:", "https:", "src", "onload", "style="] {
                assert!(!tag.contains(foreign) || tag.starts_with("meta "), "{name}: <{tag}>");
            }
            let word = tag.split_whitespace().next().unwrap_or_default();
            match word.strip_prefix('/') {
                Some(closes) => assert_eq!(open.pop(), Some(closes), "{name}"),
                None if tag.ends_with('/') || ["!doctype", "meta", "br", "wbr"].contains(&word) => {}
                None => open.push(word),
            }
        }
        assert!(open.is_empty(), "{name}: {open:?}");
    }
}

#[test]
fn links_of_a_page_lead_somewhere() {
    for (name, reports) in all() {
        let page = html::render(&reports);
        let ids: Vec<&str> = page.split(" id=\"").skip(1).filter_map(|t| t.split('"').next()).collect();
        let unique: std::collections::BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), unique.len(), "{name}: {ids:?}");
        for link in page.split("href=\"#").skip(1).filter_map(|t| t.split('"').next()) {
            assert!(unique.contains(link), "{name}: {link}");
        }
    }
}
