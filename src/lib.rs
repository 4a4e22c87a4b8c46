//! migrate
pub mod convert;
pub mod event;
pub mod model;
pub mod source;
