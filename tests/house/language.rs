//! The language of comments, messages and names: openings and words that the rules exclude.

use std::collections::HashMap;

use regex::Regex;

use super::at_most;
use super::source::{SourceFile, files};

/// First words of a doc comment that announce a question instead of naming the thing.
const OPENINGS: &str = "What|Whether|How|Of|Which|Where|Why|When|Whose|Whom|Who";

/// Words with a plainer synonym. A phrase is several words in a row, also across lines.
const WORDS: [&str; 36] = [
    "anybody",
    "aside",
    "behind",
    "beside",
    "condemned",
    "convict",
    "go on",
    "goes on",
    "gone",
    "going on",
    "lies",
    "looked whether",
    "looks whether",
    "mend",
    "mended",
    "mending",
    "mends",
    "nobody",
    "of before",
    "put back",
    "puts back",
    "putting back",
    "set aside",
    "somebody",
    "stand beside",
    "stands",
    "take back",
    "take off",
    "taken back",
    "taken off",
    "takes back",
    "takes off",
    "taking back",
    "taking off",
    "told",
    "went on",
];

/// Serialised names, which stay as they are: the word, and the identifier that contains it.
const SERIALISED: [(&str, &str); 2] = [
    // A key of the JSON report: rows of a lookup that are quarantined.
    ("aside", "set_aside"),
    ("set aside", "set_aside"),
];

/// Serialised words of several parts: the phrase, and how the code writes it. Names of steps in the JSON report.
const QUOTED: [(&str, &str); 2] = [("put back", "\"put back\""), ("take back", "\"take back\"")];

/// The files that people write: not the golden ones, which hold what the tool printed, and not this list.
fn written() -> Vec<SourceFile> {
    let extensions = ["rs", "sql", "sh", "toml"];
    let all = files("src", &extensions).into_iter().chain(files("tests", &extensions));
    all.filter(|file| file.path != "tests/house/language.rs" && !file.path.starts_with("tests/golden/")).collect()
}

/// A word of a text: of a sentence, of an identifier's parts, of a string.
struct Word<'a> {
    at: usize,
    text: &'a str,
}

/// The words of a text, with identifiers split at `_` and at capitals.
fn words(text: &str) -> Vec<Word<'_>> {
    let word = Regex::new(r"\\[nrt]|[A-Z]?[a-z]+|[A-Z]+").expect("a pattern");
    let hits = word.find_iter(text).filter(|hit| !hit.as_str().starts_with('\\'));
    hits.map(|hit| Word { at: hit.start(), text: hit.as_str() }).collect()
}

/// The identifier around a place.
fn identifier(text: &str, at: usize) -> &str {
    let is_part = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    let from = at - text.as_bytes()[..at].iter().rev().take_while(|b| is_part(b)).count();
    let to = at + text.as_bytes()[at..].iter().take_while(|b| is_part(b)).count();
    &text[from..to]
}

/// Returns true if only spaces, line breaks and the marks of comments separate two words.
fn adjacent(text: &str, first: &Word, second: &Word) -> bool {
    text[first.at + first.text.len()..second.at].chars().all(|c| c.is_whitespace() || "_/!\\#-".contains(c))
}

/// The phrases of a list in a text: each with its place.
fn phrases<'p>(text: &str, list: &[&'p str]) -> Vec<(&'p str, usize)> {
    let words = words(text);
    let mut by_first: HashMap<&str, Vec<(&'p str, Vec<&'p str>)>> = HashMap::new();
    for phrase in list {
        let parts: Vec<&str> = phrase.split(' ').collect();
        by_first.entry(parts[0]).or_default().push((*phrase, parts));
    }
    let mut found = Vec::new();
    for (n, word) in words.iter().enumerate() {
        for (phrase, parts) in by_first.get(word.text.to_ascii_lowercase().as_str()).into_iter().flatten() {
            let window = words.get(n..n + parts.len()).unwrap_or_default();
            let same = window.iter().zip(parts).all(|(word, wanted)| word.text.eq_ignore_ascii_case(wanted));
            if !window.is_empty() && same && window.windows(2).all(|pair| adjacent(text, &pair[0], &pair[1])) {
                found.push((*phrase, word.at));
            }
        }
    }
    found
}

#[test]
fn a_doc_comment_opens_with_a_noun_phrase_or_a_verb() {
    let opening = Regex::new(&format!(r"(?m)^(\s*//[/!]) ({OPENINGS})\b.*$")).expect("a pattern");
    let mut offences = Vec::new();
    for file in written().iter().filter(|file| file.path.ends_with(".rs")) {
        for hit in opening.captures_iter(&file.text) {
            let (mark, whole) = (hit[1].trim(), hit.get(0).expect("a match"));
            let before = file.text[..whole.start()].trim_end_matches('\n').lines().next_back().unwrap_or_default();
            let first_of_its_paragraph = !before.trim().starts_with(mark) || before.trim() == mark;
            if first_of_its_paragraph {
                offences.push(format!(
                    "{}: {}",
                    file.place(hit.get(2).expect("a word").start()),
                    whole.as_str().trim()
                ));
            }
        }
    }
    at_most(0, "an opening of a doc comment", &offences);
}

#[test]
fn words_with_a_plainer_synonym_are_not_used() {
    let mut offences = Vec::new();
    for file in written() {
        for (phrase, at) in phrases(&file.text, &WORDS) {
            let quoted =
                |(word, written): &(&str, &str)| *word == phrase && at > 0 && file.text[at - 1..].starts_with(written);
            let is_serialised = SERIALISED.contains(&(phrase, identifier(&file.text, at))) || QUOTED.iter().any(quoted);
            if !is_serialised {
                let begin = file.text[..at].rfind('\n').map_or(0, |n| n + 1);
                let line = file.text[begin..].lines().next().unwrap_or_default();
                offences.push(format!("{}: `{phrase}`: {}", file.place(at), line.trim()));
            }
        }
    }
    at_most(0, "a word with a plainer synonym", &offences);
}

#[test]
fn a_phrase_is_found_across_lines_and_inside_identifiers() {
    let text = "// it was put\n    /// back by put_back, PutBack, put (back)";
    assert_eq!(phrases(text, &["put back"]).len(), 3);
}
