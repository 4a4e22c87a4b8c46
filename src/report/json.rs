//! The report for programs: the record as it is, as JSON (`format = 1`). One object, or an array for several mappings.
//!
//! Also reads it back. The written form is a contract. A form that is read may have fields of a newer version.

use std::fmt;

use anyhow::Context;
use serde_json::Value;

use crate::model::record::Report;
use crate::text::printable_json;

/// The version of the form: the one that is written, and the newest that is read.
pub const FORMAT: u32 = 1;

/// The reports as JSON.
///
/// # Errors
/// None is expected. serde decides.
pub fn render(reports: &[Report]) -> anyhow::Result<String> {
    let tidy: Vec<Report> = reports.iter().map(tidy).collect();
    let written = match tidy.as_slice() {
        [one] => serde_json::to_string_pretty(one),
        several => serde_json::to_string_pretty(several),
    };
    Ok(printable_json(written.context("a report as JSON")? + "\n"))
}

/// Rounds times to whole microseconds. JSON cannot express NaN, and readers reject `null` in place of a number.
fn tidy(report: &Report) -> Report {
    let mut report = report.clone();
    let micros = |s: &mut f64| *s = if s.is_finite() { (*s * 1e6).round() / 1e6 } else { 0.0 };
    for load in &mut report.loads {
        micros(&mut load.started);
        micros(&mut load.seconds);
    }
    report.retries.iter_mut().for_each(|r| micros(&mut r.at));
    report.steps.iter_mut().for_each(|s| micros(&mut s.seconds));
    report
}

/// A report that cannot be read.
#[derive(Debug)]
pub enum ReadError {
    /// Not JSON, or not a report.
    NotAReport(serde_json::Error),
    /// Written in a newer form.
    Newer(u64),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::NotAReport(e) => write!(f, "report: cannot be read; {e}. Name a file that --report wrote."),
            ReadError::Newer(format) => write!(
                f,
                "report: it has form {format}; this migrate reads form {FORMAT}. Use the migrate that wrote it."
            ),
        }
    }
}

impl std::error::Error for ReadError {}

/// Reads what [`render`] wrote.
///
/// # Errors
/// Text that is not a report, or a report in a newer form.
pub fn read(text: &str) -> Result<Vec<Report>, ReadError> {
    let value: Value = serde_json::from_str(text).map_err(ReadError::NotAReport)?;
    let several = match value {
        Value::Array(several) => several,
        one => vec![one],
    };
    several
        .into_iter()
        .map(|one| match one.get("format").and_then(Value::as_u64) {
            Some(format) if format > u64::from(FORMAT) => Err(ReadError::Newer(format)),
            _ => serde_json::from_value(one).map_err(ReadError::NotAReport),
        })
        .collect()
}
