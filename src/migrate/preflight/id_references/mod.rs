//! References without a foreign key to rows whose ids change: shifted, issued anew, or those of a matched row. A column that
//! looks like one by its name and its values is refused until the mapping states what it is. What looks so by its values
//! alone is listed. The values are collected in the pass that the preflight makes over all rows.

mod judge;
mod members;
mod names;
mod numbers;
mod seen;
mod watch;

pub use seen::SeenIds;
pub use watch::{IdWatch, LoadWatch};
