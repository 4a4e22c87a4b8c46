//! The text of a proposed mapping.

use super::draft::{DraftLine, DraftLoad, Ground, MappingDraft};
use crate::mapping::QUESTION_KEY;
use crate::text::{is_hostile, phrase, printable, wrapped};

/// Columns of a line of the file, comments included, where its words allow it.
const WIDTH: usize = 120;

/// Returns the file. The same draft gives the same bytes.
pub fn text(draft: &MappingDraft) -> String {
    let mut out = head(draft);
    out.push_str(&format!("format = 1\nname   = {}\n", string(&draft.name)));
    section(&mut out, "[source]", &draft.source);
    section(&mut out, "[target]", &draft.target);
    section(&mut out, "[owner]", &draft.owner);
    section(&mut out, "[sequences]", &draft.sequences);
    draft.loads.iter().for_each(|load| load_section(&mut out, load));
    section(&mut out, "[leave]", &draft.leave);
    out
}

/// Returns the lines of some loads and tables that are left, without the rest of the file.
pub fn parts(draft: &MappingDraft) -> String {
    let mut out = String::new();
    section(&mut out, "[sequences]", &draft.sequences);
    draft.loads.iter().for_each(|load| load_section(&mut out, load));
    section(&mut out, "[leave]", &draft.leave);
    out.trim_start().to_owned()
}

fn head(draft: &MappingDraft) -> String {
    let count = |ground| draft.count(ground) as u64;
    let command = if draft.is_of_schema { "schema" } else { "init" };
    let mut notes = vec![
        format!("Proposed by `migrate {command}` for {}. The file is yours: change it as you like.", draft.name),
        format!(
            "{}, {}, {}.",
            phrase(count(Ground::Certain), "# line is certain", "# lines are certain"),
            phrase(count(Ground::Inferred), "# is inferred from its evidence", "# are inferred from their evidence"),
            phrase(count(Ground::Question), "# question is open", "# questions are open"),
        ),
        "Columns of the same name need no line.".to_owned(),
    ];
    if count(Ground::Question) > 0 {
        notes.push(format!(
            "An open question is a line with {{ \"{QUESTION_KEY}\" = \"...\" }}: write the answer in place of the braces."
        ));
    }
    let creates = draft.target.iter().any(|line| line.key == ["ddl"] && line.value == "\"auto\"");
    notes.push(format!("Next: migrate -m this-file --dry-run{}", if creates { " --create" } else { "" }));
    let mut out: String = notes.iter().map(|note| comment(note)).collect();
    draft.notes.iter().for_each(|note| out.push_str(&comment(note)));
    draft.findings.iter().for_each(|finding| out.push_str(&comment(&format!("dry run: {finding}"))));
    out
}

fn section(out: &mut String, title: &str, lines: &[DraftLine]) {
    if !lines.is_empty() {
        out.push_str(&format!("\n{title}\n"));
        lines.iter().for_each(|line| entry(out, line));
    }
}

fn load_section(out: &mut String, load: &DraftLoad) {
    out.push('\n');
    load.notes.iter().for_each(|note| out.push_str(&comment(note)));
    load.findings.iter().for_each(|finding| out.push_str(&comment(&format!("dry run: {finding}"))));
    let name = key(&load.name);
    if !load.lines.is_empty() || load.columns.is_empty() {
        out.push_str(&format!("[load.{name}]\n"));
        load.lines.iter().for_each(|line| entry(out, line));
    }
    if !load.columns.is_empty() {
        let gap = if load.lines.is_empty() { "" } else { "\n" };
        out.push_str(&format!("{gap}[load.{name}.columns]\n"));
        load.columns.iter().for_each(|line| entry(out, line));
    }
}

/// Writes a line, with its comment after it if both fit, else above it.
fn entry(out: &mut String, line: &DraftLine) {
    line.findings.iter().for_each(|finding| out.push_str(&comment(&format!("dry run: {finding}"))));
    let key: Vec<String> = line.key.iter().map(|part| self::key(part)).collect();
    let value = match line.ground {
        Ground::Question => format!("{{ \"{QUESTION_KEY}\" = {} }}", string(&line.value)),
        Ground::Certain | Ground::Inferred => line.value.clone(),
    };
    let text = format!("{} = {value}", key.join("."));
    let why = printable(&line.why);
    if why.is_empty() {
        out.push_str(&format!("{text}\n"));
    } else if text.chars().count() + why.chars().count() + 3 <= WIDTH {
        out.push_str(&format!("{text}   # {why}\n"));
    } else {
        out.push_str(&format!("{}{text}\n", comment(&why)));
    }
}

fn comment(words: &str) -> String {
    let words = printable(words);
    wrapped(&words, WIDTH - 2, WIDTH - 2).iter().map(|line| format!("# {line}\n")).collect()
}

/// Returns a key of TOML, quoted if it must be.
pub fn key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if is_bare { name.to_owned() } else { string(name) }
}

/// Returns a basic string of TOML on one line.
pub fn string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if is_hostile(c) && u32::from(c) > 0xffff => out.push_str(&format!("\\U{:08X}", u32::from(c))),
            c if is_hostile(c) => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping;

    fn draft() -> MappingDraft {
        MappingDraft {
            name: "notes".to_owned(),
            source: vec![DraftLine::certain("path", string("app.db"), "")],
            loads: vec![DraftLoad {
                name: "odd \"name\"\u{202e}".to_owned(),
                source: "x".to_owned(),
                lines: vec![DraftLine::question("owner", "a or \"b\"?\nline two")],
                columns: vec![DraftLine::inferred("at", "{ epoch = \"s\" }", "2 of 2 numbers")],
                ..DraftLoad::default()
            }],
            leave: vec![DraftLine::question("theme", "why?").below("settings")],
            ..MappingDraft::default()
        }
    }

    #[test]
    fn the_text_is_toml_whose_only_problems_are_its_questions() {
        let text = text(&draft());
        let (read, questions) = mapping::read_draft(&text).expect("TOML");
        let read = read.expect("no problem of form");
        assert_eq!(read.loads[0].name, "odd \"name\"\u{202e}");
        let places: Vec<&str> = questions.iter().map(|question| question.place.as_str()).collect();
        assert_eq!(places, ["load.odd \"name\"\u{202e}.owner", "leave.settings.theme"]);
        let problems = mapping::read(&text).expect_err("open questions");
        assert_eq!(problems.len(), 2);
        assert!(problems[0].what.contains("is an open question: a or \"b\"?"), "{}", problems[0]);
    }

    #[test]
    fn no_character_of_a_name_controls_the_terminal_or_ends_a_comment() {
        let mut draft = draft();
        draft.notes.push("a\nformat = 2".to_owned());
        let text = text(&draft);
        assert!(!text.contains('\u{202e}') && !text.contains("\nformat = 2"), "{text}");
    }
}
