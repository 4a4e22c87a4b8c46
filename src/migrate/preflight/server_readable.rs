//! Values that only the server can judge: JSON nested so deeply that the server's stack may overflow, and characters that
//! the database's encoding may lack. A dry run asks the server to read these values and nothing else.
//!
//! Rows that are sent as text have no fields at this point. Such rows are only counted.

use crate::migrate::rows::batch::Batch;
use crate::migrate::rows::keyset::field;
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::record::{Check, CheckKind};
use crate::pg::values::ValueArray;
use crate::pg::{Blame, Session};
use crate::plan::{ColumnPlan, Feed, LoadPlan};

/// Levels of JSON that every server reads. The smallest `max_stack_depth` of PostgreSQL, 100 kB, was measured to hold 617
/// levels, and its default of 2 MB 13,084 (version 15 on x86-64). The number depends on machine and version, so the
/// server itself reads deeper values.
const SAFE_LEVELS: usize = 100;

/// A column whose values only the server can judge.
#[derive(Clone, Copy)]
struct JudgedColumn {
    /// Its index in the load.
    place: usize,
    depth: bool,
    encoding: bool,
}

/// The columns of a load whose values the server may have to read.
pub struct ServerReadable {
    columns: Vec<JudgedColumn>,
    /// Rows sent as text with values that the server did not read.
    unread_depth: u64,
    unread_encoding: u64,
}

impl ServerReadable {
    /// The columns of a load to judge in a database of this encoding.
    pub fn new(load: &LoadPlan, encoding: &str) -> ServerReadable {
        // UTF8 has every character, and SQL_ASCII accepts any bytes.
        let is_narrow = !["UTF8", "SQL_ASCII", ""].contains(&encoding);
        let judged = |(place, column): (usize, &ColumnPlan)| {
            let is_sent = !matches!(column.feed, Feed::Issued(_));
            let depth = is_sent && is_json(&column.kind);
            let encoding = is_sent && is_narrow && has_characters(&column.kind);
            (depth || encoding).then_some(JudgedColumn { place, depth, encoding })
        };
        let columns = load.columns.iter().enumerate().filter_map(judged).collect();
        ServerReadable { columns, unread_depth: 0, unread_encoding: 0 }
    }

    /// Returns true if no column has to be judged.
    pub fn is_idle(&self) -> bool {
        self.columns.is_empty()
    }

    /// Returns the rows of a batch with a value that the server cannot read, by their index among the rows to load.
    ///
    /// # Errors
    /// A check that states why the server could not be asked.
    pub fn refused(
        &mut self,
        session: &mut Session,
        load: &LoadPlan,
        batch: &Batch<'_>,
    ) -> Result<Vec<(usize, Blame)>, Check> {
        let mut refused = Vec::new();
        let rows = usize::try_from(batch.rows()).unwrap_or(0);
        if load.as_text {
            (0..rows).for_each(|row| self.count_unread(batch.images(row..row + 1)));
            return Ok(refused);
        }
        for judged in &self.columns {
            let ColumnPlan { name, kind, .. } = &load.columns[judged.place];
            let is_array = matches!(kind.kind, Kind::Array(_));
            let fields = (0..rows).filter_map(|row| {
                let image = batch.images(row..row + 1);
                let (at, length) = field(image, judged.place)?;
                let value = &image[at..at + length?];
                let deep = judged.depth && may_be_deep(value) && (is_array || is_deep_json(value));
                (deep || judged.encoding && !value.is_ascii()).then_some((row, value))
            });
            let fields: Vec<(usize, &[u8])> = fields.collect();
            let mut question = Question { session, name, kind, is_array };
            question.find_unreadable(&fields, &mut refused).map_err(|why| {
                let check = if judged.depth { CheckKind::Depth } else { CheckKind::Encoding };
                Check::not_checked(check, Some(&load.name), format!("{name}: {why}"))
            })?;
        }
        Ok(refused)
    }

    /// Counts a row that is sent as text.
    fn count_unread(&mut self, row: &[u8]) {
        self.unread_depth += u64::from(self.columns.iter().any(|judged| judged.depth) && may_be_deep(row));
        self.unread_encoding += u64::from(self.columns.iter().any(|judged| judged.encoding) && !row.is_ascii());
    }

    /// Reports the rows that the server did not read, after all rows were read.
    pub fn unread(&self, load: &LoadPlan) -> impl Iterator<Item = Check> {
        let counts = [(CheckKind::Depth, self.unread_depth), (CheckKind::Encoding, self.unread_encoding)];
        counts.into_iter().filter(|(_, rows)| *rows > 0).map(|(check, rows)| {
            let why = format!("the load is sent as text; the server judges {rows} of its rows when they are written");
            Check::not_checked(check, Some(&load.name), why)
        })
    }
}

/// A question to the server about values of one column.
struct Question<'a> {
    session: &'a mut Session,
    name: &'a str,
    kind: &'a ColumnType,
    is_array: bool,
}

impl Question<'_> {
    /// Finds the values that the server cannot read, by row: all values at once, and in halves if the server refuses.
    fn find_unreadable(&mut self, values: &[(usize, &[u8])], refused: &mut Vec<(usize, Blame)>) -> Result<(), String> {
        let (name, kind) = (self.name, self.kind);
        if values.is_empty() {
            return Ok(());
        }
        // There are no arrays of arrays, so each array is sent on its own.
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
        self.find_unreadable(first, refused)?;
        self.find_unreadable(then, refused)
    }
}

fn is_json(kind: &ColumnType) -> bool {
    match &kind.kind {
        Kind::Json | Kind::Jsonb => true,
        Kind::Array(element) => is_json(element),
        _ => false,
    }
}

/// Returns true for types with characters of the source. The labels of an enum come from the database itself.
fn has_characters(kind: &ColumnType) -> bool {
    match &kind.kind {
        Kind::Json | Kind::Jsonb => true,
        Kind::Array(element) => has_characters(element),
        _ => kind.is_text(),
    }
}

/// Returns true if the text contains more opening brackets than [`SAFE_LEVELS`].
fn may_be_deep(text: &[u8]) -> bool {
    let opening = text.iter().filter(|byte| matches!(byte, b'[' | b'{'));
    text.len() > SAFE_LEVELS && opening.take(SAFE_LEVELS + 1).count() > SAFE_LEVELS
}

/// Returns true if a JSON text is nested more than [`SAFE_LEVELS`] deep.
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
        if levels > SAFE_LEVELS {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_nested_brackets_make_json_deep() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(!is_deep_json(nested(SAFE_LEVELS).as_bytes()) && !may_be_deep(nested(SAFE_LEVELS).as_bytes()));
        assert!(is_deep_json(nested(SAFE_LEVELS + 1).as_bytes()) && may_be_deep(nested(SAFE_LEVELS + 1).as_bytes()));
        let wide = format!("[{}]", ["{\"[\": \"{{{\"}"; 1_000].join(","));
        assert!(!is_deep_json(wide.as_bytes()) && may_be_deep(wide.as_bytes()));
        let closed_in_keys = "{\"]\\\"}\":".repeat(SAFE_LEVELS + 1) + "1" + &"}".repeat(SAFE_LEVELS + 1);
        assert!(is_deep_json(closed_in_keys.as_bytes()));
    }
}
