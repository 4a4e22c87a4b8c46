//! Records of a text in the form of RFC 4180, strictly: a misplaced quote is a fault, never a guess.
//!
//! The usual library accepts every text. A quote that nothing closes makes the rest of the file one field for it, and so
//! the files of all those lines would be missing without a word.

/// One record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CsvRecord {
    /// The line in which it begins, from 1.
    pub line: usize,
    /// Its fields, without quotes.
    pub fields: Vec<Vec<u8>>,
}

/// A misplaced quote. The records after it are not known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CsvFault {
    /// The line of the quote, from 1.
    pub line: usize,
    /// The mistake.
    pub kind: QuoteFault,
}

/// A mistake with a quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QuoteFault {
    /// It is never closed.
    Open,
    /// Text follows the closing quote.
    TextAfter,
    /// It is in the middle of a field without quotes.
    Inside,
}

impl QuoteFault {
    /// The mistake in words.
    pub fn what(self) -> &'static str {
        match self {
            QuoteFault::Open => "opens a quote that is never closed",
            QuoteFault::TextAfter => "has text after a closing quote",
            QuoteFault::Inside => "has a quote inside a field that does not begin with one",
        }
    }
}

/// The records before the first misplaced quote, and this quote. Blank lines are no records.
pub(super) fn records(text: &[u8], separator: u8) -> (Vec<CsvRecord>, Option<CsvFault>) {
    let mut reader = CsvReader { rest: text, separator, line: 1 };
    let mut found = Vec::new();
    while !reader.rest.is_empty() {
        match reader.record() {
            Ok(record) => found.extend(record),
            Err(fault) => return (found, Some(fault)),
        }
    }
    (found, None)
}

/// The first record. `None` if there is none, or a misplaced quote in it.
pub(super) fn first(text: &[u8], separator: u8) -> Option<CsvRecord> {
    let mut reader = CsvReader { rest: text, separator, line: 1 };
    while !reader.rest.is_empty() {
        match reader.record() {
            Ok(None) => {}
            Ok(record) => return record,
            Err(_) => return None,
        }
    }
    None
}

/// The unread rest of a text.
struct CsvReader<'t> {
    rest: &'t [u8],
    separator: u8,
    /// The line in which the rest begins.
    line: usize,
}

impl CsvReader<'_> {
    /// The next record. `None` for a blank line.
    fn record(&mut self) -> Result<Option<CsvRecord>, CsvFault> {
        let line = self.line;
        if self.end_of_line() {
            return Ok(None);
        }
        let mut fields = Vec::new();
        loop {
            fields.push(if self.rest.first() == Some(&b'"') { self.quoted()? } else { self.bare()? });
            match self.rest.first() {
                Some(next) if *next == self.separator => self.rest = &self.rest[1..],
                _ if self.end_of_line() => return Ok(Some(CsvRecord { line, fields })),
                _ => return Err(CsvFault { line: self.line, kind: QuoteFault::TextAfter }),
            }
        }
    }

    /// Reads `\n`, `\r\n` or the end of the text.
    fn end_of_line(&mut self) -> bool {
        let length = match self.rest {
            [] => return true,
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => return false,
        };
        self.rest = &self.rest[length..];
        self.line += 1;
        true
    }

    /// A field without quotes: up to the separator or the end of the line.
    fn bare(&mut self) -> Result<Vec<u8>, CsvFault> {
        let ends = |byte: &u8| *byte == self.separator || *byte == b'\n';
        let end = self.rest.iter().position(ends).unwrap_or(self.rest.len());
        let line_ends = self.rest.get(end) == Some(&b'\n');
        let end = if line_ends && self.rest[..end].ends_with(b"\r") { end - 1 } else { end };
        let (field, rest) = self.rest.split_at(end);
        if field.contains(&b'"') {
            return Err(CsvFault { line: self.line, kind: QuoteFault::Inside });
        }
        self.rest = rest;
        Ok(field.to_vec())
    }

    /// A field in quotes, in which two quotes are one. It may have several lines.
    fn quoted(&mut self) -> Result<Vec<u8>, CsvFault> {
        let line = self.line;
        let mut field = Vec::new();
        self.rest = &self.rest[1..];
        loop {
            let quote = self.rest.iter().position(|byte| *byte == b'"');
            let quote = quote.ok_or(CsvFault { line, kind: QuoteFault::Open })?;
            let (text, rest) = self.rest.split_at(quote);
            field.extend_from_slice(text);
            self.line += text.iter().filter(|byte| **byte == b'\n').count();
            match rest {
                [_, b'"', ..] => {
                    field.push(b'"');
                    self.rest = &rest[2..];
                }
                _ => {
                    self.rest = &rest[1..];
                    return Ok(field);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(usize, Vec<String>)> {
        let (records, fault) = records(text.as_bytes(), b',');
        assert_eq!(fault, None, "{text:?}");
        let texts = |r: CsvRecord| r.fields.into_iter().map(|f| String::from_utf8(f).unwrap()).collect();
        records.into_iter().map(|r| (r.line, texts(r))).collect()
    }

    fn record(line: usize, fields: &[&str]) -> (usize, Vec<String>) {
        (line, fields.iter().map(|f| (*f).to_owned()).collect())
    }

    #[test]
    fn fields_are_read_with_quotes_and_all_line_ends() {
        assert_eq!(read("a,b\r\nc,d\n"), [record(1, &["a", "b"]), record(2, &["c", "d"])]);
        assert_eq!(read("a,b"), [record(1, &["a", "b"])]);
        assert_eq!(read("a,\r\n"), [record(1, &["a", ""])]);
        assert_eq!(read(",\n"), [record(1, &["", ""])]);
        assert_eq!(read("\"\"\n"), [record(1, &[""])]);
        assert_eq!(read("\"a,\"\"b\"\"\",c\r\n"), [record(1, &["a,\"b\"", "c"])]);
        assert_eq!(read("\"a\"\r\n\"b\""), [record(1, &["a"]), record(2, &["b"])]);
        assert_eq!(read("a\rb\n"), [record(1, &["a\rb"])], "a lone CR ends no line");
        assert_eq!(read("a\r"), [record(1, &["a\r"])]);
    }

    #[test]
    fn the_line_of_a_record_counts_blank_lines_and_lines_inside_quotes() {
        assert_eq!(
            read("\na\n\r\n\n\"b\n\nc\",d\ne\n"),
            [record(2, &["a"]), record(5, &["b\n\nc", "d"]), record(8, &["e"])]
        );
    }

    #[test]
    fn a_misplaced_quote_is_a_fault_with_its_line() {
        for (text, line, kind, before) in [
            ("a\nb\n\"c\nd\ne\n", 3, QuoteFault::Open, 2),
            ("a\n\"b\nc\"d\n", 3, QuoteFault::TextAfter, 1),
            ("a\n\"b\" ,c\n", 2, QuoteFault::TextAfter, 1),
            ("a\nb\"c\n", 2, QuoteFault::Inside, 1),
            ("a, \"b\"\n", 1, QuoteFault::Inside, 0),
            ("\"a\"\r", 1, QuoteFault::TextAfter, 0),
        ] {
            let (records, fault) = records(text.as_bytes(), b',');
            assert_eq!((fault, records.len()), (Some(CsvFault { line, kind }), before), "{text:?}");
        }
    }
}
