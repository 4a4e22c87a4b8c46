//! migrate
pub mod convert;
pub mod model;
pub mod target;
