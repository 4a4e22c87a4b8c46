//! Rows that tables of the target hold before the run.

pub mod replace;
