//! The TLS settings: the requested encryption, the proof required from the server, and the rustls configuration.
//!
//! `certificate` checks a server's certificate. `attempt` has the order of attempts, and alone decides that plaintext
//! follows a failed TLS attempt.

use super::certificate::{CertificateCheck, Verifier};
use super::error::ConnectError;
use super::host::{Host, ServerAddress};
use super::keyfile::{certificates, place, private_key, revocations, unusable};
use super::layers::Layers;
use super::ssl_mode::SslMode;
use rustls::crypto::ring::kx_group::{SECP256R1, SECP384R1, X25519};
use rustls::crypto::{CryptoProvider, SupportedKxGroup, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, SupportedProtocolVersion};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The groups of the key exchange. PostgreSQL before version 18 accepts the first one alone unless it is configured otherwise, and
/// asks for it in a further round trip if another one is offered first.
const GROUPS: [&dyn SupportedKxGroup; 3] = [SECP256R1, X25519, SECP384R1];

/// The trusted authorities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustedRoots {
    /// Not configured: the authorities of the system if a mode verifies.
    Default,
    /// `sslrootcert=system`.
    System,
    /// The authorities in this file.
    File(PathBuf),
}

/// The TLS settings that are the same for all hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    mode: Option<SslMode>,
    roots: TrustedRoots,
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR`: file and directory of the system's authorities, in place of the default ones.
    system_roots: (Option<PathBuf>, Option<PathBuf>),
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    revoked: Option<PathBuf>,
    pub(super) direct: bool,
    send_name: bool,
    versions: TlsVersions,
}

/// The allowed versions of TLS. rustls supports 1.2 and 1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TlsVersions {
    v12: bool,
    v13: bool,
}

impl TlsSettings {
    /// Reads the `ssl...` keywords.
    pub(super) fn resolve(layers: &Layers<'_>) -> Result<TlsSettings, ConnectError> {
        let environment = layers.environment;
        let at_home = |name: &str| {
            let path = environment.home.as_ref()?.join(".postgresql").join(name);
            environment.files().inspect(&path).ok().map(|_| path)
        };
        let roots = match layers.text("sslrootcert")? {
            Some("system") => TrustedRoots::System,
            Some(path) => TrustedRoots::File(PathBuf::from(path)),
            None => at_home("root.crt").map_or(TrustedRoots::Default, TrustedRoots::File),
        };
        let with_certificate = match layers.text("sslcertmode")? {
            None | Some("allow") => true,
            Some("disable") => false,
            Some("require") => {
                let why = "this program cannot detect that the server requested a certificate";
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

    /// The mode for a host: the configured one, or a default that depends on the host being `local`.
    pub(super) fn mode_for(&self, local: bool) -> SslMode {
        match (self.mode, &self.roots) {
            (Some(mode), _) => mode,
            (None, TrustedRoots::System) => SslMode::VerifyFull,
            (None, _) if local => SslMode::Prefer,
            (None, _) => SslMode::VerifyFull,
        }
    }

    /// Refuses combinations that would guarantee less than they seem to.
    pub(super) fn check(&self, hosts: &[Host]) -> Result<(), ConnectError> {
        for host in hosts.iter().filter(|h| !matches!(h.address, ServerAddress::Socket(_))) {
            if self.direct && host.sslmode < SslMode::Require {
                return Err(ConnectError::usage(
                    "sslnegotiation",
                    format!("sslnegotiation=direct is incompatible with sslmode={}", host.sslmode.word()),
                    "with TLS from the first byte the server cannot be asked for its TLS support",
                    "Write sslmode=require or stronger",
                ));
            }
            if host.sslmode == SslMode::VerifyFull && host.name().is_none() {
                return Err(ConnectError::usage(
                    "hostaddr",
                    "sslmode=verify-full has no name to compare the certificate with",
                    "hostaddr is given without host",
                    "Add host=NAME with the name in the server's certificate; or write sslmode=verify-ca, which compares no name",
                ));
            }
        }
        Ok(())
    }

    /// Notes for the operator about remote hosts with weaker guarantees than one may expect.
    pub(super) fn notes(&self, hosts: &[Host]) -> Vec<String> {
        let note = |host: &Host| match host.sslmode {
            _ if host.address.is_local() => None,
            SslMode::Require if self.roots == TrustedRoots::Default => {
                Some("encrypts without verifying the server; sslmode=verify-full verifies it")
            }
            SslMode::Disable => Some("sends password and rows in clear text"),
            SslMode::Allow | SslMode::Prefer => {
                Some("sends password and rows in clear text if the server or an interceptor refuses TLS")
            }
            _ => None,
        };
        hosts.iter().filter_map(|h| Some(format!("{}: sslmode={} {}", h.shown(), h.sslmode.word(), note(h)?))).collect()
    }

    /// The check of the certificate in a mode. As in libpq, every mode checks the chain if a root certificate is
    /// configured.
    fn proof(&self, mode: SslMode) -> CertificateCheck {
        match (mode, &self.roots) {
            (SslMode::VerifyFull, _) => CertificateCheck::ChainAndName,
            (SslMode::VerifyCa, _) | (_, TrustedRoots::File(_)) => CertificateCheck::Chain,
            _ => CertificateCheck::Nothing,
        }
    }

    /// Returns true if a server that passes the check of a mode has proved its identity.
    pub(super) fn proves_identity(&self, mode: SslMode) -> bool {
        !matches!(self.proof(mode), CertificateCheck::Nothing)
    }

    /// The rustls configuration for one host.
    ///
    /// # Errors
    /// `Tls` if a configured file cannot be used.
    pub(super) fn config(&self, mode: SslMode) -> Result<ClientConfig, ConnectError> {
        let check = self.proof(mode);
        let provider = Arc::new(CryptoProvider { kx_groups: GROUPS.to_vec(), ..ring::default_provider() });
        let roots = match check {
            CertificateCheck::Nothing => Vec::new(),
            _ => self.trusted()?,
        };
        let revoked = match &self.revoked {
            Some(path) if check != CertificateCheck::Nothing => revocations(path)?,
            _ => Vec::new(),
        };
        let verifier = Verifier::new(check, roots, revoked, &provider).map_err(|why| {
            unusable(
                "certificates",
                "they cannot be used",
                &why,
                "Correct the files of sslrootcert and sslcrl. A revocation list must have version 2",
            )
        })?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.versions.list())
            .map_err(|e| unusable("tls", "the versions cannot be used", &e.to_string(), ""))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match &self.certificate {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let (chain, key) = self.own_certificate(path)?;
                builder.with_client_auth_cert(chain, key).map_err(|e| {
                    let advice = "Set sslkey to the key that belongs to the certificate";
                    unusable(&place("sslcert", path), "certificate and key do not match", &e.to_string(), advice)
                })?
            }
        };
        config.enable_sni = self.send_name;
        if self.direct {
            config.alpn_protocols = vec![b"postgresql".to_vec()];
        }
        Ok(config)
    }

    /// Reads the trusted authorities.
    fn trusted(&self) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
        if let TrustedRoots::File(path) = &self.roots {
            return certificates("sslrootcert", path);
        }
        let (file, folder) = &self.system_roots;
        let found = match (file, folder) {
            (None, None) => rustls_native_certs::load_native_certs(),
            (file, folder) => rustls_native_certs::load_certs_from_paths(file.as_deref(), folder.as_deref()),
        };
        if found.certs.is_empty() {
            let why = found.errors.first().map_or("none was found".to_owned(), |e| e.to_string());
            let advice = "Install the system's authorities (Debian: ca-certificates), or write sslrootcert=FILE";
            return Err(unusable("the system's certificate authorities", "they cannot be read", &why, advice));
        }
        Ok(found.certs)
    }

    /// Reads the client certificate and its key.
    fn own_certificate(
        &self,
        path: &Path,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), ConnectError> {
        let chain = certificates("sslcert", path)?;
        let Some(key) = &self.key else {
            let advice = "Set sslkey to the file of the key";
            return Err(unusable(
                &place("sslcert", path),
                "its private key is missing",
                "sslkey is not set, and ~/.postgresql/postgresql.key does not exist",
                advice,
            ));
        };
        Ok((chain, private_key(key)?))
    }
}

/// Reads `sslmode` or `PGREQUIRESSL`. Refuses a mode that is too weak for the system's roots.
fn mode(layers: &Layers<'_>, roots: &TrustedRoots) -> Result<Option<SslMode>, ConnectError> {
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
    if *roots == TrustedRoots::System
        && let Some(weak) = mode.filter(|m| *m != SslMode::VerifyFull && *m != SslMode::Disable)
    {
        return Err(ConnectError::usage(
            layers.place("sslrootcert"),
            format!("sslrootcert=system is incompatible with sslmode={}", weak.word()),
            "the system trusts the certificates of very many servers; only the name identifies this server",
            "Write sslmode=verify-full, or remove sslrootcert=system",
        ));
    }
    Ok(mode)
}

impl TlsVersions {
    fn list(self) -> Vec<&'static SupportedProtocolVersion> {
        let both = [(self.v12, &TLS12), (self.v13, &TLS13)];
        both.into_iter().filter(|(on, _)| *on).map(|(_, v)| v).collect()
    }
}

fn versions(layers: &Layers<'_>) -> Result<TlsVersions, ConnectError> {
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
        let why = "this program supports TLS 1.2 and 1.3, and neither is between the two bounds";
        return Err(layers.wrong("ssl_max_protocol_version", why, "Write TLSv1.2 or TLSv1.3"));
    }
    Ok(TlsVersions { v12: low <= 2, v13: high == 3 })
}
