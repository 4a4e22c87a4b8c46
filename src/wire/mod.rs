//! The bytes sent to PostgreSQL: binary and text COPY rows.
//!
//! No sockets and no SQL: cells in, bytes out, so that every byte can be tested without a server.

pub mod binary;
pub mod calendar;
pub mod decode;
pub mod image;
pub mod text;
pub mod widen;
