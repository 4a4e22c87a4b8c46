//! Forms that the refusals of all sources share.

use crate::model::record::{FAULTS_LISTED, Refusal};

/// Bytes as text: a byte that is not UTF-8 as `\xNN`.
pub fn shown(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

/// A line of a text, as a place.
pub(super) fn line_of(place: &str, line: usize) -> String {
    format!("{place}: line {line}")
}

/// The first [`FAULTS_LISTED`] refusals, and the number of the others. One mistake in a list can repeat in each line of it.
pub fn limited(mut refusals: Vec<Refusal>, place: &str) -> Vec<Refusal> {
    if let Some(others) = refusals.len().checked_sub(FAULTS_LISTED).filter(|others| *others > 0) {
        refusals.truncate(FAULTS_LISTED);
        let reason = format!("has {others} more refusals, which are not listed");
        refusals.push(Refusal::new(place, reason, "Fix those above, and run the command again."));
    }
    refusals
}
