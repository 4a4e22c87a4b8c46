//! The reports in every form, on the terminal and in files.

mod forms;
mod json_contract;
mod screens;
