//! The real binary, run in a temporary folder with a cleaned environment; its exact output and exit status.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use super::postgres::other_bindir;

/// A temporary folder in which the tool is run. Removed with the value.
pub struct Place {
    folder: TempDir,
}

/// A run that is being put together.
pub struct Run {
    command: Command,
}

/// A run that has ended.
#[derive(Debug)]
pub struct Ran {
    /// The exit status; -N where signal N ended it.
    pub code: i32,
    /// All of stdout.
    pub stdout: String,
    /// All of stderr.
    pub stderr: String,
}

impl Place {
    /// An empty folder.
    pub fn new() -> Place {
        Place { folder: tempfile::Builder::new().prefix("migrate-place-").tempdir().expect("a temporary folder") }
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file in it.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap_or_else(|e| panic!("{name}: {e}"));
        path
    }

    /// Reads a file in it.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// The names of its files.
    pub fn files(&self) -> BTreeSet<String> {
        let listed = std::fs::read_dir(self.folder.path()).expect("the folder");
        listed.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }

    /// `migrate` with these arguments: started in this folder, with nothing of the environment but where programs are.
    pub fn migrate<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Run {
        self.run(env!("CARGO_BIN_EXE_migrate"), args)
    }

    /// Another program, in the same way.
    pub fn run<A: AsRef<OsStr>>(&self, program: &str, args: impl IntoIterator<Item = A>) -> Run {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        for kept in ["PATH", "TMPDIR", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        // `rehearse` without the embedded server asks pg_config, which must speak of the version under test.
        if let Some(folder) = other_bindir() {
            let path = std::env::var("PATH").unwrap_or_default();
            command.env("PATH", format!("{folder}:{path}"));
        }
        // No ~/.pgpass or service file of the user takes part.
        command.env("HOME", self.folder.path()).env("LC_ALL", "C.UTF-8");
        Run { command }
    }
}

impl Run {
    /// One more argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Run {
        self.command.arg(arg);
        self
    }

    /// More arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Run {
        self.command.args(args);
        self
    }

    /// A variable of its environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Run {
        self.command.env(name, value);
        self
    }

    /// Runs it to its end.
    pub fn ran(mut self) -> Ran {
        Ran::of(self.command.output().expect("the binary"))
    }

    /// Runs it to its end, which must be this exit status.
    #[track_caller]
    pub fn exits(self, code: i32) -> Ran {
        let ran = self.ran();
        assert_eq!(ran.code, code, "stdout:\n{}\nstderr:\n{}", ran.stdout, ran.stderr);
        ran
    }

    /// Starts it, with its outputs held for [`Ran::of_child`].
    pub fn spawn(mut self) -> Child {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary")
    }

    /// The command itself, for special needs of one test.
    pub fn command(self) -> Command {
        self.command
    }
}

impl Ran {
    /// Reads the output of a process that has ended.
    pub fn of(output: Output) -> Ran {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output in UTF-8");
        let code = output.status.code().or(output.status.signal().map(|signal| -signal));
        Ran { code: code.expect("an exit or a signal"), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Waits for a child that [`Run::spawn`] started.
    pub fn of_child(child: Child) -> Ran {
        Ran::of(child.wait_with_output().expect("the end of the binary"))
    }

    /// The JSON on stdout.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}\n{}\n{}", self.stdout, self.stderr))
    }

    /// stdout, then stderr.
    pub fn said(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// The outputs contain every one of these.
    #[track_caller]
    pub fn says(&self, parts: &[&str]) -> &Ran {
        let said = self.said();
        for part in parts {
            assert!(said.contains(part), "`{part}` is missing in:\nstdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        }
        self
    }
}
