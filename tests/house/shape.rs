//! The shape of files, functions and types: their size, their parameters, names defined once.

use std::collections::BTreeMap;

use regex::Regex;

use super::at_most;
use super::source::{SourceFile, files, line_of, rust};

const LINES_OF_A_FILE: usize = 450;
const LINES_OF_A_FUNCTION: usize = 60;
const PARAMETERS: usize = 5;
const LETTERS_OF_A_TEST: usize = 80;

/// Names that every Rust program has without an import.
const PRELUDE: [&str; 33] = [
    "AsMut",
    "AsRef",
    "Box",
    "Clone",
    "Copy",
    "Debug",
    "Default",
    "DoubleEndedIterator",
    "Drop",
    "Eq",
    "Err",
    "ExactSizeIterator",
    "Extend",
    "Fn",
    "FnMut",
    "FnOnce",
    "From",
    "FromIterator",
    "Hash",
    "Into",
    "IntoIterator",
    "Iterator",
    "None",
    "Ok",
    "Option",
    "Ord",
    "PartialEq",
    "PartialOrd",
    "Result",
    "Some",
    "String",
    "ToString",
    "Vec",
];

/// A function as its signature reads.
struct Function {
    place: String,
    name: String,
    /// The parameters without `self`.
    parameters: Vec<String>,
    lines: usize,
}

fn functions(file: &SourceFile) -> Vec<Function> {
    let head = Regex::new(r"\bfn (\w+)").expect("a pattern");
    let is_self = Regex::new(r"^(&\s*)?('\w+ )?(mut )?self\b").expect("a pattern");
    let mut found = Vec::new();
    for hit in head.captures_iter(&file.code) {
        let (whole, name) = (hit.get(0).expect("a match"), hit[1].to_owned());
        let Some((from, to)) = brackets(&file.code, whole.end(), b'(') else { continue };
        let parameters = split(&file.code[from + 1..to - 1]).into_iter().filter(|p| !is_self.is_match(p)).collect();
        let rest = &file.code[to..];
        let body = match (rest.find('{'), rest.find(';')) {
            (Some(open), semicolon) if semicolon.is_none_or(|n| open < n) => brackets(&file.code, to + open, b'{'),
            _ => None,
        };
        let end = body.map_or(to, |(_, end)| end);
        let lines = line_of(&file.code, end - 1) + 1 - line_of(&file.code, whole.start());
        found.push(Function { place: file.place(whole.start()), name, parameters, lines });
    }
    found
}

/// The range of the first pair of brackets at or after a place, both included. Skips generic parameters before `(`.
fn brackets(code: &str, from: usize, open: u8) -> Option<(usize, usize)> {
    let bytes = code.as_bytes();
    let close = if open == b'(' { b')' } else { b'}' };
    let mut angle = 0;
    let mut start = from;
    while bytes.get(start).is_some_and(|b| *b != open || (open == b'(' && angle > 0)) {
        match bytes[start] {
            b'<' => angle += 1,
            b'>' if bytes[start - 1] != b'-' => angle -= 1,
            _ => {}
        }
        start += 1;
    }
    let mut depth = 0;
    for (n, byte) in bytes.iter().enumerate().skip(start) {
        match *byte {
            b if b == open => depth += 1,
            b if b == close => depth -= 1,
            _ => continue,
        }
        if depth == 0 {
            return Some((start, n + 1));
        }
    }
    None
}

/// The parts of a list between commas that are in no brackets.
fn split(list: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut depth, mut before) = (0, ' ');
    for c in list.chars() {
        match c {
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '>' if before != '-' && before != '=' => depth -= 1,
            _ => {}
        }
        before = c;
        match c {
            ',' if depth == 0 => parts.push(String::new()),
            c => parts.last_mut().expect("a part").push(c),
        }
    }
    parts.into_iter().map(|p| p.trim().to_owned()).filter(|p| !p.is_empty()).collect()
}

fn all_functions() -> Vec<Function> {
    rust().iter().filter(|file| !file.is_unit_tests).flat_map(functions).collect()
}

#[test]
fn a_function_has_at_most_five_parameters() {
    let offences = all_functions().into_iter().filter(|f| f.parameters.len() > PARAMETERS);
    let offences: Vec<_> = offences.map(|f| format!("{}: {}: {}", f.place, f.name, f.parameters.len())).collect();
    at_most(0, "too many parameters", &offences);
}

#[test]
fn no_parameter_is_a_tuple() {
    let tuple = Regex::new(r"^(mut )?&?\(|^\w+: (&('\w+ )?(mut )?)?\([^()]*,").expect("a pattern");
    let mut offences = Vec::new();
    for function in all_functions() {
        for parameter in function.parameters.iter().filter(|p| tuple.is_match(p)) {
            offences.push(format!("{}: {}({parameter})", function.place, function.name));
        }
    }
    at_most(0, "a tuple as a parameter", &offences);
}

#[test]
fn a_function_has_at_most_sixty_lines() {
    let offences = all_functions().into_iter().filter(|f| f.lines > LINES_OF_A_FUNCTION);
    let offences: Vec<_> = offences.map(|f| format!("{}: {}: {}", f.place, f.name, f.lines)).collect();
    at_most(0, "too many lines", &offences);
}

#[test]
fn a_file_has_at_most_450_lines() {
    let mut offences = Vec::new();
    for file in rust().into_iter().chain(files("tests", &["rs"])) {
        let lines = file.text.lines().count();
        if lines > LINES_OF_A_FILE {
            offences.push(format!("{}: {lines} lines", file.path));
        }
    }
    at_most(0, "too many lines", &offences);
}

#[test]
fn every_file_opens_with_a_doc_comment() {
    let all = rust().into_iter().chain(files("tests", &["rs"]));
    let offences = all.filter(|file| !file.text.starts_with("//! ")).map(|file| file.path);
    at_most(0, "no doc comment at the top", &offences.collect::<Vec<_>>());
}

#[test]
fn no_type_name_is_defined_twice_or_taken_from_the_prelude() {
    let type_name = Regex::new(r"(?m)^(?:pub(?:\(\w+\))? )?type (\w+)|\b(?:struct|enum|union|trait) (\w+)");
    let type_name = type_name.expect("a pattern");
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in rust().iter().filter(|file| !file.is_unit_tests) {
        for hit in type_name.captures_iter(&file.code) {
            let name = hit.get(1).or(hit.get(2)).expect("a name");
            places.entry(name.as_str().to_owned()).or_default().push(file.place(name.start()));
        }
    }
    let taken = places.iter().filter(|(name, _)| PRELUDE.contains(&name.as_str()));
    let taken: Vec<_> = taken.map(|(name, places)| format!("{name}: {}", places.join(", "))).collect();
    at_most(0, "a name of the prelude", &taken);
    let twice = places.iter().filter(|(_, places)| places.len() > 1);
    let twice: Vec<_> = twice.map(|(name, places)| format!("{name}: {}", places.join(", "))).collect();
    at_most(0, "a type name defined more than once", &twice);
}

#[test]
fn the_name_of_a_test_has_at_most_80_characters() {
    let test = Regex::new(r"#\[test\]\s*(?:#\[[^\]]*\]\s*)*fn (\w+)").expect("a pattern");
    let mut offences = Vec::new();
    for file in rust().into_iter().chain(files("tests", &["rs"])) {
        for hit in test.captures_iter(&file.text) {
            if hit[1].len() > LETTERS_OF_A_TEST {
                offences.push(format!(
                    "{}: {}: {}",
                    file.place(hit.get(1).expect("a name").start()),
                    &hit[1],
                    hit[1].len()
                ));
            }
        }
    }
    at_most(0, "too long", &offences);
}
