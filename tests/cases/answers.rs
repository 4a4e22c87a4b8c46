//! Answers to a proposal, one a line:
//!
//! - `[section] key => line` replaces the only line of the section that begins with the key;
//! - `[section] +> line` adds a line to the section, which is made if it is missing.

/// The lines of `answers.txt`.
pub struct Answers<'a>(Vec<&'a str>);

/// A proposal to which the answers were applied.
pub struct Answered {
    /// The mapping.
    pub text: String,
    /// The number of open questions that were answered.
    pub answers: usize,
    /// The number of lines that were added, or changed though they were no question.
    pub more: usize,
}

impl Answers<'_> {
    /// The answers of a file.
    pub fn of(text: &str) -> Answers<'_> {
        Answers(text.lines().collect())
    }

    /// The proposal with these answers. An answer whose line is missing, because the question is no longer asked, fails.
    #[track_caller]
    pub fn applied(&self, proposal: &str) -> Answered {
        let mut lines: Vec<String> = proposal.lines().map(str::to_owned).collect();
        let (mut answers, mut more) = (0, 0);
        for answer in &self.0 {
            let (section, rest) = answer.split_once("] ").unwrap_or_else(|| panic!("no section: {answer}"));
            let section = format!("{section}]");
            if let Some(line) = rest.strip_prefix("+> ") {
                add(&mut lines, section, line);
                more += 1;
                continue;
            }
            let (key, line) = rest.split_once(" => ").unwrap_or_else(|| panic!("neither => nor +>: {answer}"));
            let begins = format!("{key} = ");
            let inside = lines.iter().scan(false, |inside, line| {
                *inside = if line.starts_with('[') { *line == section } else { *inside };
                Some(*inside)
            });
            let found: Vec<usize> = inside.enumerate().filter_map(|(at, inside)| inside.then_some(at)).collect();
            let found: Vec<usize> = found.into_iter().filter(|at| lines[*at].starts_with(&begins)).collect();
            assert_eq!(found.len(), 1, "lines of {section} that begin with `{begins}` in:\n{proposal}");
            let open = lines[found[0]].contains("{ \"?\" = ");
            (answers, more) = if open { (answers + 1, more) } else { (answers, more + 1) };
            line.clone_into(&mut lines[found[0]]);
        }
        Answered { text: lines.join("\n") + "\n", answers, more }
    }
}

/// Adds a line at the head of a section.
fn add(lines: &mut Vec<String>, section: String, line: &str) {
    let at = lines.iter().position(|line| *line == section).unwrap_or_else(|| {
        lines.push(section);
        lines.len() - 1
    });
    lines.insert(at + 1, line.to_owned());
}
