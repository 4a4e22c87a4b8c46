//! The commands that print a text: pages of the guide through a pager on a terminal, completions, manual pages, and the
//! first words of the tool.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::cli::{self, Page};
use crate::exit::Exit;
use crate::guide;
use crate::model::fault::Reason;
use crate::model::ident::did_you_mean;
use crate::text::{Screen, broken};

use super::World;
use super::failure::Failure;
use super::output::print_with;

/// Prints a page: a topic of the guide, the list of topics, one reason, all reasons, or a generated text.
///
/// # Errors
/// A usage error if no topic, reason or command has this name.
pub(super) fn command(page: &Page<'_>, world: &World) -> Result<Exit, Failure> {
    let text = match *page {
        // A call without arguments did nothing: a script that relies on exit 0 as "done and verified" must not take it for that.
        Page::Welcome => return Ok(print_with(&Screen::of(&guide::welcome()), Exit::Usage)),
        Page::Completions(shell) => return Ok(print_with(&Screen::drawn(cli::completions(shell)), Exit::Done)),
        Page::Man(name) => {
            let text = cli::man(name).ok_or_else(|| no_command(name.unwrap_or_default()))?;
            return Ok(print_with(&Screen::drawn(text), Exit::Done));
        }
        Page::JsonSchema => {
            let text = guide::json_schema().map_err(Failure::bug)?;
            return Ok(print_with(&Screen::json(text), Exit::Done));
        }
        Page::Topics => guide::overview(),
        Page::Topic(name) => guide::page(name).ok_or_else(|| {
            let names: Vec<&str> = guide::TOPICS.iter().map(|topic| topic.name).collect();
            unknown("guide", name, &names)
        })?,
        Page::Reasons => guide::page("reasons").unwrap_or_default(),
        Page::Reason(word) => {
            let text = guide::explain(word).ok_or_else(|| {
                let words: Vec<&str> = Reason::ALL.iter().map(|reason| reason.word()).collect();
                unknown("explain", word, &words)
            })?;
            format!("{text}\nNext: Choose one, and check again. Nothing is written.\n  migrate -m MAPPING --dry-run\n")
        }
    };
    let text = if world.stdout_is_terminal { broken(&text, world.width) } else { text };
    let is_paged = world.stdout_is_terminal && paged(&text, world);
    Ok(if is_paged { Exit::Done } else { print_with(&Screen::of(&text), Exit::Done) })
}

/// The error for a manual page of a command that does not exist.
fn no_command(name: &str) -> Failure {
    let known = cli::command_names();
    let nearest = did_you_mean(name, known.iter().map(String::as_str));
    let advice = format!("{nearest}Commands: {}.", known.join(", "));
    Failure::usage_of("man", format!("`{name}` is not a command"), advice)
}

/// The error for a name that is not in the guide: the nearest name, or all of them if they fit a line.
fn unknown(command: &str, name: &str, known: &[&str]) -> Failure {
    let all = if known.len() > 10 {
        format!("`migrate {command}` lists all.")
    } else {
        format!("Topics: {}.", known.join(", "))
    };
    let advice = format!("{}{all}", did_you_mean(name, known.iter().copied()));
    Failure::usage_of(command, format!("`{name}` is not in the guide"), advice)
}

/// Shows a text in `$PAGER`, by default `less`, which returns at once if the text fits the screen.
/// Returns false if no pager could be started.
fn paged(text: &str, world: &World) -> bool {
    let pager = world.variable("PAGER").filter(|pager| !pager.trim().is_empty()).unwrap_or("less");
    let mut shell = Command::new("sh");
    shell.args(["-c", pager]).stdin(Stdio::piped());
    if world.variable("LESS").is_none() {
        shell.env("LESS", "FRX");
    }
    let Ok(mut child) = shell.spawn() else { return false };
    if let Some(mut stdin) = child.stdin.take() {
        // A reader who leaves the pager early closes the pipe.
        let _ = stdin.write_all(text.as_bytes());
    }
    // 127 is the shell's status for a program that is missing.
    child.wait().is_ok_and(|status| status.code() != Some(127))
}
