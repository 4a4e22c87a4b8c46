//! The values of `sslmode`.

/// The six modes of libpq, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SslMode {
    /// No TLS.
    Disable,
    /// Plaintext first, then TLS if the server requires it.
    Allow,
    /// TLS first, then plaintext if TLS fails.
    Prefer,
    /// TLS with any server, unless a root certificate is configured.
    Require,
    /// TLS with a server whose certificate a trusted authority signed.
    VerifyCa,
    /// The same, and the certificate contains the requested name.
    VerifyFull,
}

impl SslMode {
    /// The mode as it is written.
    pub fn word(self) -> &'static str {
        match self {
            SslMode::Disable => "disable",
            SslMode::Allow => "allow",
            SslMode::Prefer => "prefer",
            SslMode::Require => "require",
            SslMode::VerifyCa => "verify-ca",
            SslMode::VerifyFull => "verify-full",
        }
    }

    /// Reads a mode. `None` if the word is not a mode.
    pub(super) fn read(word: &str) -> Option<SslMode> {
        [SslMode::Disable, SslMode::Allow, SslMode::Prefer, SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull]
            .into_iter()
            .find(|mode| mode.word() == word)
    }
}
