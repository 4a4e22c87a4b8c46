//! A throw-away PostgreSQL for `rehearse`: the one inside the process, or, where that is not built in, a private server
//! from the binaries of this machine.
//!
//! Dropping either stops it and deletes its files. The embedded server serves one connection at a time; a second connection
//! would wait forever.

#[cfg(feature = "embedded")]
mod inside {
    /// The PostgreSQL inside the process.
    pub struct EmbeddedServer {
        server: pglite_oxide::PgliteServer,
        // Dropped after the server, whose socket is in this folder.
        _folder: tempfile::TempDir,
    }

    impl EmbeddedServer {
        /// Starts the server.
        ///
        /// # Errors
        /// The reason why it did not start, as a sentence.
        pub fn start() -> Result<EmbeddedServer, String> {
            // Over TCP each answer waits 40 ms for an acknowledgement; a socket does not.
            let folder = tempfile::Builder::new().prefix("migrate-").tempdir().map_err(|e| e.to_string())?;
            let socket = folder.path().join(".s.PGSQL.5432");
            let server = pglite_oxide::PgliteServer::builder().temporary().unix(socket).start();
            Ok(EmbeddedServer { server: server.map_err(|e| format!("{e:#}"))?, _folder: folder })
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
mod private {
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};

    /// A private server of this machine's own PostgreSQL, on a socket in a temporary folder.
    pub struct PrivateServer {
        bin: PathBuf,
        folder: tempfile::TempDir,
        as_user: Option<String>,
    }

    impl PrivateServer {
        /// Creates a cluster and starts it. It listens only on a socket in its own folder.
        ///
        /// # Errors
        /// The reason why it did not start, as a sentence.
        pub fn start() -> Result<PrivateServer, String> {
            let bin = PathBuf::from(output_of(Command::new("pg_config").arg("--bindir"))?.trim());
            let folder = tempfile::Builder::new().prefix("migrate-").tempdir().map_err(|e| e.to_string())?;
            let is_root = output_of(Command::new("id").arg("-u"))?.trim() == "0";
            let server = PrivateServer { bin, folder, as_user: is_root.then(|| "postgres".to_owned()) };
            if let Some(user) = &server.as_user {
                output_of(Command::new("chown").arg(user).arg(server.folder.path()))?;
            }
            let data = server.data();
            output_of(
                server
                    .command("initdb")
                    .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N", "-D"])
                    .arg(&data),
            )?;
            let options = format!("-c listen_addresses='' -c fsync=off -k '{}'", server.folder.path().display());
            let log = server.folder.path().join("log");
            output_of(
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

        /// Returns the command for one of the server's programs, run by a user other than root: `initdb` refuses root.
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

    impl Drop for PrivateServer {
        fn drop(&mut self) {
            let _ = output_of(self.command("pg_ctl").args(["-m", "immediate", "-D"]).arg(self.data()).arg("stop"));
        }
    }

    fn output_of(command: &mut Command) -> Result<String, String> {
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

#[cfg(feature = "embedded")]
pub use inside::EmbeddedServer as Throwaway;
#[cfg(not(feature = "embedded"))]
pub use private::PrivateServer as Throwaway;
