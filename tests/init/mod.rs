//! `migrate init`: the mapping that it proposes, and the number of edits until the mapping does what a person's would.

mod files;
mod frameworks;
mod proposals;
mod random_pairs;
mod systems;
mod values;

use crate::support::postgres::Database;
use crate::support::sqlite;
use crate::support::tool::{Place, Ran, Run};

/// A source and a target without a mapping.
pub struct Pair {
    /// The folder in which the tool runs; the source is `app.db`.
    pub place: Place,
    /// The target.
    pub target: Database,
}

impl Pair {
    /// A SQLite file and a target, each from its text.
    pub fn new(source: &str, target: &str) -> Pair {
        let pair = Pair { place: Place::new(), target: Database::with(target) };
        sqlite::file(&pair.place, "app.db", source);
        pair
    }

    /// `migrate init` with the arguments that name both sides.
    pub fn command(&self, args: &[&str]) -> Run {
        self.place.migrate(["init", "-s", "app.db", "-t", &self.target.url()]).args(args)
    }

    /// The proposal, on stdout.
    #[track_caller]
    pub fn proposed(&self, args: &[&str]) -> Proposal {
        let ran = self.command(&["-o", "-"]).args(args).exits(0);
        Proposal { text: ran.stdout.clone(), ran }
    }

    /// `migrate` with a mapping of this text.
    pub fn with_mapping(&self, text: &str, args: &[&str]) -> Run {
        self.place.write("migrate.toml", text);
        self.place.migrate(["-m", "migrate.toml", "-t", &self.target.url()]).args(args)
    }
}

/// A proposed mapping.
pub struct Proposal {
    /// The file.
    pub text: String,
    /// The run that proposed it.
    pub ran: Ran,
}

impl Proposal {
    /// The lines without comments and blank lines.
    pub fn lines(&self) -> Vec<&str> {
        self.text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
    }

    /// The number of open questions.
    pub fn questions(&self) -> usize {
        self.text.lines().filter(|line| !line.starts_with('#') && line.contains("{ \"?\" = ")).count()
    }

    /// Contains each of these lines, without their comments.
    #[track_caller]
    pub fn has(&self, lines: &[&str]) {
        let own: Vec<&str> = self.lines().into_iter().map(|line| line.split("   # ").next().unwrap_or(line)).collect();
        for line in lines {
            assert!(own.contains(line), "`{line}` is missing in:\n{}", self.text);
        }
    }
}

/// Findings of the dry run of a proposal that are no faults of rows: a line that the plan does not accept.
fn refused_lines(text: &str) -> Vec<String> {
    let words = text.replace("\n# ", " ");
    let findings =
        words.lines().flat_map(|line| line.split("dry run: ").skip(1).map(str::to_owned).collect::<Vec<_>>());
    findings.filter(|finding| !finding.contains(" cannot be loaded (")).collect()
}

/// A proposal is TOML without a mistake but its questions, lacks nothing, and is proposed once more with the same bytes.
///
/// `sides`: the arguments that name both databases.
#[track_caller]
pub fn is_sound(place: &Place, sides: &[&str], file: &str) {
    let text = place.read(file);
    let (mapping, _) = migrate::mapping::read_draft(&text).unwrap_or_else(|e| panic!("{e:?} in:\n{text}"));
    mapping.unwrap_or_else(|e| panic!("{e:?} in:\n{text}"));
    let lacking = place.migrate(["init", "--check", file]).args(sides).exits(0);
    assert_eq!(lacking.stdout, "", "of:\n{text}");
    place.migrate(["init", "--force", "-o", file]).args(sides).exits(0);
    assert_eq!(place.read(file), text, "the same input gives the same bytes");
}

/// The text with the only line that begins so replaced.
#[track_caller]
fn replaced(text: &str, beginning: &str, by: &str) -> String {
    let found = text.lines().filter(|line| line.starts_with(beginning)).count();
    assert_eq!(found, 1, "lines that begin with `{beginning}` in:\n{text}");
    text.lines().map(|line| if line.starts_with(beginning) { by } else { line }).collect::<Vec<_>>().join("\n") + "\n"
}
