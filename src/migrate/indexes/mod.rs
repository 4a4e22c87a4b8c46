//! Constraints and indexes of the target, detached before the first row and reattached after the last.

pub mod detach;
pub mod index_width;
