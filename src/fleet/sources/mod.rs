//! The members of a fleet, from the words of a command line: pure, text in, members or every refusal out. No file is read here.
//!
//! A text that names files ([`listed()`]) or a [`Glob`] yields files. A [`Pattern`] takes values out of their paths.
//! [`members()`] joins both and refuses each file that would be loaded twice or under no owner.
//!
//! An empty field, `null` and a group that matched nothing are no value.

mod csv;
mod glob;
mod listing;
mod member;
mod members;
mod ndjson;
mod pattern;
mod refusals;
#[cfg(test)]
mod tests;

pub use glob::{Component, Glob};
pub use listing::{ListingForm, listed};
pub use member::MemberFile;
pub use members::{Canonical, members, owned};
pub use pattern::Pattern;
pub use refusals::{limited, shown};
