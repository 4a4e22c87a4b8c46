//! The form of a glob: a path whose components may contain `*`, `?`, `[a-z]`, `[!a-z]` and `%{name}`, or be `**`.
//!
//! As in a shell, no wildcard matches a `/`, none at the beginning of a component matches a `.`, and a backslash makes the
//! next character an ordinary one. `%{name}` is a `*` of at least one character whose text is the value `name`.
//!
//! The usual library skips file names that are not UTF-8 without a word, and has no named part.

use std::iter::Peekable;
use std::str::Chars;

use crate::model::record::Refusal;

/// A parsed glob. Empty components and `.` are removed.
#[derive(Debug, PartialEq, Eq)]
pub struct Glob {
    text: String,
    is_absolute: bool,
    components: Vec<Component>,
    names: Vec<String>,
}

/// The text between two slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Component {
    /// A name without wildcards.
    Exact(String),
    /// All names that a regular expression matches as a whole. Each `%{name}` is a group of it.
    Matching {
        /// The expression, without anchors.
        expression: String,
        /// True if it may match a name that begins with a dot.
        takes_hidden: bool,
    },
    /// `**`: any number of folders, none included.
    AnyDepth,
}

impl Glob {
    /// Parses a glob. `place` is the flag that holds it.
    ///
    /// # Errors
    /// Every component that cannot be read.
    pub fn parse(place: &str, text: &str) -> Result<Glob, Vec<Refusal>> {
        let mut glob = Glob {
            text: text.to_owned(),
            is_absolute: text.starts_with('/'),
            components: Vec::new(),
            names: Vec::new(),
        };
        let mut refusals = Vec::new();
        for part in text.split('/').filter(|part| !part.is_empty() && *part != ".") {
            match glob.component(part) {
                // Two in a row mean no more than one.
                Ok(Component::AnyDepth) if glob.components.last() == Some(&Component::AnyDepth) => {}
                Ok(component) => glob.components.push(component),
                Err(fault) => refusals.push(Refusal::new(place, fault.what(part), fault.advice())),
            }
        }
        if glob.components.last() == Some(&Component::AnyDepth) {
            glob.components.push(Component::Matching { expression: "[^/]*".to_owned(), takes_hidden: false });
        }
        if refusals.is_empty() { Ok(glob) } else { Err(refusals) }
    }

    /// Returns true if a text contains a `%{`, which is no syntax of a regular expression before a name.
    pub fn is_template(text: &str) -> bool {
        let begins_name = |rest: &str| rest.starts_with(|c: char| c.is_alphabetic() || c == '_');
        text.match_indices("%{").any(|(at, found)| begins_name(&text[at + found.len()..]))
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// True if it begins with a `/`.
    pub fn is_absolute(&self) -> bool {
        self.is_absolute
    }

    /// Its components. The last one is never [`Component::AnyDepth`].
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// The names of its `%{name}`.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The regular expression of a path without empty components and `.`, without anchors and the leading `/`.
    pub(super) fn expression(&self) -> String {
        let mut all = String::new();
        for (n, component) in self.components.iter().enumerate() {
            match component {
                Component::Exact(name) => all.push_str(&regex::escape(name)),
                Component::Matching { expression, .. } => all.push_str(expression),
                Component::AnyDepth => {
                    all.push_str("(?:[^/]+/)*");
                    continue;
                }
            }
            if n + 1 < self.components.len() {
                all.push('/');
            }
        }
        all
    }

    fn component(&mut self, part: &str) -> Result<Component, GlobFault> {
        if part == "**" {
            return Ok(Component::AnyDepth);
        }
        let (mut expression, mut exact) = (String::new(), Some(String::new()));
        let mut chars = part.chars().peekable();
        while let Some(c) = chars.next() {
            let wildcard = match c {
                '*' => "[^/]*".to_owned(),
                '?' => "[^/]".to_owned(),
                '[' => class(&mut chars)?,
                '%' if chars.next_if_eq(&'{').is_some() => self.named(&mut chars)?,
                c => {
                    let c = if c == '\\' { chars.next().ok_or(GlobFault::OpenBackslash)? } else { c };
                    expression.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
                    exact.iter_mut().for_each(|exact| exact.push(c));
                    continue;
                }
            };
            expression.push_str(&wildcard);
            exact = None;
        }
        let takes_hidden = part.trim_start_matches('\\').starts_with('.');
        Ok(exact.map_or(Component::Matching { expression, takes_hidden }, Component::Exact))
    }

    /// The rest of a `%{name}`, as a group.
    fn named(&mut self, chars: &mut Peekable<Chars<'_>>) -> Result<String, GlobFault> {
        let mut name = String::new();
        loop {
            match chars.next() {
                Some('}') => break,
                Some(c) => name.push(c),
                None => return Err(GlobFault::OpenName),
            }
        }
        let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_word || name.starts_with(|c: char| c.is_ascii_digit()) || name.is_empty() {
            return Err(GlobFault::NoName);
        }
        if self.names.contains(&name) {
            return Err(GlobFault::NamedTwice(name));
        }
        let group = format!("(?<{name}>[^/]+)");
        self.names.push(name);
        Ok(group)
    }
}

/// The rest of a `[...]`, as a class of a regular expression. A `]` that comes first is an ordinary character.
fn class(chars: &mut Peekable<Chars<'_>>) -> Result<String, GlobFault> {
    let mut class = String::from("[");
    if chars.next_if(|c| matches!(c, '!' | '^')).is_some() {
        class.push_str("^/");
    }
    let escaped = |class: &mut String, c: char| class.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
    let mut is_first = true;
    loop {
        let from = chars.next().ok_or(GlobFault::OpenClass)?;
        if from == ']' && !is_first {
            class.push(']');
            return Ok(class);
        }
        is_first = false;
        escaped(&mut class, from);
        let mut ahead = chars.clone();
        if ahead.next() == Some('-')
            && let Some(to) = ahead.next().filter(|to| *to != ']')
        {
            if to < from {
                return Err(GlobFault::EmptyRange);
            }
            class.push('-');
            escaped(&mut class, to);
            *chars = ahead;
        }
    }
}

/// A component that cannot be read.
enum GlobFault {
    OpenBackslash,
    OpenClass,
    EmptyRange,
    OpenName,
    NoName,
    NamedTwice(String),
}

impl GlobFault {
    fn what(&self, part: &str) -> String {
        match self {
            GlobFault::OpenBackslash => format!("`{part}` ends in a backslash, which quotes nothing"),
            GlobFault::OpenClass => format!("`{part}` opens a `[` that is not closed"),
            GlobFault::EmptyRange => format!("`{part}` has a range whose end is before its beginning"),
            GlobFault::OpenName => format!("`{part}` opens a `%{{` that is not closed"),
            GlobFault::NoName => {
                format!("`{part}` has a `%{{...}}` without a name of ASCII letters, digits and underscores")
            }
            GlobFault::NamedTwice(name) => format!("`{part}` has `%{{{name}}}` a second time"),
        }
    }

    fn advice(&self) -> &'static str {
        match self {
            GlobFault::OpenBackslash => "Write `\\\\` for a backslash, or leave it out.",
            GlobFault::OpenClass => "Close it, or write `[[]` for the character itself.",
            GlobFault::EmptyRange => "Write the smaller character first, as in `[a-z]`.",
            GlobFault::OpenName => "Close it, as in `%{username}`, or write `[%]{` for the characters themselves.",
            GlobFault::NoName => {
                "Name the column of the owner's table, as in `%{username}`, or write `[%]{` for the characters themselves."
            }
            GlobFault::NamedTwice(_) => "Name it in one of the places, and write `*` in the other one.",
        }
    }
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    fn parse(text: &str) -> Glob {
        Glob::parse("--sources", text).unwrap()
    }

    fn matches(glob: &str, path: &str) -> bool {
        Regex::new(&format!(r"\A(?:{})\z", parse(glob).expression())).unwrap().is_match(path)
    }

    #[test]
    fn wildcards_match_as_in_a_shell() {
        for (glob, path, expected) in [
            ("a/*/b.db", "a/x/b.db", true),
            ("a/*/b.db", "a/x/y/b.db", false),
            ("a/*/b.db", "a/x/bxdb", false),
            ("a?.db", "aé.db", true),
            ("a?.db", "a/.db", false),
            ("[a-c]x", "bx", true),
            ("[a-c]x", "dx", false),
            ("[!a-c]x", "dx", true),
            ("[^a-c]x", "bx", false),
            ("a[!b]c", "a/c", false),
            ("[]x]", "]", true),
            ("[a-]", "-", true),
            ("[&&b]", "&", true),
            ("[[]", "[", true),
            (r"a\*b", "a*b", true),
            (r"a\*b", "axb", false),
            ("**/b", "b", true),
            ("a/**/b", "a/x/y/b", true),
            ("a/**/b", "a/b", true),
            ("a/**", "a/x/y", true),
            ("a/**", "a", false),
            ("a/**/**/b", "a/x/b", true),
            ("./a//b/", "a/b", true),
            ("a+(b)", "a+(b)", true),
            ("100%", "100%", true),
            ("%a", "%a", true),
        ] {
            assert_eq!(matches(glob, path), expected, "{glob} {path}");
        }
    }

    #[test]
    fn a_component_without_wildcards_is_exact() {
        assert_eq!(
            parse(r"/a.b/..\[").components(),
            [Component::Exact("a.b".to_owned()), Component::Exact("..[".to_owned())]
        );
        assert!(parse("/a").is_absolute() && !parse("a").is_absolute());
    }

    #[test]
    fn only_a_component_that_begins_with_a_dot_takes_hidden_names() {
        for (glob, expected) in [("*", false), (".*", true), ("[.]x", false), ("?x", false), (r"\.*", true)] {
            let glob = parse(glob);
            let [Component::Matching { takes_hidden, .. }] = glob.components() else { panic!("{glob:?}") };
            assert_eq!(*takes_hidden, expected, "{glob:?}");
        }
    }

    #[test]
    fn every_component_that_cannot_be_read_is_refused() {
        let refusals = Glob::parse("--sources", r"[a/%{b/%{1}/%{}/%{c}/%{c}/[z-a]/d\").unwrap_err();
        let reasons: Vec<&str> = refusals.iter().map(|r| r.reason.as_str()).collect();
        assert_eq!(
            reasons,
            [
                "`[a` opens a `[` that is not closed",
                "`%{b` opens a `%{` that is not closed",
                "`%{1}` has a `%{...}` without a name of ASCII letters, digits and underscores",
                "`%{}` has a `%{...}` without a name of ASCII letters, digits and underscores",
                "`%{c}` has `%{c}` a second time",
                "`[z-a]` has a range whose end is before its beginning",
                r"`d\` ends in a backslash, which quotes nothing",
            ]
        );
    }

    #[test]
    fn a_repetition_of_a_regular_expression_is_no_template() {
        assert!(Glob::is_template("a/%{tenant}/b") && Glob::is_template("%{2}%{a}"));
        assert!(!Glob::is_template("%{2}") && !Glob::is_template("(?P<a>x{2})") && !Glob::is_template("%{"));
    }
}
