//! Values that only the server can judge: text for types that only the server reads, JSON nested so deeply that the server's
//! stack may overflow, and characters that the database's encoding may lack. The server is asked to read these values and nothing else.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::migrate::rows::batch::Batch;
use crate::migrate::rows::keyset::field;
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::record::CheckKind;
use crate::pg::conditions::TextInput;
use crate::pg::values::ValueArray;
use crate::pg::{Blame, Session};
use crate::plan::{ColumnPlan, Feed, LoadPlan};

use super::checked_load::Unchecked;
use super::shared_checks::SharedChecks;

/// Levels of JSON that every server reads. The smallest `max_stack_depth` of PostgreSQL, 100 kB, was measured to hold 617
/// levels, and its default of 2 MB 13,084 (version 15 on x86-64). The number depends on machine and version, so the
/// server itself reads deeper values.
const SAFE_LEVELS: usize = 100;

/// The OID of the type text.
const TEXT: u32 = 25;

/// A column whose values only the server can judge.
struct JudgedColumn {
    /// Its index in the load.
    place: usize,
    depth: bool,
    encoding: bool,
    /// The call by which its type reads a text, if only the server reads it.
    input: Option<String>,
}

/// The columns of a load whose values the server may have to read.
pub struct ServerReadable {
    columns: Vec<JudgedColumn>,
    /// True after the server could not be asked.
    gave_up: AtomicBool,
}

impl ServerReadable {
    /// The columns of a load to judge in a database of this encoding.
    pub fn new(load: &LoadPlan, encoding: &str, inputs: &[TextInput]) -> ServerReadable {
        // UTF8 has every character, and SQL_ASCII accepts any bytes.
        let is_narrow = !["UTF8", "SQL_ASCII", ""].contains(&encoding);
        let judged = |(place, column): (usize, &ColumnPlan)| {
            let is_sent = !matches!(column.feed, Feed::Issued(_));
            let depth = is_sent && is_json(&column.kind);
            let encoding = is_sent && is_narrow && has_characters(&column.kind);
            let of_column = |input: &&TextInput| input.table == load.table && input.column == column.name;
            let is_read_there = is_sent && is_read_by_server(&column.kind);
            let input = inputs.iter().find(of_column).filter(|_| is_read_there).map(|input| input.call.clone());
            (depth || encoding || input.is_some()).then_some(JudgedColumn { place, depth, encoding, input })
        };
        let columns = load.columns.iter().enumerate().filter_map(judged).collect();
        ServerReadable { columns, gave_up: AtomicBool::new(false) }
    }

    /// Returns the rows of a batch with a value that the server cannot read, by their index among the rows to load. The
    /// server is asked about few values, if any.
    pub fn refused(
        &self,
        load: &LoadPlan,
        batch: &Batch<'_>,
        shared: &Mutex<SharedChecks<'_>>,
        unchecked: &mut Unchecked<'_>,
    ) -> BTreeMap<usize, Blame> {
        let mut refused = BTreeMap::new();
        let rows = usize::try_from(batch.rows()).unwrap_or(0);
        for judged in self.columns.iter().filter(|_| !self.gave_up.load(Ordering::Relaxed)) {
            let ColumnPlan { name, kind, .. } = &load.columns[judged.place];
            let is_array = matches!(kind.kind, Kind::Array(_));
            let fields = (0..rows).filter_map(|row| {
                let image = batch.images(row..row + 1);
                let (at, length) = field(image, judged.place)?;
                let value = &image[at..at + length?];
                let deep = judged.depth && may_be_deep(value) && (is_array || is_deep_json(value));
                let is_asked = deep || judged.input.is_some() || judged.encoding && !value.is_ascii();
                is_asked.then_some((row, value))
            });
            let fields: Vec<(usize, &[u8])> = fields.collect();
            if fields.is_empty() {
                continue;
            }
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            // Types without a binary form are sent as their text.
            let text = ColumnType::new(Kind::Text, TEXT, "text");
            let kind = if kind.is_binary() { kind } else { &text };
            // Several texts of arrays are one array of texts.
            let is_array = is_array && judged.input.is_none();
            let mut question =
                Question { session: &mut *shared.session, name, kind, is_array, input: judged.input.as_deref() };
            if let Err(why) = question.find_unreadable(&fields, &mut refused) {
                let check = match judged {
                    JudgedColumn { depth: true, .. } => CheckKind::Depth,
                    JudgedColumn { input: Some(_), .. } => CheckKind::Constraints,
                    _ => CheckKind::Encoding,
                };
                unchecked.note(check, name, &why);
                self.gave_up.store(true, Ordering::Relaxed);
            }
        }
        refused
    }
}

/// A question to the server about values of one column.
struct Question<'a> {
    session: &'a mut Session,
    name: &'a str,
    kind: &'a ColumnType,
    is_array: bool,
    input: Option<&'a str>,
}

impl Question<'_> {
    /// Finds the values that the server cannot read, by row: all values at once, and in halves if the server refuses.
    fn find_unreadable(
        &mut self,
        values: &[(usize, &[u8])],
        refused: &mut BTreeMap<usize, Blame>,
    ) -> Result<(), String> {
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
            let values_sent = ValueArray { name, kind, fields, rows };
            let read = match self.input {
                Some(call) => self.session.read_texts(&values_sent, call),
                None => self.session.read_values(&values_sent),
            };
            match read {
                Ok(()) => return Ok(()),
                Err(error) if !error.is_about_rows() => return Err(error.to_string()),
                Err(error) => {
                    if let [(row, _)] = values {
                        refused.insert(*row, Blame { column: Some(name.to_owned()), ..Blame::of_value(&error) });
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

/// Returns true for types whose text only the server reads completely: lengths of bit strings, addresses of hardware, ranges
/// whose bounds are in the wrong order, points with three coordinates.
fn is_read_by_server(kind: &ColumnType) -> bool {
    match &kind.kind {
        Kind::Other | Kind::Bent { .. } | Kind::Range(_) | Kind::Geometry | Kind::Tsvector | Kind::Hstore => true,
        Kind::Array(element) => is_read_by_server(element),
        _ => false,
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
        _ => kind.is_text() || !kind.is_binary(),
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
