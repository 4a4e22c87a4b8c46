//! Single values that a dry run cannot judge by itself: JSON nested so deep that the server's stack may not hold it, and
//! characters that the database's own encoding may lack. The server is asked to read them, and nothing else.
//!
//! Rows that go as text have no fields here; of them it is said how many could not be asked about.

use crate::model::pgtype::{ColumnType, Kind};
use crate::model::record::{Check, CheckKind};
use crate::pg::values::ValueArray;
use crate::pg::{Blame, Session};
use crate::plan::{ColumnPlan, Feed, LoadPlan};

use crate::migrate::rows::batch::Batch;
use crate::migrate::rows::keyset::field;

/// Levels of JSON that any server holds. The smallest `max_stack_depth` that PostgreSQL takes, 100 kB, was seen to hold 617
/// of them, its default of 2 MB 13,084 (version 15 on x86-64); how many depends on machine and version, so above this the
/// server itself is asked.
const SURE_LEVELS: usize = 100;

/// What may be wrong with a column's values.
#[derive(Clone, Copy)]
struct Doubt {
    place: usize,
    depth: bool,
    letters: bool,
}

/// The columns of a load whose values may have to be asked about.
pub struct Doubts {
    columns: Vec<Doubt>,
    /// Rows that go as text and could not be asked about, by what is doubtful in them.
    silent: [u64; 2],
}

const SILENT: [CheckKind; 2] = [CheckKind::Depth, CheckKind::Encoding];

impl Doubts {
    /// What there is to doubt in a load, in a database of this encoding.
    pub fn of(load: &LoadPlan, encoding: &str) -> Doubts {
        // In UTF8 every character is at home, and SQL_ASCII takes bytes as they come.
        let is_foreign = !["UTF8", "SQL_ASCII", ""].contains(&encoding);
        let doubt = |(place, column): (usize, &ColumnPlan)| {
            let is_sent = !matches!(column.feed, Feed::Issued(_));
            let depth = is_sent && is_json(&column.kind);
            let letters = is_sent && is_foreign && has_letters(&column.kind);
            (depth || letters).then_some(Doubt { place, depth, letters })
        };
        Doubts { columns: load.columns.iter().enumerate().filter_map(doubt).collect(), silent: [0; 2] }
    }

    /// Whether there is nothing to doubt.
    pub fn is_idle(&self) -> bool {
        self.columns.is_empty()
    }

    /// Rows of a batch, by their place among those that can go, of which the server cannot read a value; or why it could
    /// not be asked.
    pub fn refused(
        &mut self,
        session: &mut Session,
        load: &LoadPlan,
        batch: &Batch<'_>,
    ) -> Result<Vec<(usize, Blame)>, Check> {
        let mut refused = Vec::new();
        let rows = usize::try_from(batch.rows()).unwrap_or(0);
        if load.as_text {
            (0..rows).for_each(|row| self.pass_over(batch.images(row..row + 1)));
            return Ok(refused);
        }
        for doubt in &self.columns {
            let ColumnPlan { name, kind, .. } = &load.columns[doubt.place];
            let is_array = matches!(kind.kind, Kind::Array(_));
            let fields = (0..rows).filter_map(|row| {
                let image = batch.images(row..row + 1);
                let (at, length) = field(image, doubt.place)?;
                let value = &image[at..at + length?];
                let deep = doubt.depth && is_deep(value) && (is_array || is_deep_json(value));
                (deep || doubt.letters && !value.is_ascii()).then_some((row, value))
            });
            let fields: Vec<(usize, &[u8])> = fields.collect();
            let mut asking = Asking { session, name, kind, is_array };
            asking.pin(&fields, &mut refused).map_err(|why| {
                let what = SILENT[usize::from(!doubt.depth)];
                Check::not_checked(what, Some(&load.name), format!("{name}: {why}"))
            })?;
        }
        Ok(refused)
    }

    /// A row that goes as text.
    fn pass_over(&mut self, row: &[u8]) {
        self.silent[0] += u64::from(self.columns.iter().any(|doubt| doubt.depth) && is_deep(row));
        self.silent[1] += u64::from(self.columns.iter().any(|doubt| doubt.letters) && !row.is_ascii());
    }

    /// What could not be asked about, now that all rows were seen.
    pub fn ended(&self, load: &LoadPlan) -> impl Iterator<Item = Check> {
        let silent = SILENT.into_iter().zip(self.silent).filter(|(_, rows)| *rows > 0);
        silent.map(|(what, rows)| {
            let why = format!("the load goes as text; {rows} of its rows are seen when they are written");
            Check::not_checked(what, Some(&load.name), why)
        })
    }
}

/// One column's doubtful values on their way to the server.
struct Asking<'a> {
    session: &'a mut Session,
    name: &'a str,
    kind: &'a ColumnType,
    is_array: bool,
}

impl Asking<'_> {
    /// Finds those that the server cannot read: all at once, and where it refuses, in halves.
    fn pin(&mut self, values: &[(usize, &[u8])], refused: &mut Vec<(usize, Blame)>) -> Result<(), String> {
        let (name, kind) = (self.name, self.kind);
        if values.is_empty() {
            return Ok(());
        }
        // There are no arrays of arrays: each of those is asked about by itself.
        if values.len() == 1 || !self.is_array {
            let mut fields = Vec::new();
            for (_, value) in values {
                fields.extend_from_slice(&(value.len() as i32).to_be_bytes());
                fields.extend_from_slice(value);
            }
            let rows = values.len() as i32;
            match self.session.read_values(&ValueArray { name, kind, fields, rows }) {
                Ok(()) => return Ok(()),
                Err(error) if !error.is_about_rows() => return Err(error.to_string()),
                Err(error) => {
                    if let [(row, _)] = values {
                        refused.push((*row, Blame { column: Some(name.to_owned()), ..Blame::of_value(&error) }));
                        return Ok(());
                    }
                }
            }
        }
        let (first, then) = values.split_at(values.len() / 2);
        self.pin(first, refused)?;
        self.pin(then, refused)
    }
}

fn is_json(kind: &ColumnType) -> bool {
    match &kind.kind {
        Kind::Json | Kind::Jsonb => true,
        Kind::Array(element) => is_json(element),
        _ => false,
    }
}

/// An enum's labels come from the database itself.
fn has_letters(kind: &ColumnType) -> bool {
    match &kind.kind {
        Kind::Json | Kind::Jsonb => true,
        Kind::Array(element) => has_letters(element),
        _ => kind.is_text(),
    }
}

/// Whether so many brackets open that they may stand in each other more than [`SURE_LEVELS`] deep.
fn is_deep(text: &[u8]) -> bool {
    let opening = text.iter().filter(|byte| matches!(byte, b'[' | b'{'));
    text.len() > SURE_LEVELS && opening.take(SURE_LEVELS + 1).count() > SURE_LEVELS
}

/// Whether a JSON text's brackets stand in each other more than [`SURE_LEVELS`] deep.
fn is_deep_json(text: &[u8]) -> bool {
    let (mut levels, mut quoted, mut bytes) = (0_usize, false, text.iter());
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => levels += 1,
            b']' | b'}' if !quoted => levels = levels.saturating_sub(1),
            _ => {}
        }
        if levels > SURE_LEVELS {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_brackets_that_stand_in_each_other_make_json_deep() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(!is_deep_json(nested(SURE_LEVELS).as_bytes()) && !is_deep(nested(SURE_LEVELS).as_bytes()));
        assert!(is_deep_json(nested(SURE_LEVELS + 1).as_bytes()) && is_deep(nested(SURE_LEVELS + 1).as_bytes()));
        let wide = format!("[{}]", ["{\"[\": \"{{{\"}"; 1_000].join(","));
        assert!(!is_deep_json(wide.as_bytes()) && is_deep(wide.as_bytes()));
        let closed_in_keys = "{\"]\\\"}\":".repeat(SURE_LEVELS + 1) + "1" + &"}".repeat(SURE_LEVELS + 1);
        assert!(is_deep_json(closed_in_keys.as_bytes()));
    }
}
