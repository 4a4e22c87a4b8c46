//! The command line: arguments, exit statuses, secrets that no output may show, names that no output may show raw, files that
//! only one user may read, and the end by a signal.

mod arguments;
mod first_contact;
mod hostile_output;
mod private_places;
mod secrets;
mod stopped;
mod terminal;
mod written_files;
