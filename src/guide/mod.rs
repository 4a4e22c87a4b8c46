//! The guide: the reference that an operator reads with `migrate guide` and `migrate explain`.
//!
//! Its pages are Markdown files of this folder, compiled in, so that the text on a machine is always that of the binary.

mod json_schema;

use std::fmt::Write;

use crate::model::fault::Reason;

pub use json_schema::json_schema;

/// A page of the guide.
#[derive(Clone, Copy, Debug)]
pub struct Topic {
    /// The word that `migrate guide` takes.
    pub name: &'static str,
    /// One line for the list of topics.
    pub summary: &'static str,
    page: &'static str,
}

/// All topics, in the order in which an operator needs them.
pub const TOPICS: [Topic; 12] = [
    Topic { name: "schema", summary: "tables of PostgreSQL for a SQLite file", page: include_str!("schema.md") },
    Topic { name: "init", summary: "how a mapping is proposed from two databases", page: include_str!("init.md") },
    Topic { name: "mapping", summary: "the mapping language, every key once", page: include_str!("mapping.md") },
    Topic {
        name: "cutover",
        summary: "the runbook: who does what and when, at each exit status",
        page: include_str!("cutover.md"),
    },
    Topic { name: "fleet", summary: "many files, each with an owner of its own", page: include_str!("fleet.md") },
    Topic {
        name: "connections",
        summary: "connection strings by host, TLS, poolers, rights",
        page: include_str!("connections.md"),
    },
    Topic { name: "reports", summary: "exit status, verdicts, JSON, the fault file", page: include_str!("reports.md") },
    Topic {
        name: "reasons",
        summary: "each reason for which a row cannot be loaded",
        page: include_str!("reasons.md"),
    },
    Topic {
        name: "guarantees",
        summary: "each guarantee and the tests that hold it",
        page: include_str!("guarantees.md"),
    },
    Topic { name: "limits", summary: "versions, types, memory, what is refused", page: include_str!("limits.md") },
    Topic {
        name: "versions",
        summary: "what later versions read, and what programs may rely on",
        page: include_str!("versions.md"),
    },
    Topic { name: "speed", summary: "measurements, compared with other tools", page: include_str!("speed.md") },
];

/// The whole mapping language as one TOML file, every key with a comment.
pub const REFERENCE: &str = include_str!("reference.toml");

/// Returns the first words of the tool: its purpose, a first migration, and the places of help.
pub fn welcome() -> String {
    include_str!("welcome.txt").replace("{version}", env!("CARGO_PKG_VERSION"))
}

/// Returns the list of topics, as `migrate guide` prints it.
pub fn overview() -> String {
    let mut text = "Topics, each printed by `migrate guide TOPIC`:\n\n".to_owned();
    for topic in TOPICS {
        let _ = writeln!(text, "  {:<12} {}", topic.name, topic.summary);
    }
    text + "\n`migrate explain REASON` prints one reason of a faulty row; `migrate guide reasons` prints all of them.\n"
}

/// Returns the page of a topic as Markdown; `None` if no topic has this name.
pub fn page(name: &str) -> Option<String> {
    let topic = TOPICS.iter().find(|topic| topic.name == name)?;
    let reference = format!("```toml\n{REFERENCE}```");
    Some(topic.page.replace("{reference}", &reference))
}

/// Returns the section of the reasons' page about one reason: its example and every way out; `None` for an unknown word.
pub fn explain(word: &str) -> Option<String> {
    let reason = Reason::ALL.iter().find(|reason| reason.word() == word)?;
    section(include_str!("reasons.md"), reason.word())
}

/// Returns the section below a heading of the second level, without the heading's marks.
fn section(page: &str, heading: &str) -> Option<String> {
    let start = page.find(&format!("\n## {heading}\n"))? + "\n## ".len();
    let text = &page[start..];
    let text = text.find("\n## ").map_or(text, |end| &text[..end]);
    Some(text.trim_end().to_owned() + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_section_and_every_section_a_reason() {
        let page = include_str!("reasons.md");
        let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        let words: Vec<&str> = Reason::ALL.iter().map(|reason| reason.word()).collect();
        assert_eq!(headings, words);
    }

    #[test]
    fn a_section_ends_before_the_next_heading() {
        let text = explain("excess-scale").unwrap_or_default();
        assert!(text.starts_with("excess-scale\n") && text.contains("round = true") && !text.contains("## "), "{text}");
        assert!(explain("no-such-reason").is_none());
    }

    #[test]
    fn a_page_has_no_placeholder_left() {
        for topic in TOPICS {
            let text = page(topic.name).unwrap_or_default();
            assert!(text.starts_with("# ") && !text.contains("{reference}"), "{}", topic.name);
        }
    }
}
