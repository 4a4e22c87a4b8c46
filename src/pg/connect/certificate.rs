//! The check of a server's certificate: nothing, its chain, or its chain and its name.
//!
//! What rustls checks, plus the three habits of PostgreSQL's own instructions that OpenSSL accepts and rustls does
//! not: a name in CN alone, a version 1 certificate, and a self-signed certificate that is its own root.
//! Signatures of the handshake are always checked. Which check applies is decided in `tls`.

use super::x509::Old;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::sync::Arc;

/// How much a server has to prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// Nothing: only listeners are kept out.
    Nothing,
    /// A trusted authority signed the certificate.
    Chain,
    /// And it holds the name.
    ChainAndName,
}

/// A verifier for one configuration.
#[derive(Debug)]
pub(super) struct Verifier {
    check: Check,
    /// `None` where nothing is checked, and where there is no root to check by.
    chain: Option<Arc<WebPkiServerVerifier>>,
    roots: Vec<CertificateDer<'static>>,
    /// The rest of the file of roots: links that a server may leave out.
    links: Vec<CertificateDer<'static>>,
    /// Revocation lists are rustls's alone to check: with them there is no second opinion.
    revocation: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    /// A verifier that trusts the roots among these certificates. As with OpenSSL, a root is signed by itself and
    /// within its dates (rustls would trust any certificate that it is given); what cannot be read here is left to rustls.
    ///
    /// # Errors
    /// The reason, when a revocation list cannot be read.
    pub(super) fn new(
        check: Check,
        trusted: Vec<CertificateDer<'static>>,
        revoked: Vec<CertificateRevocationListDer<'static>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Verifier, String> {
        let now = UnixTime::now();
        let is_root = |der: &CertificateDer<'_>| {
            Old::read(der).is_none_or(|old| old.is_self_issued() && old.check_dates(now).is_ok())
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

    /// A second opinion on a chain that rustls refused with `first` for what it does not read: a self-signed
    /// certificate that is itself a root, or one of version 1 that a root signed.
    fn second_opinion(&self, der: &CertificateDer<'_>, now: UnixTime, first: Error) -> Result<(), Error> {
        let Some(old) = Old::read(der).filter(|_| is_unread(&first) && !self.revocation) else {
            return Err(first);
        };
        let trusted = match (old.is_self_issued(), old.is_version_1()) {
            (true, _) => self.roots.iter().any(|root| root.as_ref() == der.as_ref()),
            (false, true) => old.signed_by_one_of(&self.roots, &self.algorithms),
            (false, false) => return Err(first),
        };
        match trusted {
            true => old.check_dates(now).map_err(Error::InvalidCertificate),
            false => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        }
    }

    fn check_name(&self, der: &CertificateDer<'_>, name: &ServerName<'_>, otherwise: Error) -> Result<(), Error> {
        if self.check == Check::Chain || Old::read(der).is_some_and(|old| old.names(name)) {
            return Ok(());
        }
        Err(otherwise)
    }
}

fn is_name_error(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidCertificate(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. })
    )
}

/// Refusals for what rustls cannot read or does not look for; any other (dates, purpose, revocation) stands.
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
        if self.check == Check::Nothing {
            return Ok(ServerCertVerified::assertion());
        }
        let Some(chain) = &self.chain else {
            return Err(CertificateError::UnknownIssuer.into());
        };
        let links = self.links.iter().map(|link| link.as_ref().into());
        let links: Vec<CertificateDer<'_>> = intermediates.iter().cloned().chain(links).collect();
        // rustls looks at the name last: an error about the name says that the chain holds.
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
        match (verdict, Old::read(cert).filter(Old::is_version_1)) {
            (Err(_), Some(old)) if old.signed_handshake(message, dss, &self.algorithms) => {
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
        let key = Old::read(cert).filter(Old::is_version_1).and_then(|old| old.key());
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
