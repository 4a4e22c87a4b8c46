//! Certificates made with openssl for one run of the tests: right ones, and every wrong kind.
//!
//! All for the name `localhost` and the address 127.0.0.1 unless the name says otherwise.

use super::server::run;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A folder of certificates: `NAME.crt` and `NAME.key`.
pub struct Certificates {
    folder: tempfile::TempDir,
}

/// The certificates that each authority of the tests signs.
const SERVERS: [(&str, &str, &str); 5] = [
    // Name, subject, extensions.
    ("right", "/CN=localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
    ("other_name", "/CN=db.example.com", "subjectAltName=DNS:db.example.com"),
    ("cn_only", "/CN=localhost", "basicConstraints=CA:FALSE"),
    ("star", "/CN=star", "subjectAltName=DNS:*.localhost"),
    // Both addresses of one project, as its console names them.
    (
        "supabase",
        "/CN=db.abcd.supabase.co",
        "subjectAltName=DNS:db.abcd.supabase.co,DNS:aws-0-eu-central-1.pooler.supabase.com",
    ),
];

impl Certificates {
    /// The one set of this process.
    pub fn get() -> &'static Certificates {
        static MADE: OnceLock<Certificates> = OnceLock::new();
        MADE.get_or_init(Certificates::make)
    }

    /// The path of a file of the set.
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn make() -> Certificates {
        let folder = tempfile::Builder::new().prefix("migrate-certs-").tempdir().expect("a temporary directory");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("mode");
        let made = Certificates { folder };
        for authority in ["authority", "stranger"] {
            made.self_signed(authority, &format!("/CN=test {authority}"), &[]);
        }
        for (name, subject, extensions) in SERVERS {
            made.signed(name, subject, "authority", Some(extensions));
        }
        made.signed("wrong_authority", "/CN=localhost", "stranger", Some(SERVERS[0].2));
        // As in PostgreSQL's documentation: with OpenSSL 3.0 this is a certificate of version 1.
        made.signed("version_1", "/CN=localhost", "authority", None);
        made.signed("version_1_rsa", "/CN=localhost", "authority", None);
        made.signed("rsa", "/CN=localhost", "authority", Some(SERVERS[0].2));
        made.chained();
        made.self_signed("self_signed", "/CN=localhost", &["-addext", SERVERS[0].2]);
        made.self_signed("self_signed_cn", "/CN=localhost", &[]);
        made.dated_by_ca();
        made.signed("client", "/CN=certified", "authority", Some("extendedKeyUsage=clientAuth"));
        made.encrypted_key();
        made
    }

    fn openssl(&self, arguments: &[&str]) {
        run(Command::new("openssl").args(arguments).current_dir(self.folder.path()));
    }

    fn self_signed(&self, name: &str, subject: &str, more: &[&str]) {
        let (key, crt) = (format!("{name}.key"), format!("{name}.crt"));
        let mut arguments = vec!["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
        arguments.extend(["-nodes", "-days", "30", "-subj", subject, "-keyout", &key, "-out", &crt]);
        arguments.extend(more);
        self.openssl(&arguments);
        self.close(&key);
    }

    /// A key and a request; an RSA key where the name says so, else one on an elliptic curve.
    fn request(&self, name: &str, subject: &str) {
        let (key, csr) = (format!("{name}.key"), format!("{name}.csr"));
        let kind: &[&str] = match name.contains("rsa") {
            true => &["rsa:2048"],
            false => &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        };
        let mut arguments = vec!["req", "-new", "-newkey"];
        arguments.extend(kind);
        arguments.extend(["-nodes", "-subj", subject, "-keyout", &key, "-out", &csr]);
        self.openssl(&arguments);
        self.close(&key);
    }

    fn signed(&self, name: &str, subject: &str, authority: &str, extensions: Option<&str>) {
        self.request(name, subject);
        let (csr, crt) = (format!("{name}.csr"), format!("{name}.crt"));
        let (ca, ca_key) = (format!("{authority}.crt"), format!("{authority}.key"));
        let extfile = format!("{name}.ext");
        let mut arguments = vec!["x509", "-req", "-days", "30", "-CAcreateserial"];
        arguments.extend(["-in", &csr, "-out", &crt, "-CA", &ca, "-CAkey", &ca_key]);
        if let Some(extensions) = extensions {
            fs::write(self.path(&extfile), extensions).expect("extensions");
            arguments.extend(["-extfile", &extfile]);
        }
        self.openssl(&arguments);
    }

    /// A certificate by way of an intermediate authority, which the server sends along in `chained` and leaves out in
    /// `unchained`; `links.crt` holds the intermediate and the root, `link.crt` the intermediate alone.
    fn chained(&self) {
        let authority = "basicConstraints=critical,CA:TRUE";
        self.signed("link", "/CN=test link", "authority", Some(authority));
        self.signed("unchained", "/CN=localhost", "link", Some(SERVERS[0].2));
        let read = |file: &str| fs::read_to_string(self.path(file)).expect("a certificate");
        let chain = read("unchained.crt") + &read("link.crt");
        fs::write(self.path("chained.crt"), chain).expect("a chain");
        fs::copy(self.path("unchained.key"), self.path("chained.key")).expect("its key");
        let links = read("link.crt") + &read("authority.crt");
        fs::write(self.path("links.crt"), links).expect("links");
    }

    /// `openssl ca`: `x509` of OpenSSL 3.0 cannot date a certificate back, and only `ca` revokes.
    fn dated_by_ca(&self) {
        let config = format!(
            "[ca]\ndefault_ca = a\n[a]\ndatabase = index.txt\nserial = serial.txt\nnew_certs_dir = .\n\
             default_md = sha256\npolicy = p\nx509_extensions = e\nunique_subject = no\ncertificate = authority.crt\n\
             private_key = authority.key\ndefault_crl_days = 30\n\
             crl_extensions = c\ncrlnumber = serial.txt\n[c]\nauthorityKeyIdentifier = keyid:always\n[p]\ncommonName = supplied\n[e]\n{}\n",
            SERVERS[0].2
        );
        fs::write(self.path("ca.conf"), config).expect("configuration");
        fs::write(self.path("index.txt"), "").expect("index");
        fs::write(self.path("serial.txt"), "1000\n").expect("serial");
        let ca = ["ca", "-batch", "-notext", "-config", "ca.conf"];
        for (name, from, until) in [
            ("expired", "20200101000000Z", "20200201000000Z"),
            ("not_yet", "20900101000000Z", "20900201000000Z"),
            ("revoked", "20200101000000Z", "20900201000000Z"),
        ] {
            self.request(name, "/CN=localhost");
            let (csr, crt) = (format!("{name}.csr"), format!("{name}.crt"));
            let mut arguments = ca.to_vec();
            arguments.extend(["-startdate", from, "-enddate", until, "-in", &csr, "-out", &crt]);
            self.openssl(&arguments);
        }
        self.openssl(&["ca", "-config", "ca.conf", "-revoke", "revoked.crt"]);
        self.openssl(&["ca", "-config", "ca.conf", "-gencrl", "-out", "revoked.crl"]);
    }

    fn encrypted_key(&self) {
        self.openssl(&["pkey", "-in", "client.key", "-aes256", "-passout", "pass:x", "-out", "encrypted.key"]);
        self.close("encrypted.key");
        fs::copy(self.path("client.key"), self.path("open.key")).expect("copy");
        fs::set_permissions(self.path("open.key"), fs::Permissions::from_mode(0o644)).expect("mode");
    }

    fn close(&self, file: &str) {
        fs::set_permissions(self.path(file), fs::Permissions::from_mode(0o600)).expect("mode");
    }

    /// A certificate and its key.
    pub fn pair(&self, name: &str) -> (PathBuf, PathBuf) {
        (self.path(&format!("{name}.crt")), self.path(&format!("{name}.key")))
    }
}

/// A path as written in a connection string of the tests.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}
