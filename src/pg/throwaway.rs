//! A throw-away PostgreSQL for `rehearse`: the one inside the process, or, where that is not built in, a private server
//! from the binaries of this machine.
//!
//! Its data and its socket are in a private folder, and no other user may connect. Dropping it stops it and deletes its
//! files; [`crate::private::remove_all`] does the same. The embedded server serves one connection at a time; a second
//! connection would wait forever.

use std::path::Path;
use std::process::Command;

use crate::private::PrivateFolder;

/// The reason why no server was started.
#[derive(Debug)]
pub enum StartFailure {
    /// The process was asked to stop.
    Interrupted,
    /// A sentence.
    Failed(String),
}

impl From<std::io::Error> for StartFailure {
    fn from(e: std::io::Error) -> StartFailure {
        StartFailure::Failed(e.to_string())
    }
}

/// The folder of the server's data in its private folder.
const DATA: &str = "data";

fn folder() -> Result<PrivateFolder, StartFailure> {
    PrivateFolder::new().map_err(|e| {
        let place = std::env::temp_dir();
        StartFailure::Failed(format!(
            "no private folder could be created in {}: {e}. Set TMPDIR to a folder with room",
            place.display()
        ))
    })
}

/// Stops the server in the private folder of a rehearsal that was killed. `owner`: the user whom the folder belongs to, and
/// as whom its server runs.
pub fn stop_leftover(folder: &Path, owner: u32) {
    let data = folder.join(DATA);
    if !data.join("postmaster.pid").exists() {
        return;
    }
    let Ok(asked) = Command::new("pg_config").arg("--bindir").output() else { return };
    let program = Path::new(String::from_utf8_lossy(&asked.stdout).trim()).join("pg_ctl");
    let own = rustix::process::geteuid().as_raw() == owner;
    let mut command = if own { Command::new(&program) } else { as_user(&owner.to_string(), &program) };
    let _ = command.args(["-m", "immediate", "-D"]).arg(&data).arg("stop").current_dir("/").output();
}

/// The command for a program that runs as another user, given by name or number.
fn as_user(user: &str, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", user, "--regid", user, "--clear-groups", "--"]).arg(program);
    command
}

#[cfg(feature = "embedded")]
mod inside {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::{DATA, StartFailure, folder};

    /// The PostgreSQL inside the process.
    pub struct EmbeddedServer {
        server: pglite_oxide::PgliteServer,
        // Dropped after the server, whose data and socket are in this folder.
        _folder: crate::private::PrivateFolder,
    }

    impl EmbeddedServer {
        /// Starts the server. `asked` is set when the process is asked to stop.
        ///
        /// # Errors
        /// The reason why it did not start.
        pub fn start(asked: &AtomicBool) -> Result<EmbeddedServer, StartFailure> {
            if asked.load(Ordering::Relaxed) {
                return Err(StartFailure::Interrupted);
            }
            // Over TCP each answer waits 40 ms for an acknowledgement; a socket does not.
            let folder = folder()?;
            let (data, socket) = (folder.path().join(DATA), folder.path().join(".s.PGSQL.5432"));
            let server = pglite_oxide::PgliteServer::builder().path(data).unix(socket).start();
            let server = server.map_err(|e| StartFailure::Failed(format!("{e:#}")))?;
            Ok(EmbeddedServer { server, _folder: folder })
        }

        /// Returns the connection string.
        pub fn url(&self) -> String {
            self.server.database_url()
        }

        /// Returns a description for the log.
        pub fn shown(&self) -> &'static str {
            "the PostgreSQL inside the process"
        }

        /// Returns the number of connections that it serves at once.
        pub fn connections(&self) -> usize {
            1
        }
    }
}

#[cfg(not(feature = "embedded"))]
mod own_binaries {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    use std::os::unix::process::CommandExt;
    use std::path::{Path, PathBuf};
    use std::process::{Child, Command, Stdio};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use rustix::process::{Pid, Signal, kill_process_group};

    use super::{DATA, StartFailure, as_user, folder};
    use crate::private::{PrivateFolder, unnamed_file};

    /// The user as whom the server runs if this process is root's: `initdb` refuses root.
    const SERVER_USER: &str = "postgres";

    /// The interval at which a program is asked for its end.
    const INTERVAL: Duration = Duration::from_millis(10);

    /// A private server of this machine's own PostgreSQL, on a socket in a private folder.
    pub struct PrivateServer {
        folder: PrivateFolder,
    }

    /// The programs of the server, and the user as whom they run.
    #[derive(Clone)]
    struct Programs {
        bin: PathBuf,
        as_user: Option<&'static str>,
    }

    impl PrivateServer {
        /// Creates a cluster and starts it. It listens only on a socket in its own folder, and the kernel tells it which user
        /// connects: it admits the user of this process alone. `asked` is set when the process is asked to stop.
        ///
        /// # Errors
        /// The reason why it did not start.
        pub fn start(asked: &AtomicBool) -> Result<PrivateServer, StartFailure> {
            let bin = output_of(Command::new("pg_config").arg("--bindir"), asked)?;
            let user = output_of(Command::new("id").arg("-un"), asked)?;
            let is_root = rustix::process::geteuid().is_root();
            let programs = Programs { bin: PathBuf::from(bin.trim()), as_user: is_root.then_some(SERVER_USER) };
            let folder = folder()?;
            if let Some(user) = programs.as_user {
                output_of(Command::new("chown").arg(user).arg(folder.path()), asked)?;
            }
            let data = folder.path().join(DATA);
            let mut initdb = programs.command("initdb");
            initdb.args(["-U", "postgres", "-A", "peer", "-E", "UTF8", "--locale=C", "-N", "-D"]).arg(&data);
            output_of(&mut initdb, asked)?;
            admit(&data, user.trim())?;
            let stops = programs.clone();
            folder.before_removal(Arc::new(move |folder: &Path| stops.stop(&folder.join(DATA))));
            let options = format!(
                "-c listen_addresses='' -c fsync=off -c unix_socket_permissions=0700 -k '{}'",
                folder.path().display()
            );
            let mut start = programs.command("pg_ctl");
            start.args(["-w", "-D"]).arg(&data).arg("-l").arg(folder.path().join("log")).arg("-o").arg(options);
            output_of(start.arg("start"), asked)?;
            Ok(PrivateServer { folder })
        }

        /// Returns the connection string.
        pub fn url(&self) -> String {
            let folder = self.folder.path().display().to_string();
            let folder: String = folder
                .bytes()
                .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
                .collect();
            format!("postgresql://postgres@/postgres?host={folder}")
        }

        /// Returns a description for the log.
        pub fn shown(&self) -> &'static str {
            "a private server from the binaries of this machine (the embedded one is not built in)"
        }

        /// Returns the number of connections that it serves at once.
        pub fn connections(&self) -> usize {
            usize::MAX
        }
    }

    impl Programs {
        /// Returns the command for one of the server's programs.
        fn command(&self, name: &str) -> Command {
            let program = self.bin.join(name);
            let mut command = self.as_user.map_or_else(|| Command::new(&program), |user| as_user(user, &program));
            command.current_dir("/");
            command
        }

        fn stop(&self, data: &Path) {
            let mut stop = self.command("pg_ctl");
            let _ = stop.args(["-m", "immediate", "-D"]).arg(data).arg("stop").stdin(Stdio::null()).output();
        }
    }

    /// Lets only this user of the machine connect, as the superuser.
    fn admit(data: &Path, user: &str) -> Result<(), StartFailure> {
        if user.contains(['"', '\\', '\n']) {
            return Err(StartFailure::Failed(format!("the user name {user:?} cannot be written to pg_ident.conf")));
        }
        for (name, line) in [
            ("pg_hba.conf", "local all all peer map=rehearsal\n".to_owned()),
            ("pg_ident.conf", format!("rehearsal \"{user}\" postgres\n")),
        ] {
            let mut options = std::fs::OpenOptions::new();
            let file = options.write(true).truncate(true).mode(0o600).open(data.join(name));
            file.and_then(|mut file| file.write_all(line.as_bytes()))?;
        }
        Ok(())
    }

    /// Runs a program in a process group of its own, so that Ctrl-C at the terminal does not reach it, and returns its output.
    /// A request to stop ends the group.
    fn output_of(command: &mut Command, asked: &AtomicBool) -> Result<String, StartFailure> {
        let name = format!("{:?}", command.get_program());
        let missing = |e: std::io::Error| {
            StartFailure::Failed(format!(
                "{name}: {e}. Install PostgreSQL's server, or build with the feature `embedded`."
            ))
        };
        // The server inherits the descriptors, and would keep a pipe open.
        let mut texts = [unnamed_file()?, unnamed_file()?];
        command.stdin(Stdio::null()).stdout(texts[0].try_clone()?).stderr(texts[1].try_clone()?).process_group(0);
        let mut child = command.spawn().map_err(missing)?;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if asked.load(Ordering::Relaxed) {
                end(&mut child);
                return Err(StartFailure::Interrupted);
            }
            std::thread::sleep(INTERVAL);
        };
        let mut said = [String::new(), String::new()];
        for (file, text) in texts.iter_mut().zip(&mut said) {
            use std::io::{Read, Seek};
            file.rewind()?;
            let mut bytes = Vec::new();
            file.take(MOST_OUTPUT).read_to_end(&mut bytes)?;
            *text = String::from_utf8_lossy(&bytes).into_owned();
        }
        let [out, error] = said;
        if status.success() { Ok(out) } else { Err(StartFailure::Failed(format!("{name} failed: {}", error.trim()))) }
    }

    /// Bytes of a program's output that are read.
    const MOST_OUTPUT: u64 = 64 << 10;

    /// Ends a program with everything that it started, and waits for it.
    fn end(child: &mut Child) {
        if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            let _ended = kill_process_group(group, Signal::KILL);
        }
        let _ = child.wait();
    }
}

#[cfg(feature = "embedded")]
pub use inside::EmbeddedServer as Throwaway;
#[cfg(not(feature = "embedded"))]
pub use own_binaries::PrivateServer as Throwaway;
