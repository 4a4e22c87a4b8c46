//! The values that a path contains: the named groups of a regular expression, or the `%{name}` of a glob.

use regex::{Captures, Regex, RegexBuilder};

use super::glob::Glob;
use super::member::MemberFile;
use crate::model::record::Refusal;

/// The flag of a pattern that is not part of `--sources`.
const OWNER_FROM: &str = "--owner-from";

/// A pattern that takes values out of a path.
#[derive(Debug)]
pub struct Pattern {
    /// The flag that holds it, and its text.
    place: String,
    expression: Regex,
    /// The same with the shortest text for each wildcard, for a template. If the values then differ, more than one reading
    /// of the path is right.
    shortest: Option<Regex>,
}

/// The reason why a path has no values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PatternMiss {
    /// The pattern does not match.
    Unmatched,
    /// It matches in more than one way, with other values.
    Ambiguous,
}

impl Pattern {
    /// The value of `--owner-from`: a template if it contains a `%{name}`, else a regular expression. A template matches the
    /// whole path or its last components. A regular expression matches anywhere in the path, as it was named.
    ///
    /// # Errors
    /// If it cannot be read or names no value.
    pub fn owner_from(text: &str) -> Result<Pattern, Vec<Refusal>> {
        if Glob::is_template(text) {
            let glob = Glob::parse(OWNER_FROM, text)?;
            let before = if glob.is_absolute() { "/" } else { "(?:[^/]*/)*" };
            return Pattern::template(OWNER_FROM, &glob, before).map_err(|refusal| vec![refusal]);
        }
        let expression = Regex::new(text).map_err(|e| {
            // The lines before the last one repeat the expression with a mark under the place.
            let text = e.to_string();
            let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
            let advice =
                "Correct the regular expression, or write a template such as `tenants/%{username}/main.sqlite3`.";
            vec![Refusal::new(OWNER_FROM, format!("cannot be read as a regular expression; {reason}"), advice)]
        })?;
        if expression.capture_names().flatten().next().is_none() {
            let advice = "Name a group after the column of the owner's table, as in `tenants/(?P<username>[^/]+)/`.";
            return Err(vec![Refusal::new(OWNER_FROM, "has no named group, so it yields no value", advice)]);
        }
        Ok(Pattern { place: format!("{OWNER_FROM} '{text}'"), expression, shortest: None })
    }

    /// The pattern of the glob of `--sources`, which matches each whole path that the glob found. `None` if the glob names no
    /// value.
    ///
    /// # Errors
    /// If the glob is too long for a regular expression.
    pub fn of_sources(glob: &Glob) -> Result<Option<Pattern>, Refusal> {
        if glob.names().is_empty() {
            return Ok(None);
        }
        Pattern::template("--sources", glob, if glob.is_absolute() { "/" } else { "" }).map(Some)
    }

    fn template(flag: &str, glob: &Glob, before: &str) -> Result<Pattern, Refusal> {
        let text = format!(r"\A{before}{}\z", glob.expression());
        let place = format!("{flag} '{}'", glob.text());
        let compile = |is_shortest| RegexBuilder::new(&text).swap_greed(is_shortest).build();
        match (compile(false), compile(true)) {
            (Ok(expression), Ok(shortest)) => Ok(Pattern { place, expression, shortest: Some(shortest) }),
            (Err(e), _) | (_, Err(e)) => {
                Err(Refusal::new(&place, format!("cannot be used; {e}"), "Write a shorter one, or a manifest."))
            }
        }
    }

    /// The flag that holds it, and its text.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// The names of its values.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.expression.capture_names().flatten()
    }

    /// Adds the values of the path to the member.
    pub(super) fn apply(&self, member: &mut MemberFile) -> Result<(), PatternMiss> {
        let path = match self.shortest {
            Some(_) => without_empty_components(&member.path),
            None => member.path.clone(),
        };
        let captures = self.expression.captures(&path).ok_or(PatternMiss::Unmatched)?;
        if let Some(shortest) = &self.shortest {
            let other = shortest.captures(&path).ok_or(PatternMiss::Unmatched)?;
            if self.names().any(|name| text(&captures, name) != text(&other, name)) {
                return Err(PatternMiss::Ambiguous);
            }
        }
        self.names().for_each(|name| member.put(name, text(&captures, name)));
        Ok(())
    }
}

/// The text of a group; empty if it took no part in the match.
fn text<'p>(captures: &Captures<'p>, name: &str) -> &'p str {
    captures.name(name).map_or("", |group| group.as_str())
}

/// The path without empty components and `.`.
fn without_empty_components(path: &str) -> String {
    let root = if path.starts_with('/') { "/" } else { "" };
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    root.to_owned() + &parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pattern: &str, path: &str) -> Result<Vec<String>, PatternMiss> {
        let mut member = MemberFile::new(path);
        Pattern::owner_from(pattern).unwrap().apply(&mut member)?;
        Ok(member.values.into_iter().map(|(name, value)| format!("{name}={value}")).collect())
    }

    fn one(value: &str) -> Result<Vec<String>, PatternMiss> {
        Ok(vec![value.to_owned()])
    }

    #[test]
    fn a_template_matches_the_whole_path_or_its_last_components() {
        let template = "tenants/%{t}/main.db";
        assert_eq!(values(template, "tenants/a/main.db"), one("t=a"));
        assert_eq!(values(template, "/srv/tenants/a/main.db"), one("t=a"));
        assert_eq!(values(template, ".//tenants/./a/main.db"), one("t=a"));
        assert_eq!(values(template, "x/mytenants/a/main.db"), Err(PatternMiss::Unmatched));
        assert_eq!(values(template, "tenants/a/b/main.db"), Err(PatternMiss::Unmatched));
        assert_eq!(values(template, "tenants/a/main.db2"), Err(PatternMiss::Unmatched));
        assert_eq!(values("/srv/%{t}/a", "/srv/x/a"), one("t=x"));
        assert_eq!(values("/srv/%{t}/a", "/mnt/srv/x/a"), Err(PatternMiss::Unmatched));
        assert_eq!(values("%{t}.db", ".db"), Err(PatternMiss::Unmatched));
    }

    #[test]
    fn characters_of_a_regular_expression_are_ordinary_in_a_template_and_a_path() {
        for name in ["a.b", "a+b", "(a)", "a|b", "[a]", "{a}", "^a$", r"a\d", "a*", "a b", "é\n", "%{t}", "a-b"] {
            assert_eq!(values("t+(x)|y.z/%{t}/m.db", &format!("t+(x)|y.z/{name}/m.db")), one(&format!("t={name}")));
        }
        assert_eq!(values("t+(x)|y.z/%{t}/m.db", "tt(x)|y.z/a/m.db"), Err(PatternMiss::Unmatched));
    }

    #[test]
    fn a_template_that_fits_in_more_than_one_way_is_ambiguous() {
        assert_eq!(values("%{a}-%{b}.db", "x-y.db"), Ok(vec!["a=x".to_owned(), "b=y".to_owned()]));
        assert_eq!(values("%{a}-%{b}.db", "x-y-z.db"), Err(PatternMiss::Ambiguous));
        assert_eq!(values("*%{a}.db", "xy.db"), Err(PatternMiss::Ambiguous));
        assert_eq!(values("%{t}/**/m.db", "a/b/m.db"), Err(PatternMiss::Ambiguous));
        let glob = Glob::parse("--sources", "%{t}/**/m.db").unwrap();
        let mut member = MemberFile::new("a/b/m.db");
        assert_eq!(Pattern::of_sources(&glob).unwrap().unwrap().apply(&mut member), Ok(()), "it is the whole path");
        assert_eq!(member.values["t"], "a");
    }

    #[test]
    fn a_regular_expression_matches_anywhere_and_takes_its_first_match() {
        assert_eq!(values("tenants/(?P<t>[^/]+)/", "./tenants/a/tenants/b/"), one("t=a"));
        assert_eq!(values("(?<a>x)|(?<b>y)", "y"), one("b=y"), "a group that took no part is no value");
        assert_eq!(values("(?<a>x*)", "y"), Ok(vec![]), "an empty group is no value");
        assert_eq!(values("^tenants/(?<t>.*)", "./tenants/a"), Err(PatternMiss::Unmatched));
    }

    #[test]
    fn a_pattern_without_a_value_or_with_a_mistake_is_refused() {
        for (text, expected) in [
            ("tenants/([^/]+)/", "has no named group, so it yields no value"),
            ("", "has no named group, so it yields no value"),
            ("(?<a>", "cannot be read as a regular expression; unclosed group"),
            ("(?<a>x)(?<a>y)", "cannot be read as a regular expression; duplicate capture group name"),
            ("%{a}/%{a}", "`%{a}` has `%{a}` a second time"),
        ] {
            assert_eq!(Pattern::owner_from(text).unwrap_err()[0].reason, expected, "{text}");
        }
        let glob = Glob::parse("--sources", "a/*").unwrap();
        assert!(Pattern::of_sources(&glob).unwrap().is_none());
    }
}
