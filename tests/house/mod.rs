//! The rules of the code: layers, shape, words, names. Each test reads the sources and lists every offence as `file:line`.
//!
//! To see what is left of a rule that still has a limit above 0: `cargo test --no-default-features --test main house -- --nocapture`.

mod crates;
mod imports;
mod language;
mod shape;
mod source;

/// Fails if more offences are found than the rule's limit allows. Prints them in any case.
///
/// A limit above 0 is the number of offences that were in the code when the rule was made. It may only fall.
#[track_caller]
fn at_most(limit: usize, rule: &str, offences: &[String]) {
    let list = offences.join("\n");
    let report = format!("{rule}: {} offences, at most {limit} are allowed\n{list}", offences.len());
    if !offences.is_empty() {
        println!("\n{report}");
    }
    assert!(offences.len() <= limit, "\n{report}");
}
