//! The output of `migrate schema`.

use std::path::Path;

use serde::Serialize;

use crate::cli::Schema;
use crate::exit::Exit;
use crate::model::record::CommandKind;
use crate::schema::{Ddl, Fate, ObjectFate};
use crate::text::{Screen, count, grouped};

use super::super::failure::Failure;
use super::super::output::{json, print_with, say};

/// The tables as they were written.
pub struct WrittenSchema {
    pub ddl: Ddl,
    pub text: String,
    /// The result of `--prove`.
    pub proof: Option<ProofRecord>,
    pub name: String,
}

/// The result of the proof. The objects of the source have their own results.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ProofRecord {
    /// The rows that the cutover carried into the tables.
    pub rows: u64,
    /// The expressions and defaults that are equal.
    pub equal: usize,
    /// Those that cannot be compared: their value changes, or its type has another form in SQLite.
    pub not_compared: usize,
    /// The views whose rows are equal.
    pub views: usize,
}

/// The JSON form.
#[derive(Serialize)]
struct SchemaRecord<'a> {
    format: u32,
    command: CommandKind,
    postgresql: u32,
    kept: usize,
    changed: usize,
    left_out: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<ProofRecord>,
    objects: &'a [ObjectFate],
    sql: &'a str,
}

impl ProofRecord {
    /// Returns the result in words.
    pub fn words(&self) -> String {
        let rows = count(self.rows, "row", "rows");
        let equal = count(self.equal as u64, "expression or default is", "expressions and defaults are");
        let not_compared = grouped(self.not_compared as u64);
        let views = match self.views {
            0 => String::new(),
            1 => "; the rows of 1 view are equal".to_owned(),
            all => format!("; the rows of {} views are equal", grouped(all as u64)),
        };
        format!("Proved: {rows} arrived, and {equal} equal; {not_compared} not compared{views}")
    }
}

impl WrittenSchema {
    pub fn print(&self, args: &Schema) -> Exit {
        let exit = if self.ddl.count(Fate::LeftOut) > 0 { Exit::Quarantined } else { Exit::Done };
        if args.common.json {
            return match self.json() {
                Ok(screen) => print_with(&screen, exit),
                Err(failure) => failure.print(&failure.report(CommandKind::Schema, &self.name), true),
            };
        }
        if args.output == Path::new("-") {
            let exit = print_with(&Screen::drawn(self.text.clone()), exit);
            say(&self.verdict());
            return exit;
        }
        let shown = args.output.display();
        let next = format!("Next: Read the file, and run it in the target.\n  psql -1 -v ON_ERROR_STOP=1 -f {shown}");
        print_with(&Screen::of(&format!("{shown}: {}\n{next}\n", self.verdict())), exit)
    }

    fn verdict(&self) -> String {
        let sum = |fate| grouped(self.ddl.count(fate) as u64);
        let proof = self.proof.map_or_else(String::new, |proof| format!(". {}", proof.words()));
        format!(
            "{}; of the objects of the source, {} are kept, {} changed, {} left out{proof}",
            count(self.ddl.tables.len() as u64, "table", "tables"),
            sum(Fate::Kept),
            sum(Fate::Changed),
            sum(Fate::LeftOut)
        )
    }

    fn json(&self) -> Result<Screen, Failure> {
        let record = SchemaRecord {
            format: 1,
            command: CommandKind::Schema,
            postgresql: self.ddl.oldest(),
            kept: self.ddl.count(Fate::Kept),
            changed: self.ddl.count(Fate::Changed),
            left_out: self.ddl.count(Fate::LeftOut),
            proof: self.proof,
            objects: &self.ddl.objects,
            sql: &self.text,
        };
        json(&record).map_err(Failure::bug)
    }
}
