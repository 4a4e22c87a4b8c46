//! Flags of every command that are written before the command: `migrate -q verify`.

use std::ffi::OsString;

use clap::Command;

/// Returns the arguments with the flags before the command moved after it. The arguments are returned as they are if nothing
/// is before the command, or something that not every command takes. `common`: the definition of these flags.
pub fn after_command(args: Vec<OsString>, commands: &[String], common: Command) -> Vec<OsString> {
    let parser = common
        .disable_help_flag(true)
        .allow_external_subcommands(true)
        .external_subcommand_value_parser(clap::value_parser!(OsString));
    let Ok(matches) = parser.try_get_matches_from(&args) else { return args };
    let Some((name, rest)) = matches.subcommand().filter(|(name, _)| commands.iter().any(|known| known == name)) else {
        return args;
    };
    let after = rest.get_many::<OsString>("").map_or(0, Iterator::count);
    let Some(at) = args.len().checked_sub(after + 1).filter(|at| args.get(*at).is_some_and(|arg| arg == name)) else {
        return args;
    };
    let (before, command) = args.split_at(at);
    let Some(((program, flags), (command, after))) = before.split_first().zip(command.split_first()) else {
        return args;
    };
    [std::slice::from_ref(program), std::slice::from_ref(command), flags, after].concat()
}

#[cfg(test)]
mod tests {
    use clap::{Arg, ArgAction};

    use super::*;

    fn moved(words: &str) -> String {
        let args = words.split(' ').map(OsString::from).collect();
        let flags = [
            Arg::new("mapping").short('m').num_args(1),
            Arg::new("color").long("color").num_args(1),
            Arg::new("quiet").short('q').action(ArgAction::SetTrue),
            Arg::new("verbose").short('v').action(ArgAction::Count),
        ];
        let commands = ["verify".to_owned(), "status".to_owned()];
        let moved = after_command(args, &commands, Command::new("migrate").args(flags));
        moved.into_iter().map(|arg| arg.into_string().expect("UTF-8")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn flags_of_every_command_may_be_written_before_it() {
        for (written, read) in [
            ("migrate -q verify", "migrate verify -q"),
            ("migrate -m verify status -v", "migrate status -m verify -v"),
            (
                "migrate -m=a.toml --color never -vq verify --show-values",
                "migrate verify -m=a.toml --color never -vq --show-values",
            ),
        ] {
            assert_eq!(moved(written), read);
        }
        for same in [
            "migrate verify -q",
            "migrate --yes verify",
            "migrate -q",
            "migrate -m verify",
            "migrate -q other",
            "migrate",
        ] {
            assert_eq!(moved(same), same);
        }
    }
}
