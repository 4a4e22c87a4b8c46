//! The check of a server's certificate: none, its chain, or its chain and its name.
//!
//! Accepts what rustls accepts, and three kinds of certificates that PostgreSQL's instructions create, that OpenSSL
//! accepts and that rustls refuses: a name only in CN, version 1, and a self-signed certificate that is its own root.
//! Signatures of the handshake are always checked. `tls` selects the check.

use super::x509::ParsedCertificate;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::sync::Arc;

/// The proof that a server must give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CertificateCheck {
    /// Nothing: encryption protects only against listeners.
    Nothing,
    /// A trusted authority signed the certificate.
    Chain,
    /// The same, and the certificate contains the server's name.
    ChainAndName,
}

/// A verifier for one configuration.
#[derive(Debug)]
pub(super) struct Verifier {
    check: CertificateCheck,
    /// `None` if there is no root to check by.
    chain: Option<Arc<WebPkiServerVerifier>>,
    roots: Vec<CertificateDer<'static>>,
    /// The other certificates of the file of roots: intermediates that a server may omit.
    links: Vec<CertificateDer<'static>>,
    /// True if there are revocation lists. Only rustls checks them, so there is no second opinion then.
    revocation: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    /// Returns a verifier that trusts the roots among these certificates.
    ///
    /// As with OpenSSL, a root is self-issued and within its dates; rustls would trust any certificate that it is given.
    /// A certificate that cannot be parsed here is left to rustls.
    ///
    /// # Errors
    /// The reason, if a revocation list cannot be read.
    pub(super) fn new(
        check: CertificateCheck,
        trusted: Vec<CertificateDer<'static>>,
        revoked: Vec<CertificateRevocationListDer<'static>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Verifier, String> {
        let now = UnixTime::now();
        let is_root = |der: &CertificateDer<'_>| {
            ParsedCertificate::read(der).is_none_or(|parsed| parsed.is_self_issued() && parsed.check_dates(now).is_ok())
        };
        let (roots, links): (Vec<_>, Vec<_>) = trusted.into_iter().partition(is_root);
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots.iter().cloned());
        let revocation = !revoked.is_empty();
        let chain = match store.is_empty() {
            true => None,
            false => Some(
                WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider.clone())
                    .with_crls(revoked)
                    .allow_unknown_revocation_status()
                    .build()
                    .map_err(|e| e.to_string())?,
            ),
        };
        Ok(Verifier { check, chain, roots, links, revocation, algorithms: provider.signature_verification_algorithms })
    }

    /// Checks again a chain that rustls refused with `first` because rustls cannot read it. Accepts a self-signed
    /// certificate that is itself a root, and a certificate of version 1 that a root signed.
    fn second_opinion(&self, der: &CertificateDer<'_>, now: UnixTime, first: Error) -> Result<(), Error> {
        let Some(parsed) = ParsedCertificate::read(der).filter(|_| is_unread(&first) && !self.revocation) else {
            return Err(first);
        };
        let trusted = match (parsed.is_self_issued(), parsed.is_version_1()) {
            (true, _) => self.roots.iter().any(|root| root.as_ref() == der.as_ref()),
            (false, true) => parsed.signed_by_one_of(&self.roots, &self.algorithms),
            (false, false) => return Err(first),
        };
        match trusted {
            true => parsed.check_dates(now).map_err(Error::InvalidCertificate),
            false => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        }
    }

    /// Returns `otherwise` unless the certificate contains the name or the check compares no name.
    fn check_name(&self, der: &CertificateDer<'_>, name: &ServerName<'_>, otherwise: Error) -> Result<(), Error> {
        if self.check == CertificateCheck::Chain
            || ParsedCertificate::read(der).is_some_and(|parsed| parsed.names(name))
        {
            return Ok(());
        }
        Err(otherwise)
    }
}

/// Returns true if the certificate is for another name.
fn is_name_error(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidCertificate(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. })
    )
}

/// Returns true if rustls refused what it cannot read or does not search for. Other refusals (dates, purpose, revocation)
/// are final.
fn is_unread(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidCertificate(
            CertificateError::Other(_) | CertificateError::BadEncoding | CertificateError::UnknownIssuer
        )
    )
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.check == CertificateCheck::Nothing {
            return Ok(ServerCertVerified::assertion());
        }
        let Some(chain) = &self.chain else {
            return Err(CertificateError::UnknownIssuer.into());
        };
        let links = self.links.iter().map(|link| link.as_ref().into());
        let links: Vec<CertificateDer<'_>> = intermediates.iter().cloned().chain(links).collect();
        // rustls checks the name last: an error about the name means that the chain is valid.
        match chain.verify_server_cert(end_entity, &links, server_name, ocsp_response, now) {
            Ok(verdict) => return Ok(verdict),
            Err(e) if is_name_error(&e) => self.check_name(end_entity, server_name, e)?,
            Err(e) => {
                self.second_opinion(end_entity, now, e)?;
                let wrong = Error::InvalidCertificate(CertificateError::NotValidForName);
                self.check_name(end_entity, server_name, wrong)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verdict = rustls::crypto::verify_tls12_signature(message, cert, dss, &self.algorithms);
        match (verdict, ParsedCertificate::read(cert).filter(ParsedCertificate::is_version_1)) {
            (Err(_), Some(parsed)) if parsed.signed_handshake(message, dss, &self.algorithms) => {
                Ok(HandshakeSignatureValid::assertion())
            }
            (verdict, _) => verdict,
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = ParsedCertificate::read(cert).filter(ParsedCertificate::is_version_1).and_then(|parsed| parsed.key());
        match key {
            Some(key) => {
                verify_tls13_signature_with_raw_key(message, &SubjectPublicKeyInfoDer::from(key), dss, &self.algorithms)
            }
            None => rustls::crypto::verify_tls13_signature(message, cert, dss, &self.algorithms),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
