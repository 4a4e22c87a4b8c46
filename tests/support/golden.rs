//! Whole texts as people see them, compared with files under `tests/golden/`.
//!
//! After a wanted change: `MIGRATE_GOLDEN=write cargo test`, then read the difference before committing.

use std::fs;

use regex::Regex;

/// Texts that differ between runs and machines, each with its replacement.
pub struct Redactor {
    literals: Vec<(String, String)>,
    patterns: Vec<(Regex, &'static str)>,
}

impl Redactor {
    /// Takes out times, durations, rates, sizes, digests and process numbers.
    pub fn new() -> Redactor {
        let patterns = [
            // JSON
            (r#""(started|seconds|at)": [0-9.e-]+"#, r#""$1": 0"#),
            // Which lane takes which part is the scheduler's choice.
            (r#""timeline": \[[^\]]*\]"#, r#""timeline": []"#),
            (r#""bytes": [0-9]+"#, r#""bytes": 0"#),
            (r#""(stamp|seed)": "[^"]*""#, r#""$1": "STAMP""#),
            (r"\b([0-9a-f]{16}|[0-9a-f]{32,64})\b", "DIGEST"),
            // Text
            (r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d(:?\d\d)?)?", "TIME"),
            (r"\b\d+(\.\d+)? (ms|s|min|h)\b", "DURATION"),
            (r"\b[\d,.]+( [kM])? rows/s", "RATE"),
            (r"\b\d[\d,.]* (B|kB|KiB|MB|MiB|GB|GiB|bytes)\b", "SIZE"),
            (r"modified:[\d.]+", "modified:TIME"),
            (r"server process \d+", "server process PID"),
            // Tables of the report: seconds, rows per second.
            (r" +\d+\.\d\d +(-|[\d,.]+) +(loaded|planned|partial|not-empty)", "  SECONDS  RATE  $2"),
            (r" +\d+\.\d\d +(loaded|planned|partial|not-empty)", "  SECONDS  $1"),
            (r"(?m)^(  [a-z][a-z ]*?) +\d+\.\d\d$", "$1  SECONDS"),
            (r"(?m)^(  load  .*?) +seconds( +rows/s)? +state$", "$1  seconds  state"),
            (r"(?m)^  time     .*$", "  time     DURATION"),
            (r"-{20,}", "--------------------"),
        ];
        let compile = |(pattern, word)| (Regex::new(pattern).expect("a pattern"), word);
        Redactor { literals: Vec::new(), patterns: patterns.map(compile).into() }
    }

    /// Takes nothing out.
    pub fn nothing() -> Redactor {
        Redactor { literals: Vec::new(), patterns: Vec::new() }
    }

    /// A redactor for pages, which removes only the style sheet: it is the same in every page.
    pub fn no_style() -> Redactor {
        let style = Regex::new("(?s)<style>.*?</style>").expect("a pattern");
        Redactor { literals: Vec::new(), patterns: vec![(style, "<style></style>")] }
    }

    /// A text that is to read as `word`: a path, the name of a database.
    pub fn literal(mut self, text: impl ToString, word: &str) -> Redactor {
        self.literals.push((text.to_string(), word.to_owned()));
        self
    }

    /// The text with everything taken out.
    pub fn apply(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (from, to) in &self.literals {
            text = text.replace(from.as_str(), to);
        }
        for (pattern, word) in &self.patterns {
            text = pattern.replace_all(&text, *word).into_owned();
        }
        text
    }
}

/// The redacted text is, letter for letter, what the file holds.
#[track_caller]
pub fn same(name: &str, text: &str, redactor: &Redactor) {
    let path = super::repo("tests/golden").join(name);
    let text = redactor.apply(text);
    if std::env::var_os("MIGRATE_GOLDEN").is_some_and(|v| v == "write") {
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder of golden files");
        fs::write(&path, &text).expect("a golden file");
        return;
    }
    let held = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{name}: {e}; MIGRATE_GOLDEN=write makes it"));
    if held != text {
        let first = held.lines().zip(text.lines()).position(|(a, b)| a != b);
        let line = first.unwrap_or(held.lines().count().min(text.lines().count()));
        let at = |text: &str| text.lines().nth(line).unwrap_or("(end)").to_owned();
        panic!(
            "{name}, line {}:\n  held:  {}\n  found: {}\n\nfound as a whole:\n{text}",
            line + 1,
            at(&held),
            at(&text)
        );
    }
}
