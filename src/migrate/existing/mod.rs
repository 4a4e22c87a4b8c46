//! Rows that tables of the target hold before the run.

pub mod compare;
pub mod replace;
