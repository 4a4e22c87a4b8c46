//! A text that names files: a manifest, or the output of another program.

use std::collections::BTreeSet;

use super::csv::{self, CsvRecord};
use super::member::MemberFile;
use super::ndjson;
use super::refusals::{limited, line_of, shown};
use crate::model::ident::did_you_mean;
use crate::model::record::Refusal;

/// The column of a manifest that names the file.
const PATH: &str = "path";

/// The form of a text that names files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListingForm {
    /// A header and records, with commas between the fields.
    Csv,
    /// The same with tabs.
    Tsv,
    /// One object a line.
    Ndjson,
    /// Paths alone, each ended by a NUL byte if the text contains one, else by a line end.
    Paths,
}

impl ListingForm {
    /// The form that the ending of a file's name decides. `None` if it decides nothing.
    pub fn of_name(name: &str) -> Option<ListingForm> {
        let (_, ending) = name.rsplit_once('.')?;
        match ending.to_ascii_lowercase().as_str() {
            "csv" => Some(ListingForm::Csv),
            "tsv" => Some(ListingForm::Tsv),
            "ndjson" | "jsonl" => Some(ListingForm::Ndjson),
            _ => None,
        }
    }

    /// The form that the beginning of a text decides: NDJSON after a `{`, CSV or TSV after a header with `path` and another
    /// column, else paths.
    ///
    /// # Errors
    /// If the beginning has two meanings, or the bytes are no text.
    pub fn of_text(text: &[u8], place: &str) -> Result<ListingForm, Refusal> {
        if text.first() == Some(&b'{') {
            return Ok(ListingForm::Ndjson);
        }
        // A name may contain a line end or a tab, and hardly another control character. A database has plenty of them.
        let start = &text[..text.len().min(512)];
        if start.iter().any(|byte| byte.is_ascii_control() && !b"\0\n\r\t".contains(byte)) {
            let advice =
                "Name a SQLite database, a `.sql` export, a manifest (CSV, TSV, NDJSON or a list of paths), or a glob.";
            return Err(Refusal::new(place, "is neither a SQLite database nor a text that names files", advice));
        }
        let text = without_mark(text);
        for (form, separator) in [(ListingForm::Csv, b','), (ListingForm::Tsv, b'\t')] {
            let fields = csv::first(text, separator).map(|record| record.fields).unwrap_or_default();
            match fields.iter().any(|field| field == PATH.as_bytes()) {
                true if fields.len() > 1 => return Ok(form),
                true => {
                    let reason = "is `path` alone, which may be a header or the name of a file";
                    let advice = "Leave the header out, or write `./path` for the file. A manifest whose name ends in `.csv` \
                                  may have this header.";
                    return Err(Refusal::new(line_of(place, 1), reason, advice));
                }
                false => {}
            }
        }
        Ok(ListingForm::Paths)
    }
}

/// The files that a text names, in its order. `place` is the name of the text.
///
/// # Errors
/// Every line that cannot be read.
pub fn listed(text: &[u8], form: ListingForm, place: &str) -> Result<Vec<MemberFile>, Vec<Refusal>> {
    if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
        return Err(vec![Refusal::new(place, "is UTF-16", "Save it as UTF-8.")]);
    }
    let named = NamedFiles { place, members: Vec::new(), refusals: Vec::new() };
    match form {
        ListingForm::Csv => named.table(without_mark(text), b','),
        ListingForm::Tsv => named.table(without_mark(text), b'\t'),
        ListingForm::Ndjson => named.objects(without_mark(text)),
        ListingForm::Paths => named.paths(text),
    }
}

/// The text without the byte order mark that some editors write before UTF-8.
fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// The files and the refusals so far.
struct NamedFiles<'p> {
    place: &'p str,
    members: Vec<MemberFile>,
    refusals: Vec<Refusal>,
}

impl NamedFiles<'_> {
    fn refuse(&mut self, line: usize, reason: impl Into<String>, advice: &str) {
        self.refusals.push(Refusal::new(line_of(self.place, line), reason, advice));
    }

    fn done(self) -> Result<Vec<MemberFile>, Vec<Refusal>> {
        if self.refusals.is_empty() { Ok(self.members) } else { Err(limited(self.refusals, self.place)) }
    }

    fn paths(mut self, text: &[u8]) -> Result<Vec<MemberFile>, Vec<Refusal>> {
        let (text, end) = if text.contains(&0) { (text, 0) } else { (without_mark(text), b'\n') };
        for (at, path) in text.split(|byte| *byte == end).enumerate() {
            let path = if end == b'\n' { path.strip_suffix(b"\r").unwrap_or(path) } else { path };
            if path.is_empty() {
                continue;
            }
            match std::str::from_utf8(path) {
                Ok(path) => self.members.push(MemberFile::new(path)),
                Err(_) => {
                    let unit = if end == 0 { "path" } else { "line" };
                    let place = format!("{}: {unit} {}", self.place, at + 1);
                    self.refusals.push(not_utf8(&place, path));
                }
            }
        }
        self.done()
    }

    fn objects(mut self, text: &[u8]) -> Result<Vec<MemberFile>, Vec<Refusal>> {
        for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
            if line.trim_ascii().is_empty() {
                continue;
            }
            match ndjson::member(line) {
                Ok(member) => self.keep(at + 1, member),
                Err(reason) => {
                    let advice = r#"Write one object a line: {"path": "tenants/a.db", "owner": {"username": "a"}}."#;
                    self.refuse(at + 1, format!("cannot be read; {reason}"), advice);
                }
            }
        }
        self.done()
    }

    fn table(mut self, text: &[u8], separator: u8) -> Result<Vec<MemberFile>, Vec<Refusal>> {
        let (records, fault) = csv::records(text, separator);
        let mut records = records.into_iter();
        if let Some(header) = records.next() {
            let header = self.header(&header, separator);
            if let Some(header) = &header {
                records.for_each(|record| self.record(header, &record));
            }
        }
        if let Some(fault) = fault {
            let advice = "Put the whole field into quotes, and write each quote inside it twice.";
            self.refuse(fault.line, fault.kind.what(), advice);
        }
        self.done()
    }

    /// The names of the columns. `None` if one of them has a fault.
    fn header(&mut self, record: &CsvRecord, separator: u8) -> Option<Vec<String>> {
        let before = self.refusals.len();
        let names: Vec<String> = record.fields.iter().map(|field| shown(field)).collect();
        let mut seen = BTreeSet::new();
        for (name, field) in names.iter().zip(&record.fields) {
            let fault = match name.as_str() {
                _ if std::str::from_utf8(field).is_err() => Some("is not UTF-8"),
                "" => Some("is empty"),
                name if name.trim() != name => Some("has a blank at its beginning or end"),
                name if !seen.insert(name) => Some("is there twice"),
                _ => None,
            };
            if let Some(fault) = fault {
                let advice = "Give each column a name of its own, such as the column of the owner's table.";
                self.refuse(record.line, format!("the column name `{name}` {fault}"), advice);
            }
        }
        if !names.iter().any(|name| name == PATH) {
            let other = [(b';', "semicolons"), (b'\t', "tabs"), (b',', "commas")];
            let other = other.iter().find(|(byte, _)| names.len() == 1 && names[0].as_bytes().contains(byte));
            let advice = match other {
                Some((_, found)) if separator == b',' => {
                    format!(
                        "Separate the fields with commas instead of {found}, or with tabs in a file whose name ends in .tsv."
                    )
                }
                Some((_, found)) => format!("Separate the fields with tabs instead of {found}."),
                None => {
                    let hint = did_you_mean(PATH, names.iter().map(String::as_str));
                    let rename = if hint.is_empty() { "" } else { "Then rename it. " };
                    format!("{hint}{rename}The first line names the columns: `path` and one for each value.")
                }
            };
            self.refuse(record.line, "no column is named `path`", &advice);
        }
        (self.refusals.len() == before).then_some(names)
    }

    fn record(&mut self, header: &[String], record: &CsvRecord) {
        if record.fields.len() != header.len() {
            let reason = format!("has {} fields, and the header has {}", record.fields.len(), header.len());
            return self.refuse(record.line, reason, "Put a value that contains a separator into quotes.");
        }
        let mut member = MemberFile::new("");
        for (name, field) in header.iter().zip(&record.fields) {
            match std::str::from_utf8(field) {
                Ok(path) if name == PATH => path.clone_into(&mut member.path),
                Ok(value) => member.put(name, value),
                Err(_) if name == PATH => {
                    return self.refusals.push(not_utf8(&line_of(self.place, record.line), field));
                }
                Err(_) => {
                    let reason = format!("the value `{}` of `{name}` is not UTF-8", shown(field));
                    return self.refuse(record.line, reason, "Save the manifest as UTF-8.");
                }
            }
        }
        self.keep(record.line, member);
    }

    /// Adds a file, unless its path is empty or a text of it contains a NUL byte.
    fn keep(&mut self, line: usize, member: MemberFile) {
        if member.path.is_empty() {
            return self.refuse(line, "its path is empty", "Name the file, or remove the line.");
        }
        if member.values.values().chain([&member.path]).any(|text| text.contains('\0')) {
            let advice = "Remove it: neither a path nor a text in PostgreSQL can contain one.";
            return self.refuse(line, "contains a NUL byte", advice);
        }
        self.members.push(member);
    }
}

/// The refusal of a path that is not UTF-8.
fn not_utf8(place: &str, path: &[u8]) -> Refusal {
    let advice = "Rename the file, or make a symbolic link to it whose path is UTF-8, and name the link.";
    Refusal::new(place, format!("the path `{}` is not UTF-8", shown(path)), advice)
}
