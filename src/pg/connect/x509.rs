//! Checks of certificates that OpenSSL supports and rustls does not: a name only in CN, version 1, and a certificate
//! that is its own root. PostgreSQL's documentation creates all three.
//!
//! Each check is about one certificate, and `certificate` decides which of them are made. Only rustls checks chains with
//! intermediates.

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, SignatureVerificationAlgorithm, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct};
use std::net::IpAddr;
use x509_cert::Certificate;
use x509_cert::certificate::Version;
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// A parsed certificate.
pub(super) struct ParsedCertificate(Certificate);

impl ParsedCertificate {
    /// Parses DER. `None` if it is not a certificate.
    pub(super) fn read(der: &CertificateDer<'_>) -> Option<ParsedCertificate> {
        Certificate::from_der(der).ok().map(ParsedCertificate)
    }

    /// Returns true for version 1, of which rustls reads neither name nor key.
    pub(super) fn is_version_1(&self) -> bool {
        self.0.tbs_certificate.version == Version::V1
    }

    /// Returns true if the certificate names itself as its issuer. Any other certificate is not a root, even in the
    /// file of roots.
    pub(super) fn is_self_issued(&self) -> bool {
        self.0.tbs_certificate.issuer == self.0.tbs_certificate.subject
    }

    /// Returns true if one of the roots signed the certificate directly.
    pub(super) fn signed_by_one_of(
        &self,
        roots: &[CertificateDer<'_>],
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> bool {
        let (Ok(message), Some(signature)) = (self.0.tbs_certificate.to_der(), self.0.signature.as_bytes()) else {
            return false;
        };
        let Some(kind) = contents(&self.0.signature_algorithm) else {
            return false;
        };
        roots.iter().filter_map(ParsedCertificate::read).any(|root| {
            let tbs = &root.0.tbs_certificate;
            let fitting = algorithms.all.iter().copied();
            tbs.subject == self.0.tbs_certificate.issuer
                && fitting
                    .filter(|a| a.signature_alg_id().as_ref() == kind)
                    .any(|a| signed(a, &tbs.subject_public_key_info, &message, signature))
        })
    }

    /// Checks the dates of the certificate.
    pub(super) fn check_dates(&self, now: UnixTime) -> Result<(), CertificateError> {
        let validity = &self.0.tbs_certificate.validity;
        let now = now.as_secs();
        if now < validity.not_before.to_unix_duration().as_secs() {
            return Err(CertificateError::NotValidYet);
        }
        if now > validity.not_after.to_unix_duration().as_secs() {
            return Err(CertificateError::Expired);
        }
        Ok(())
    }

    /// Returns true if the certificate names the server, by libpq's rules. CN counts only without an alternative name
    /// of the same kind. An address may also be written as a DNS name.
    pub(super) fn names(&self, server: &ServerName<'_>) -> bool {
        let (wanted, is_ip) = match server {
            ServerName::DnsName(name) => (name.as_ref().to_owned(), false),
            ServerName::IpAddress(ip) => (IpAddr::from(*ip).to_string(), true),
            _ => return false,
        };
        let alternatives = match self.0.tbs_certificate.get::<SubjectAltName>() {
            Ok(found) => found.map(|(_, names)| names.0).unwrap_or_default(),
            Err(_) => return false,
        };
        let mut same_kind = false;
        for name in &alternatives {
            match name {
                GeneralName::DnsName(name) if matches(name.as_str(), &wanted, is_ip) => {
                    return true;
                }
                GeneralName::DnsName(_) => same_kind |= !is_ip,
                GeneralName::IpAddress(_) => same_kind |= is_ip,
                _ => {}
            }
        }
        !same_kind && self.common_name().is_some_and(|cn| matches(cn, &wanted, is_ip))
    }

    fn common_name(&self) -> Option<&str> {
        let names = &self.0.tbs_certificate.subject.0;
        let mut parts = names.iter().flat_map(|part| part.0.iter());
        let name = parts.find(|a| a.oid == COMMON_NAME)?;
        std::str::from_utf8(name.value.value()).ok()
    }

    /// Returns true if the certificate's key made this signature of a TLS 1.2 handshake.
    pub(super) fn signed_handshake(
        &self,
        message: &[u8],
        dss: &DigitallySignedStruct,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> bool {
        let key = &self.0.tbs_certificate.subject_public_key_info;
        let fitting = algorithms.mapping.iter().filter(|(scheme, _)| *scheme == dss.scheme);
        fitting.flat_map(|(_, found)| found.iter().copied()).any(|a| signed(a, key, message, dss.signature()))
    }

    /// The key of the certificate in rustls's form of raw keys.
    pub(super) fn key(&self) -> Option<Vec<u8>> {
        self.0.tbs_certificate.subject_public_key_info.to_der().ok()
    }
}

/// Returns true if the key made the signature with this algorithm.
fn signed(
    algorithm: &dyn SignatureVerificationAlgorithm,
    key: &SubjectPublicKeyInfoOwned,
    message: &[u8],
    signature: &[u8],
) -> bool {
    contents(&key.algorithm).is_some_and(|kind| algorithm.public_key_alg_id().as_ref() == kind)
        && key
            .subject_public_key
            .as_bytes()
            .is_some_and(|key| algorithm.verify_signature(key, message, signature).is_ok())
}

/// An algorithm's identifier without the header of its sequence, as rustls compares it. `None` if it is too long.
fn contents(algorithm: &AlgorithmIdentifierOwned) -> Option<Vec<u8>> {
    let der = algorithm.to_der().ok()?;
    // rustls knows no identifier longer than 127 bytes. RSA-PSS with all its parameters is shorter.
    (der.get(1)? < &0x80).then(|| der[2..].to_vec())
}

/// Returns true if the pattern matches the name: equal except for case, or `*.` for exactly one first label. An address
/// has no labels.
fn matches(pattern: &str, name: &str, is_ip: bool) -> bool {
    if pattern.eq_ignore_ascii_case(name) || is_ip {
        return pattern.eq_ignore_ascii_case(name);
    }
    match (pattern.strip_prefix("*."), name.split_once('.')) {
        (Some(suffix), Some((first, rest))) => {
            !suffix.is_empty() && !first.is_empty() && suffix.eq_ignore_ascii_case(rest)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_matches_exactly_one_label() {
        for (pattern, name, yes) in [
            ("db.example.com", "DB.example.com", true),
            ("*.example.com", "db.example.com", true),
            ("*.example.com", "a.db.example.com", false),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("d*.example.com", "db.example.com", false),
            ("*", "db", false),
            ("*.", "db.", false),
            ("", "db", false),
        ] {
            assert_eq!(matches(pattern, name, false), yes, "{pattern} {name}");
        }
        assert!(matches("127.0.0.1", "127.0.0.1", true));
        assert!(!matches("*.0.0.1", "127.0.0.1", true));
    }
}
