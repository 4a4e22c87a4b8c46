//! migrate
pub mod convert;
pub mod event;
pub mod mapping;
pub mod model;
pub mod plan;
pub mod target;
pub mod wire;
