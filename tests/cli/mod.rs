//! The command line: arguments, exit statuses, and secrets that no output may show.

mod arguments;
mod secrets;
