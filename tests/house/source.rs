//! The source files as the rules read them: the text, the code without comments and strings, the module's path.

use std::path::{Path, PathBuf};

use regex::Regex;

use crate::support::repo;

/// A source file.
pub struct SourceFile {
    /// The path below the repository, such as `src/plan/build.rs`.
    pub path: String,
    /// The whole text.
    pub text: String,
    /// The text with comments and the content of strings replaced by spaces, up to the unit tests. Empty unless Rust.
    pub code: String,
    /// True if the whole file is unit tests: it belongs to a module that is declared under `#[cfg(test)]`.
    pub is_unit_tests: bool,
}

impl SourceFile {
    /// The place of a byte of the text, as `file:line`.
    pub fn place(&self, byte: usize) -> String {
        format!("{}:{}", self.path, line_of(&self.text, byte))
    }

    /// The module's path below the crate, such as `["plan", "build"]` for `src/plan/build.rs`.
    pub fn module(&self) -> Vec<String> {
        let path = self.path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
        path.split('/').map(str::to_owned).collect()
    }
}

/// The number of the line that holds a byte, counted from 1.
pub fn line_of(text: &str, byte: usize) -> usize {
    text.as_bytes()[..byte].iter().filter(|b| **b == b'\n').count() + 1
}

/// The Rust files of `src/`.
pub fn rust() -> Vec<SourceFile> {
    let mut found = files("src", &["rs"]);
    assert!(found.len() > 50, "src/ was not found as a whole");
    let declaration = Regex::new(r"#\[cfg\(test\)\]\s*(?:#\[[^\]]*\]\s*)*mod (\w+);").expect("a pattern");
    let mut tests = Vec::new();
    for file in &found {
        for hit in declaration.captures_iter(&file.text) {
            tests.push([file.module(), vec![hit[1].to_owned()]].concat());
        }
    }
    for file in &mut found {
        let module = file.module();
        file.is_unit_tests = file.path.ends_with("_tests.rs") || tests.iter().any(|test| module.starts_with(test));
    }
    found
}

/// The files of a folder with these extensions, in order of their paths.
pub fn files(folder: &str, extensions: &[&str]) -> Vec<SourceFile> {
    let mut found = Vec::new();
    walk(&repo(folder), extensions, &mut found);
    found
}

fn walk(folder: &Path, extensions: &[&str], found: &mut Vec<SourceFile>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        if path.is_dir() {
            // Another package, with rules of its own: the files of a crate.
            if path.join("Cargo.toml").exists() {
                continue;
            }
            walk(&path, extensions, found);
        } else if extensions.contains(&extension) {
            let text = std::fs::read_to_string(&path).expect("a source file in UTF-8");
            let code = if extension == "rs" { without_unit_tests(code(&text)) } else { String::new() };
            let below = path.strip_prefix(repo("")).expect("a file of the repository");
            let path = below.to_str().expect("a path in UTF-8").to_owned();
            found.push(SourceFile { path, text, code, is_unit_tests: false });
        }
    }
}

fn without_unit_tests(code: String) -> String {
    let head = Regex::new(r"#\[cfg\(test\)\]\s*mod \w+ \{").expect("a pattern");
    match head.find(&code) {
        Some(hit) => code[..hit.start()].to_owned(),
        None => code,
    }
}

/// The Rust text with comments and the content of strings replaced by spaces. Every byte keeps its place.
fn code(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let (from, to) = match opaque(&bytes[at..], at.checked_sub(1).map(|n| bytes[n])) {
            Some((from, to, end)) => {
                let range = (at + from, at + to);
                at += end;
                range
            }
            None => {
                at += 1;
                continue;
            }
        };
        for byte in &mut code[from..to] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    }
    String::from_utf8(code).expect("UTF-8: whole comments and strings were replaced")
}

/// Returns, if a comment, string or character begins here: the range to replace, and the end of the token.
fn opaque(rest: &[u8], before: Option<u8>) -> Option<(usize, usize, usize)> {
    let end_of = |needle: &[u8], from: usize| {
        rest[from..].windows(needle.len()).position(|w| w == needle).map_or(rest.len(), |n| from + n)
    };
    if rest.starts_with(b"//") {
        let end = end_of(b"\n", 0);
        return Some((0, end, end));
    }
    if rest.starts_with(b"/*") {
        let end = (end_of(b"*/", 0) + 2).min(rest.len());
        return Some((0, end, end));
    }
    let in_word = before.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    if rest[0] == b'r' && (!in_word || before == Some(b'b')) {
        let hashes = rest[1..].iter().take_while(|b| **b == b'#').count();
        if rest.get(1 + hashes) == Some(&b'"') {
            let closing: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
            let end = end_of(&closing, hashes + 2);
            return Some((hashes + 2, end, (end + closing.len()).min(rest.len())));
        }
    }
    match rest[0] {
        b'"' => {
            let mut at = 1;
            while at < rest.len() && rest[at] != b'"' {
                at += if rest[at] == b'\\' { 2 } else { 1 };
            }
            Some((1, at.min(rest.len()), (at + 1).min(rest.len())))
        }
        // A character. Anything else after an apostrophe is a lifetime.
        b'\'' if rest.get(1) == Some(&b'\\') => {
            let end = end_of(b"'", 3);
            Some((1, end, (end + 1).min(rest.len())))
        }
        b'\'' => {
            let text = std::str::from_utf8(&rest[1..rest.len().min(5)]);
            let valid = text.as_ref().map_or_else(|e| e.valid_up_to(), |t| t.len());
            let first = std::str::from_utf8(&rest[1..1 + valid]).ok()?.chars().next()?.len_utf8();
            (rest.get(1 + first) == Some(&b'\'')).then_some((1, 1 + first, 2 + first))
        }
        _ => None,
    }
}

#[test]
fn comments_and_strings_are_not_code() {
    let text = "let a = 'x'; // 'y'\nfn f<'a>(b: &'a str) { r#\"one \"two\" \"#; \"a\\\"b\"; '\\''; '\"' } /* c */ d";
    let left = "let a = ' ';       \nfn f<'a>(b: &'a str) { r#\"          \"#; \"    \"; '  '; ' ' }         d";
    assert_eq!(code(text), left);
}
