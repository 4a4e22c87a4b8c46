//! What a panic says: where it happened, and nothing that it carries. Words put together at run time may quote a row, a
//! password or a connection string; words that stand in the code cannot.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::Write;
use std::panic::{Location, PanicHookInfo};

/// Has every panic of the process say no more than that.
pub fn keep_panics_bare() {
    std::panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let mut text = told(info.location(), info.payload());
        let backtrace = Backtrace::capture();
        // Names of functions and files alone; made when RUST_BACKTRACE asks for it.
        if backtrace.status() == BacktraceStatus::Captured {
            text.push_str(&format!("\n{backtrace}"));
        }
        let _ = writeln!(std::io::stderr().lock(), "migrate: {text}");
    }));
}

/// One panic, in words.
fn told(location: Option<&Location<'_>>, payload: &(dyn Any + Send)) -> String {
    let place = location.map_or_else(|| "somewhere".to_owned(), |l| format!("{}:{}", l.file(), l.line()));
    let words = match payload.downcast_ref::<&'static str>() {
        Some(words) => (*words).to_owned(),
        None => "its words are kept back, for they may quote a row or a connection string".to_owned(),
    };
    format!(
        "{place}: an internal error; {words}. What was committed is whole and the ledger knows it. Report this line; the same \
         command goes on from there."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_code_are_said_and_others_kept_back() {
        let place = Location::caller();
        let of_the_code: &'static str = "nobody is left";
        assert!(told(Some(place), &of_the_code).contains(": an internal error; nobody is left. What was committed"));
        let put_together = String::from("byte index 1 is not a char boundary; it is inside 'é' of `Zürich`");
        let text = told(Some(place), &put_together);
        assert!(text.starts_with(&format!("{}:{}: ", place.file(), place.line())), "{text}");
        assert!(text.contains("kept back") && !text.contains("boundary"), "{text}");
    }
}
