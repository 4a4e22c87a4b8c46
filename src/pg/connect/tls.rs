//! What `sslmode` and its companions mean: which encryption is asked for and what the server must prove.
//!
//! Settings and the rustls configuration made from them; the check of a certificate is in `certificate`, the order
//! of attempts in `attempt`. Plaintext after a failed attempt at TLS is decided there, and only for `allow` and `prefer`.

use super::certificate::{Check, Verifier};
use super::error::ConnectError;
use super::keyfile::{certificates, place, private_key, revocations, unusable};
use super::layers::Layers;
use super::settings::{Address, Host};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, SupportedProtocolVersion};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The six words of libpq, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SslMode {
    /// No TLS.
    Disable,
    /// Plaintext first; TLS if the server wants it.
    Allow,
    /// TLS first; plaintext if that does not work.
    Prefer,
    /// TLS, with anybody, unless a root certificate is named.
    Require,
    /// TLS with a server whose certificate a trusted authority signed.
    VerifyCa,
    /// The same, and the certificate holds the name that was asked for.
    VerifyFull,
}

impl SslMode {
    /// As it is written.
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

    fn read(word: &str) -> Option<SslMode> {
        [SslMode::Disable, SslMode::Allow, SslMode::Prefer, SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull]
            .into_iter()
            .find(|mode| mode.word() == word)
    }
}

/// Whom to trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roots {
    /// Nobody said: the authorities of the system, where a mode verifies.
    Unsaid,
    /// `sslrootcert=system`.
    System,
    /// The authorities in this file.
    File(PathBuf),
}

/// Everything about TLS that does not differ between hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    mode: Option<SslMode>,
    roots: Roots,
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR`: where the system's authorities are, if not where they always are.
    system_roots: (Option<PathBuf>, Option<PathBuf>),
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    revoked: Option<PathBuf>,
    pub(super) direct: bool,
    send_name: bool,
    versions: Versions,
}

/// The range of TLS versions; rustls has 1.2 and 1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Versions {
    v12: bool,
    v13: bool,
}

impl TlsSettings {
    /// Reads the `ssl...` keywords.
    pub(super) fn resolve(layers: &Layers<'_>) -> Result<TlsSettings, ConnectError> {
        let environment = layers.environment;
        let at_home = |name: &str| {
            let path = environment.home.as_ref()?.join(".postgresql").join(name);
            environment.files().look(&path).ok().map(|_| path)
        };
        let roots = match layers.text("sslrootcert")? {
            Some("system") => Roots::System,
            Some(path) => Roots::File(PathBuf::from(path)),
            None => at_home("root.crt").map_or(Roots::Unsaid, Roots::File),
        };
        let with_certificate = match layers.text("sslcertmode")? {
            None | Some("allow") => true,
            Some("disable") => false,
            Some("require") => {
                let why = "whether the server asked for a certificate is not known to this program";
                return Err(layers.wrong("sslcertmode", why, "Write sslcertmode=allow"));
            }
            Some(_) => return Err(layers.not_one_of("sslcertmode", "disable, allow")),
        };
        let path = |name| Ok::<_, ConnectError>(layers.text(name)?.map(PathBuf::from));
        let certificate = path("sslcert")?.or_else(|| at_home("postgresql.crt"));
        let variable = |name| Ok::<_, ConnectError>(environment.variable(name)?.map(PathBuf::from));
        Ok(TlsSettings {
            mode: mode(layers, &roots)?,
            roots,
            system_roots: (variable("SSL_CERT_FILE")?, variable("SSL_CERT_DIR")?),
            certificate: certificate.filter(|_| with_certificate),
            key: path("sslkey")?.or_else(|| at_home("postgresql.key")),
            revoked: path("sslcrl")?.or_else(|| at_home("root.crl")),
            direct: match layers.text("sslnegotiation")? {
                None | Some("postgres") => false,
                Some("direct") => true,
                Some(_) => return Err(layers.not_one_of("sslnegotiation", "postgres, direct")),
            },
            send_name: layers.text("sslsni")? != Some("0"),
            versions: versions(layers)?,
        })
    }

    /// The mode for a host: as said, or by where the host is.
    pub(super) fn mode_for(&self, local: bool) -> SslMode {
        match (self.mode, &self.roots) {
            (Some(mode), _) => mode,
            (None, Roots::System) => SslMode::VerifyFull,
            (None, _) if local => SslMode::Prefer,
            (None, _) => SslMode::VerifyFull,
        }
    }

    /// Combinations that would promise more than they keep.
    pub(super) fn check(&self, hosts: &[Host]) -> Result<(), ConnectError> {
        for host in hosts.iter().filter(|h| !matches!(h.address, Address::Socket(_))) {
            if self.direct && host.sslmode < SslMode::Require {
                return Err(ConnectError::usage(
                    "sslnegotiation",
                    format!("direct does not go with sslmode={}", host.sslmode.word()),
                    "a server that is spoken to in TLS from the first byte cannot be asked whether it has TLS",
                    "Write sslmode=require or stronger",
                ));
            }
            if host.sslmode == SslMode::VerifyFull && host.name().is_none() {
                return Err(ConnectError::usage(
                    "hostaddr",
                    "sslmode=verify-full has no name to compare the certificate with",
                    "hostaddr is given without host",
                    "Add host=NAME, the name in the server's certificate; or write sslmode=verify-ca, which compares no name",
                ));
            }
        }
        Ok(())
    }

    /// What an operator should know, once: hosts off this machine to which less is promised than is thought.
    pub(super) fn notes(&self, hosts: &[Host]) -> Vec<String> {
        let note = |host: &Host| match host.sslmode {
            _ if host.address.is_local() => None,
            SslMode::Require if self.roots == Roots::Unsaid => {
                Some("encrypts and does not check who answers; sslmode=verify-full does")
            }
            SslMode::Disable => Some("sends password and rows in clear text"),
            SslMode::Allow | SslMode::Prefer => {
                Some("sends password and rows in clear text if the server, or somebody on the way, says so")
            }
            _ => None,
        };
        hosts.iter().filter_map(|h| Some(format!("{}: sslmode={} {}", h.shown(), h.sslmode.word(), note(h)?))).collect()
    }

    /// How much the server must prove under a mode: a named root certificate makes every mode check the chain, as in libpq.
    fn proof(&self, mode: SslMode) -> Check {
        match (mode, &self.roots) {
            (SslMode::VerifyFull, _) => Check::ChainAndName,
            (SslMode::VerifyCa, _) | (_, Roots::File(_)) => Check::Chain,
            _ => Check::Nothing,
        }
    }

    /// The configuration for one host.
    ///
    /// # Errors
    /// `Tls`, when a file that is named cannot be used.
    pub(super) fn config(&self, mode: SslMode) -> Result<ClientConfig, ConnectError> {
        let check = self.proof(mode);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = match check {
            Check::Nothing => Vec::new(),
            _ => self.trusted()?,
        };
        let revoked = match &self.revoked {
            Some(path) if check != Check::Nothing => revocations(path)?,
            _ => Vec::new(),
        };
        let verifier = Verifier::new(check, roots, revoked, &provider).map_err(|why| {
            unusable(
                "certificates",
                "they cannot be used",
                &why,
                "Correct the files that sslrootcert and sslcrl name; a revocation list must be of version 2",
            )
        })?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.versions.list())
            .map_err(|e| unusable("tls", "it cannot be set up", &e.to_string(), ""))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match &self.certificate {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let (chain, key) = self.own_certificate(path)?;
                builder.with_client_auth_cert(chain, key).map_err(|e| {
                    let advice = "Name the key that belongs to the certificate with sslkey";
                    unusable(&place("sslcert", path), "certificate and key do not go together", &e.to_string(), advice)
                })?
            }
        };
        config.enable_sni = self.send_name;
        if self.direct {
            config.alpn_protocols = vec![b"postgresql".to_vec()];
        }
        Ok(config)
    }

    /// The authorities to trust.
    fn trusted(&self) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
        if let Roots::File(path) = &self.roots {
            return certificates("sslrootcert", path);
        }
        let (file, folder) = &self.system_roots;
        let found = match (file, folder) {
            (None, None) => rustls_native_certs::load_native_certs(),
            (file, folder) => rustls_native_certs::load_certs_from_paths(file.as_deref(), folder.as_deref()),
        };
        if found.certs.is_empty() {
            let why = found.errors.first().map_or("none was found".to_owned(), |e| e.to_string());
            let advice =
                "Install the system's authorities (Debian: ca-certificates), or name a file of them: sslrootcert=FILE";
            return Err(unusable("the system's certificate authorities", "they cannot be read", &why, advice));
        }
        Ok(found.certs)
    }

    /// The certificate that shows the server who we are, and its key.
    fn own_certificate(
        &self,
        path: &Path,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), ConnectError> {
        let chain = certificates("sslcert", path)?;
        let Some(key) = &self.key else {
            let advice = "Name the key's file with sslkey";
            return Err(unusable(
                &place("sslcert", path),
                "its private key is missing",
                "neither sslkey nor ~/.postgresql/postgresql.key is there",
                advice,
            ));
        };
        Ok((chain, private_key(key)?))
    }
}

/// The word that was said, `PGREQUIRESSL`, and the rule that weak words do not go with the system's roots.
fn mode(layers: &Layers<'_>, roots: &Roots) -> Result<Option<SslMode>, ConnectError> {
    let mode = match layers.text("sslmode")? {
        Some(word) => {
            Some(SslMode::read(word).ok_or_else(|| {
                layers.not_one_of("sslmode", "disable, allow, prefer, require, verify-ca, verify-full")
            })?)
        }
        None => {
            layers.environment.variable("PGREQUIRESSL")?.is_some_and(|v| v.starts_with('1')).then_some(SslMode::Require)
        }
    };
    if *roots == Roots::System
        && let Some(weak) = mode.filter(|m| *m != SslMode::VerifyFull && *m != SslMode::Disable)
    {
        return Err(ConnectError::usage(
            layers.place("sslrootcert"),
            format!("sslrootcert=system does not go with sslmode={}", weak.word()),
            "anybody can have a certificate that the system trusts; only its name tells the server from others",
            "Write sslmode=verify-full, or leave sslrootcert=system out",
        ));
    }
    Ok(mode)
}

impl Versions {
    fn list(self) -> Vec<&'static SupportedProtocolVersion> {
        let both = [(self.v12, &TLS12), (self.v13, &TLS13)];
        both.into_iter().filter(|(on, _)| *on).map(|(_, v)| v).collect()
    }
}

fn versions(layers: &Layers<'_>) -> Result<Versions, ConnectError> {
    const WORDS: [&str; 4] = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];
    let bound = |name: &str, default: usize| match layers.text(name)? {
        None => Ok(default),
        Some(text) => WORDS
            .iter()
            .position(|w| w.eq_ignore_ascii_case(text))
            .ok_or_else(|| layers.not_one_of(name, "TLSv1.2, TLSv1.3")),
    };
    let (low, high) = (bound("ssl_min_protocol_version", 2)?, bound("ssl_max_protocol_version", 3)?);
    if low > high || high < 2 {
        let why = "no version of TLS that this program speaks (1.2, 1.3) lies within the two bounds";
        return Err(layers.wrong("ssl_max_protocol_version", why, "Write TLSv1.2 or TLSv1.3"));
    }
    Ok(Versions { v12: low <= 2, v13: high == 3 })
}
