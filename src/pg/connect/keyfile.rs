//! Files of certificates, keys and revocation lists.
//!
//! `tls` selects the files; this file reads them or refuses them. No message contains any part of a key.

use super::error::{ConnectError, Problem};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use std::path::Path;

/// The place of a problem: the keyword and its file.
pub(super) fn place(keyword: &str, path: &Path) -> String {
    format!("{keyword} {}", path.display())
}

/// The error of a file that cannot be used.
pub(super) fn unusable(place: &str, what: &str, why: &str, advice: &str) -> ConnectError {
    ConnectError::Tls(Box::new(Problem::new(place, what, why, advice)))
}

fn pem_error(keyword: &str, path: &Path, e: pem::Error) -> ConnectError {
    let why = match e {
        pem::Error::Io(e) => e.to_string(),
        pem::Error::NoItemsFound => "it contains no such item".to_owned(),
        _ => "it is not PEM".to_owned(),
    };
    unusable(&place(keyword, path), "the file cannot be used", &why, &format!("Name the right file with {keyword}"))
}

/// Reads the certificates of a file in PEM, at least one.
pub(super) fn certificates(keyword: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let broken = |e| pem_error(keyword, path, e);
    let found: Vec<_> =
        CertificateDer::pem_file_iter(path).map_err(broken)?.collect::<Result<_, _>>().map_err(broken)?;
    match found.is_empty() {
        true => Err(broken(pem::Error::NoItemsFound)),
        false => Ok(found),
    }
}

/// Reads the revocation lists of a file in PEM.
pub(super) fn revocations(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, ConnectError> {
    let broken = |e| pem_error("sslcrl", path, e);
    CertificateRevocationListDer::pem_file_iter(path).map_err(broken)?.collect::<Result<_, _>>().map_err(broken)
}

/// Reads a key in PEM or DER. A key that other users may read is refused, as by libpq. An encrypted key cannot be read.
pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, ConnectError> {
    let shown = place("sslkey", path);
    #[cfg(unix)]
    if let Ok(metadata) = std::fs::metadata(path) {
        use std::os::unix::fs::MetadataExt;
        let allowed = if metadata.uid() == 0 { 0o640 } else { 0o600 };
        if metadata.mode() & 0o777 & !allowed != 0 {
            let why = "its group or other users may access it";
            return Err(unusable(&shown, "the key is not private", why, &format!("Run chmod 600 {}", path.display())));
        }
    }
    let bytes = std::fs::read(path).map_err(|e| pem_error("sslkey", path, pem::Error::Io(e)))?;
    let has = |needle: &[u8]| bytes.windows(needle.len()).any(|w| w == needle);
    if has(b"BEGIN ENCRYPTED PRIVATE KEY") || has(b"Proc-Type: 4,ENCRYPTED") {
        let advice = "Decrypt it into a private file with openssl pkey -in KEY -out PLAIN, and set sslkey to that file";
        return Err(unusable(
            &shown,
            "the key cannot be read",
            "it is encrypted, and this program does not decrypt keys",
            advice,
        ));
    }
    match PrivateKeyDer::from_pem_slice(&bytes) {
        Ok(key) => Ok(key),
        Err(e) => PrivateKeyDer::try_from(bytes).map_err(|_| pem_error("sslkey", path, e)),
    }
}
