//! Texts that are made from the command line's definition: the grouped help, completions for a shell, manual pages.
//!
//! Nothing here lists flags or commands of its own, so that none can be missing.

use clap::Command;

/// The command with a help that lists its commands under headings, in the order in which they are used. An entry that
/// begins with `--` is a flag of the command itself.
pub fn grouped(mut command: Command, groups: &[(&str, &[&str])]) -> Command {
    // The help of clap knows one heading for all commands. Hidden ones are still parsed and suggested.
    command.build();
    let listed = groups.iter().map(|(heading, names)| group(&command, heading, names)).collect::<String>();
    let template = format!("{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{listed}{{all-args}}{{after-help}}");
    command.mut_subcommands(|c| c.hide(true)).help_template(template)
}

fn group(command: &Command, heading: &str, names: &[&str]) -> String {
    let mut text = format!("{heading}:\n");
    for name in names {
        let about = match name.strip_prefix("--") {
            Some(flag) => {
                command.get_arguments().find(|arg| arg.get_long() == Some(flag)).and_then(|arg| arg.get_help())
            }
            None => command.find_subcommand(name).and_then(Command::get_about),
        };
        text.push_str(&format!("  {name:<12} {}\n", about.map(ToString::to_string).unwrap_or_default()));
    }
    text + "\n"
}

/// The completions of a shell for every command and flag.
pub fn completions(mut command: Command, shell: clap_complete::Shell) -> String {
    let mut text = Vec::new();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// A command by its name, or by the names of the commands on the way to it, such as `fleet-verify`.
fn subcommand<'c>(command: &'c Command, name: &str) -> Option<&'c Command> {
    let inner = || name.split_once('-').and_then(|(outer, rest)| subcommand(command.find_subcommand(outer)?, rest));
    command.find_subcommand(name).or_else(inner)
}

/// The manual page of the tool, or that of one of its commands. `None` if there is no such command.
pub fn man(mut command: Command, name: Option<&str>) -> Option<String> {
    command.build();
    let version = command.get_version().unwrap_or_default().to_owned();
    let source = format!("{} {version}", command.get_name());
    let page = match name {
        None => command,
        // A command has the version of the tool.
        Some(name) => subcommand(&command, name)?.clone().version(version),
    };
    let mut text = Vec::new();
    // Writing into memory cannot fail.
    let _ = clap_mangen::Man::new(page).source(source).render(&mut text);
    Some(String::from_utf8_lossy(&text).into_owned())
}
