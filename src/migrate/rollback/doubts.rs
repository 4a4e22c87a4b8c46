//! Sentences about rows that a rollback cannot identify as the run's own, or not any more.

/// Explains why the number of matching rows differs from the number of rows written.
pub(super) fn mismatch(deleted: u64, written: u64, doubt: &str) -> String {
    if deleted > written {
        return format!("{deleted} rows equal the {written} rows written, and the run's own rows cannot be identified");
    }
    format!("{} of its {written} rows were deleted or changed since{doubt}", written - deleted)
}

/// Explains that all rows have the content that was sent, and none was written by a transaction of the run.
pub(super) fn rewritten(doubt: &str) -> String {
    format!(
        "its rows are as they were sent, but none was written by a transaction of the run: the table was rewritten or the \
         database was restored from a copy{doubt}"
    )
}

/// Explains why a row counts as unchanged only if the run's own transaction wrote it last. Empty if its content suffices.
pub(super) fn doubt(key: &[String], unsent: &[String]) -> String {
    let mut reasons = Vec::new();
    if key.is_empty() {
        reasons.push("no key that the run sent identifies a row".to_owned());
    }
    if !unsent.is_empty() {
        reasons.push(format!("the run did not send {}", unsent.join(", ")));
    }
    if reasons.is_empty() {
        return String::new();
    }
    format!("; {}, so a row counts as unchanged only if no transaction wrote to it since", reasons.join(" and "))
}
