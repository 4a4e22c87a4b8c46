//! A throw-away PostgreSQL for `rehearse`: the one inside the process, or, where that is not built in, a private server
//! from the binaries of this machine.
//!
//! Both are gone when they are dropped. The embedded one serves one connection at a time; a second would wait for ever.

#[cfg(feature = "embedded")]
mod inside {
    /// The PostgreSQL inside the process.
    pub struct Throwaway {
        server: pglite_oxide::PgliteServer,
        // Dropped after the server: its socket lies there.
        _folder: tempfile::TempDir,
    }

    impl Throwaway {
        /// Starts it.
        ///
        /// # Errors
        /// What kept it from starting, as a sentence.
        pub fn start() -> Result<Throwaway, String> {
            // Over TCP each answer waits 40 ms for an acknowledgement; a socket does not.
            let folder = tempfile::Builder::new().prefix("migrate-").tempdir().map_err(|e| e.to_string())?;
            let socket = folder.path().join(".s.PGSQL.5432");
            let server = pglite_oxide::PgliteServer::builder().temporary().unix(socket).start();
            Ok(Throwaway { server: server.map_err(|e| format!("{e:#}"))?, _folder: folder })
        }

        /// How it is reached.
        pub fn url(&self) -> String {
            self.server.database_url()
        }

        /// What it is, for the log.
        pub fn shown(&self) -> &'static str {
            "the PostgreSQL inside the process"
        }

        /// How many connections it serves at once.
        pub fn connections(&self) -> usize {
            1
        }
    }
}

#[cfg(not(feature = "embedded"))]
mod inside {
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};

    /// A private server of this machine's own PostgreSQL, on a socket in a temporary folder.
    pub struct Throwaway {
        bin: PathBuf,
        folder: tempfile::TempDir,
        as_user: Option<String>,
    }

    impl Throwaway {
        /// Makes a cluster and starts it, listening on nothing but a socket in its own folder.
        ///
        /// # Errors
        /// What kept it from starting, as a sentence.
        pub fn start() -> Result<Throwaway, String> {
            let bin = PathBuf::from(said(Command::new("pg_config").arg("--bindir"))?.trim());
            let folder = tempfile::Builder::new().prefix("migrate-").tempdir().map_err(|e| e.to_string())?;
            let is_root = said(Command::new("id").arg("-u"))?.trim() == "0";
            let server = Throwaway { bin, folder, as_user: is_root.then(|| "postgres".to_owned()) };
            if let Some(user) = &server.as_user {
                said(Command::new("chown").arg(user).arg(server.folder.path()))?;
            }
            let data = server.data();
            said(
                server
                    .command("initdb")
                    .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N", "-D"])
                    .arg(&data),
            )?;
            let options = format!("-c listen_addresses='' -c fsync=off -k '{}'", server.folder.path().display());
            let log = server.folder.path().join("log");
            said(
                server
                    .command("pg_ctl")
                    .args(["-w", "-D"])
                    .arg(&data)
                    .arg("-l")
                    .arg(&log)
                    .arg("-o")
                    .arg(options)
                    .arg("start"),
            )?;
            Ok(server)
        }

        fn data(&self) -> PathBuf {
            self.folder.path().join("data")
        }

        /// A program of the server's, run by a user that is not root: `initdb` refuses root.
        fn command(&self, name: &str) -> Command {
            let program: &Path = &self.bin.join(name);
            let mut command = match &self.as_user {
                None => Command::new(program),
                Some(user) => {
                    let mut command = Command::new("setpriv");
                    command.args(["--reuid", user, "--regid", user, "--clear-groups", "--"]).arg(program);
                    command
                }
            };
            command.current_dir("/");
            command
        }

        /// How it is reached.
        pub fn url(&self) -> String {
            let folder = self.folder.path().display().to_string();
            let folder: String = folder
                .bytes()
                .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
                .collect();
            format!("postgresql://postgres@/postgres?host={folder}")
        }

        /// What it is, for the log.
        pub fn shown(&self) -> &'static str {
            "a private server from the binaries of this machine (the embedded one is not built in)"
        }

        /// How many connections it serves at once.
        pub fn connections(&self) -> usize {
            usize::MAX
        }
    }

    impl Drop for Throwaway {
        fn drop(&mut self) {
            let _ = said(self.command("pg_ctl").args(["-m", "immediate", "-D"]).arg(self.data()).arg("stop"));
        }
    }

    fn said(command: &mut Command) -> Result<String, String> {
        let name = format!("{:?}", command.get_program());
        let out = command
            .stdin(Stdio::null())
            .output()
            .map_err(|e| format!("{name}: {e}. Install PostgreSQL's server, or build with the feature `embedded`."))?;
        if out.status.success() {
            return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
        }
        Err(format!("{name} failed: {}", String::from_utf8_lossy(&out.stderr).trim()))
    }
}

pub use inside::Throwaway;
