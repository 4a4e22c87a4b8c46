//! One row per case: a string, variables and files, put to psql and to us. Both connect to the same, or neither does.
//!
//! `{port}`, `{other}`, `{dead}`, `{dir}` and `{home}` stand for the server's port, that of one whose sessions are read-only,
//! one without a listener, the directory of its socket and the home directory; `{certs}` for the folder of certificates.

use super::certs::{Certificates, text};
use super::psql::{ask, ask_us};
use super::server::{Server, Wish, free_port};
use super::tls::RULES;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The input for psql and for us.
struct Attempt {
    name: &'static str,
    string: Option<&'static str>,
    variables: &'static [(&'static str, &'static str)],
    /// Path under the home directory, mode, contents.
    files: &'static [(&'static str, u32, &'static str)],
    /// The outcome of both: `+` and what is connected to, or `-` and the word of our refusal; `?` where the machine decides.
    ends: &'static str,
}

const fn case(
    name: &'static str,
    string: Option<&'static str>,
    variables: &'static [(&'static str, &'static str)],
    files: &'static [(&'static str, u32, &'static str)],
    ends: &'static str,
) -> Attempt {
    Attempt { name, string, variables, files, ends }
}

const ALICE: &str = "+alice|alice|migrate|on";
const HOST: &[(&str, &str)] = &[("PGHOST", "127.0.0.1"), ("PGPORT", "{port}")];
const NOTHING: &[(&str, &str)] = &[];

#[rustfmt::skip]
const CASES: &[Attempt] = &[
    // Strings.
    case("url", Some("postgresql://alice:s%3Acret%20%40@127.0.0.1:{port}/alice"), NOTHING, &[], ALICE),
    case("url, password as it is", Some("postgresql://alice:s:cret%20%40@127.0.0.1:{port}/alice"), NOTHING, &[], ALICE),
    case("url, wrong password", Some("postgresql://alice:wrong@127.0.0.1:{port}/alice"), NOTHING, &[], "-not-admitted"),
    case("url, no password", Some("postgresql://alice@127.0.0.1:{port}/alice"), NOTHING, &[], "-not-admitted"),
    case("url, password in query", Some("postgres://127.0.0.1:{port}/?user=alice&password=s:cret%20%40"), NOTHING, &[], ALICE),
    case("url, socket in host", Some("postgres://alice:s:cret%20%40@{%dir}:{port}/alice"), NOTHING, &[], ALICE),
    case("url, socket in query", Some("postgres:///alice?host={dir}&port={port}&user=alice&password=s:cret%20%40"), NOTHING, &[], ALICE),
    case("url, IPv6", Some("postgres://trusty@[::1]:{port}/alice"), NOTHING, &[], "?"),
    case("url, two hosts, the first dead", Some("postgres://trusty@127.0.0.1:{dead},127.0.0.1:{port}/alice"), NOTHING, &[], "+trusty|alice|migrate|on"),
    case("url, odd names", Some("postgres://od%40d%2F@127.0.0.1:{port}/o%20d%3Fd%25"), NOTHING, &[], "+od@d/|o d?d%|migrate|on"),
    case("url, ssl=true without TLS", Some("postgres://trusty@127.0.0.1:{port}/alice?ssl=true"), NOTHING, &[], "-tls"),
    case("url, application name and options", Some("postgres://trusty@127.0.0.1:{port}/alice?application_name=a%20b&options=-c%20geqo%3Doff"), NOTHING, &[], "+trusty|alice|a b|off"),
    case("pairs", Some(r"host = 127.0.0.1 port={port} user=alice password='s:cret \@'"), NOTHING, &[], ALICE),
    case("pairs, escapes without quotes", Some(r"host=127.0.0.1 port={port} user=alice password=s:cret\ @ dbname=alice"), NOTHING, &[], ALICE),
    case("pairs, the last one counts", Some("host=127.0.0.1 port={dead} port={port} user=unknown user=trusty dbname=alice"), NOTHING, &[], "+trusty|alice|migrate|on"),
    case("pairs, hostaddr and host", Some("host=no.such.host.invalid hostaddr=127.0.0.1 port={port} user=trusty dbname=alice sslmode=disable"), NOTHING, &[], "+trusty|alice|migrate|on"),
    case("pairs, hosts and addresses do not match", Some("host=a,b hostaddr=127.0.0.1 port={port} user=trusty"), NOTHING, &[], "-connection-settings"),
    case("pairs, two ports for three hosts", Some("host=a,b,c port=1,2 user=trusty"), NOTHING, &[], "-connection-settings"),
    case("pairs, one port for two hosts", Some("hostaddr=127.0.0.1,127.0.0.1 port={port} user=trusty dbname=alice"), NOTHING, &[], "+trusty|alice|migrate|on"),
    case("pairs, port out of range", Some("host=127.0.0.1 port=65536 user=trusty"), NOTHING, &[], "-connection-settings"),
    case("pairs, no such mode", Some("host=127.0.0.1 port={port} user=trusty sslmode=on"), NOTHING, &[], "-connection-settings"),
    case("pairs, timeout not a number", Some("host=127.0.0.1 port={port} user=trusty connect_timeout=2s"), NOTHING, &[], "-connection-settings"),
    case("pairs, timeout with blanks", Some("host=127.0.0.1 port={port} user=trusty dbname=alice connect_timeout=' 5 '"), NOTHING, &[], "+trusty|alice|migrate|on"),
    case("pairs, no such database", Some("host=127.0.0.1 port={port} user=trusty dbname=none"), NOTHING, &[], "-connection"),
    case("pairs, database by default", Some("host=127.0.0.1 port={port} user=trusty"), NOTHING, &[], "-connection"),
    case("pairs, dead port", Some("host=127.0.0.1 port={dead} user=trusty"), NOTHING, &[], "-unreachable"),
    case("pairs, no such socket", Some("host=/no/such/folder port={port} user=trusty"), NOTHING, &[], "-unreachable"),
    case("pairs, no such host", Some("host=no.such.host.invalid user=trusty"), NOTHING, &[], "-unreachable"),
    case("pairs, not admitted", Some("host=127.0.0.1 port={port} user=barred dbname=alice"), NOTHING, &[], "-not-admitted"),
    case("pairs, client_encoding", Some("host=127.0.0.1 port={port} user=trusty dbname=alice client_encoding=LATIN1"), NOTHING, &[], "+trusty|alice|migrate|on"),
    case("pairs, keepalives", Some("host=127.0.0.1 port={port} user=trusty dbname=alice keepalives=0 tcp_user_timeout=5000"), NOTHING, &[], "+trusty|alice|migrate|on"),
    case("pairs, GSSAPI not wanted", Some("host=127.0.0.1 port={port} user=trusty dbname=alice gssencmode=disable krbsrvname=x"), NOTHING, &[], "+trusty|alice|migrate|on"),
    case("pairs, channel binding without TLS", Some("host=127.0.0.1 port={port} user=alice password='s:cret @' channel_binding=require"), NOTHING, &[], "-tls"),
    case("bare database", Some("alice"), &[("PGHOST", "127.0.0.1"), ("PGPORT", "{port}"), ("PGUSER", "trusty")], &[], "+trusty|alice|migrate|on"),
    case("pairs, a primary", Some("host=127.0.0.1 port={port} user=trusty dbname=alice target_session_attrs=primary"), NOTHING, &[], "+trusty|alice|migrate|on"),
    case("pairs, no standby", Some("host=127.0.0.1 port={port} user=trusty dbname=alice target_session_attrs=standby"), NOTHING, &[], "-connection"),
    case("pairs, a standby if there is one", Some("host=127.0.0.1 port={port} user=trusty dbname=alice target_session_attrs=prefer-standby"), NOTHING, &[], "+trusty|alice|migrate|on"),
    case("pairs, read-write", Some("host=127.0.0.1 port={port} user=trusty dbname=alice target_session_attrs=read-write"), NOTHING, &[], "+trusty|alice|migrate|on"),
    case("pairs, read-write role that is not", Some("host=127.0.0.1 port={port} user=reader dbname=alice target_session_attrs=read-write"), NOTHING, &[], "-connection"),
    case("pairs, read-only role", Some("host=127.0.0.1 port={port} user=reader dbname=alice target_session_attrs=read-only"), NOTHING, &[], "+reader|alice|migrate|on"),
    case("two hosts, the one that takes writes", Some("postgresql://trusty@127.0.0.1:{other},127.0.0.1:{port}/alice?target_session_attrs=read-write"), NOTHING, &[], "+trusty|alice|migrate|on"),
    case("two hosts, the one that is read-only", Some("host=127.0.0.1,127.0.0.1 port={port},{other} user=trusty dbname=alice target_session_attrs=read-only"), NOTHING, &[], "+trusty|alice|other|migrate|on"),
    case("three hosts in variables, one dead", None, &[("PGHOST", "127.0.0.1,127.0.0.1,127.0.0.1"), ("PGPORT", "{dead},{other},{port}"), ("PGUSER", "trusty"), ("PGDATABASE", "alice"), ("PGTARGETSESSIONATTRS", "read-write")], &[], "+trusty|alice|migrate|on"),
    case("two hosts, neither of the kind", Some("host=127.0.0.1,127.0.0.1 port={port},{other} user=trusty dbname=alice target_session_attrs=standby"), NOTHING, &[], "-connection"),
    case("two hosts, the first wants a password that is wrong", Some("host=127.0.0.1,127.0.0.1 port={port},{other} user=alice password=x dbname=alice"), NOTHING, &[], "-not-admitted"),
    case("pairs, no such kind", Some("host=127.0.0.1 port={port} user=trusty target_session_attrs=master"), NOTHING, &[], "-connection-settings"),
    // Variables.
    case("variables alone", None, &[("PGHOST", "127.0.0.1"), ("PGPORT", "{port}"), ("PGUSER", "alice"), ("PGPASSWORD", "s:cret @"), ("PGDATABASE", "alice")], &[], ALICE),
    case("the string over variables", Some("user=trusty"), &[("PGHOST", "127.0.0.1"), ("PGPORT", "{port}"), ("PGUSER", "alice"), ("PGDATABASE", "alice")], &[], "+trusty|alice|migrate|on"),
    case("an empty value hides the variable", Some("user=trusty dbname=''"), &[("PGHOST", "127.0.0.1"), ("PGPORT", "{port}"), ("PGDATABASE", "alice")], &[], "-connection"),
    case("an empty path does not", Some("postgresql://trusty@127.0.0.1:{port}/"), &[("PGDATABASE", "alice")], &[], "+trusty|alice|migrate|on"),
    case("PGHOSTADDR", Some("user=trusty dbname=alice"), &[("PGHOSTADDR", "127.0.0.1"), ("PGPORT", "{port}")], &[], "+trusty|alice|migrate|on"),
    case("PGOPTIONS and PGAPPNAME", Some("user=trusty dbname=alice"), &[("PGHOST", "127.0.0.1"), ("PGPORT", "{port}"), ("PGOPTIONS", "-c geqo=off"), ("PGAPPNAME", "other")], &[], "+trusty|alice|other|off"),
    case("PGSSLMODE", Some("user=trusty dbname=alice"), &[("PGHOST", "127.0.0.1"), ("PGPORT", "{port}"), ("PGSSLMODE", "require")], &[], "-tls"),
    case("PGREQUIRESSL", Some("user=trusty dbname=alice"), &[("PGHOST", "127.0.0.1"), ("PGPORT", "{port}"), ("PGREQUIRESSL", "1")], &[], "-tls"),
    case("PGCONNECT_TIMEOUT", Some("user=trusty"), &[("PGHOST", "127.0.0.1"), ("PGPORT", "{port}"), ("PGCONNECT_TIMEOUT", "x")], &[], "-connection-settings"),
    case("PGTARGETSESSIONATTRS", Some("user=trusty dbname=alice"), &[("PGHOST", "127.0.0.1"), ("PGPORT", "{port}"), ("PGTARGETSESSIONATTRS", "standby")], &[], "-connection"),
    case("PGPORT not a number", Some("user=trusty"), &[("PGHOST", "127.0.0.1"), ("PGPORT", "x")], &[], "-connection-settings"),
    case("an empty PGPORT is the default", Some("user=trusty port={port} dbname=alice"), &[("PGHOST", "127.0.0.1"), ("PGPORT", "")], &[], "+trusty|alice|migrate|on"),
    case("the user of the system, who is none here", Some("dbname=alice"), HOST, &[], "-not-admitted"),
    // Password files.
    case("a line", Some("user=alice"), HOST, &[(".pgpass", 0o600, "127.0.0.1:{port}:alice:alice:s\\:cret @\n")], ALICE),
    case("stars", Some("user=alice"), HOST, &[(".pgpass", 0o600, "# a comment\n\n*:*:*:alice:s\\:cret @")], ALICE),
    case("the first that fits", Some("user=alice"), HOST, &[(".pgpass", 0o600, "*:1:*:*:x\n*:*:*:alice:s\\:cret @\n*:*:*:*:y\n")], ALICE),
    case("a first that fits and is wrong", Some("user=alice"), HOST, &[(".pgpass", 0o600, "*:*:*:*:x\n*:*:*:alice:s\\:cret @\n")], "-not-admitted"),
    case("ends of line of Windows", Some("user=alice"), HOST, &[(".pgpass", 0o600, "*:*:*:*:s\\:cret @\r\n")], ALICE),
    case("open to all", Some("user=alice"), HOST, &[(".pgpass", 0o644, "*:*:*:*:s\\:cret @\n")], "-not-admitted"),
    case("open to a group", Some("user=alice"), HOST, &[(".pgpass", 0o640, "*:*:*:*:s\\:cret @\n")], "-not-admitted"),
    case("read only", Some("user=alice"), HOST, &[(".pgpass", 0o400, "*:*:*:*:s\\:cret @\n")], ALICE),
    case("PGPASSWORD over the file", Some("user=alice"), &[("PGHOST", "127.0.0.1"), ("PGPORT", "{port}"), ("PGPASSWORD", "s:cret @")], &[(".pgpass", 0o600, "*:*:*:*:x\n")], ALICE),
    case("an empty password asks the file", Some("user=alice password=''"), &[("PGHOST", "127.0.0.1"), ("PGPORT", "{port}"), ("PGPASSWORD", "x")], &[(".pgpass", 0o600, "*:*:*:*:s\\:cret @\n")], ALICE),
    case("PGPASSFILE", Some("user=alice"), &[("PGHOST", "127.0.0.1"), ("PGPORT", "{port}"), ("PGPASSFILE", "{home}/other")], &[("other", 0o600, "*:*:*:*:s\\:cret @\n"), (".pgpass", 0o600, "*:*:*:*:x\n")], ALICE),
    case("passfile in the string", Some("user=alice passfile={home}/other"), HOST, &[("other", 0o600, "*:*:*:*:s\\:cret @\n"), (".pgpass", 0o600, "*:*:*:*:x\n")], ALICE),
    case("by name, not by address", Some("user=alice host=localhost hostaddr=127.0.0.1 port={port}"), NOTHING, &[(".pgpass", 0o600, "127.0.0.1:*:*:*:x\nlocalhost:*:*:*:s\\:cret @\n")], ALICE),
    case("by address where no name is", Some("user=alice hostaddr=127.0.0.1 port={port}"), NOTHING, &[(".pgpass", 0o600, "localhost:*:*:*:x\n127.0.0.1:*:*:*:s\\:cret @\n")], ALICE),
    case("by the socket's folder", Some("user=alice host={dir} port={port}"), NOTHING, &[(".pgpass", 0o600, "localhost:*:*:*:x\n{dir}:*:*:*:s\\:cret @\n")], ALICE),
    case("one for each host", Some("user=alice host=127.0.0.1,localhost port={dead},{port}"), NOTHING, &[(".pgpass", 0o600, "127.0.0.1:*:*:*:x\nlocalhost:*:*:*:s\\:cret @\n")], ALICE),
    // Service files.
    case("PGSERVICE", None, &[("PGSERVICE", "s")], &[(".pg_service.conf", 0o644, "[other]\nhost=x\n[s]\n# c\n host=127.0.0.1\nport={port}\nuser=trusty\ndbname=alice \n[s]\nuser=x\n")], "+trusty|alice|migrate|on"),
    case("service in the string", Some("service=s user=trusty"), &[("PGUSER", "x")], &[(".pg_service.conf", 0o644, "[s]\nhost=127.0.0.1\nport={port}\nuser=alice\ndbname=alice\n")], "+trusty|alice|migrate|on"),
    case("service in a url", Some("postgres://trusty@/?service=s"), NOTHING, &[(".pg_service.conf", 0o644, "[s]\nhost=127.0.0.1\nport={port}\ndbname=alice\n")], "+trusty|alice|migrate|on"),
    case("service over variables", Some("service=s"), &[("PGUSER", "alice"), ("PGDATABASE", "none")], &[(".pg_service.conf", 0o644, "[s]\nhost=127.0.0.1\nport={port}\nuser=trusty\ndbname=alice\n")], "+trusty|alice|migrate|on"),
    case("the first value of a service counts", Some("service=s"), NOTHING, &[(".pg_service.conf", 0o644, "[s]\nhost=127.0.0.1\nport={port}\nuser=trusty\nuser=alice\ndbname=alice\n")], "+trusty|alice|migrate|on"),
    case("PGSERVICEFILE", None, &[("PGSERVICE", "s"), ("PGSERVICEFILE", "{home}/services")], &[("services", 0o644, "[s]\nhost=127.0.0.1\nport={port}\nuser=trusty\ndbname=alice\n"), (".pg_service.conf", 0o644, "[s]\nhost=127.0.0.1\nport={dead}\n")], "+trusty|alice|migrate|on"),
    case("PGCONNECT_TIMEOUT is a number", Some("user=trusty dbname=alice"), &[("PGHOST", "127.0.0.1"), ("PGPORT", "{port}"), ("PGCONNECT_TIMEOUT", "5")], &[], "+trusty|alice|migrate|on"),
    case("no such service", Some("service=t"), NOTHING, &[(".pg_service.conf", 0o644, "[s]\nhost=127.0.0.1\n")], "-connection-settings"),
    case("no service file", Some("service=s"), NOTHING, &[], "-connection-settings"),
    case("a service of nonsense", Some("service=s"), NOTHING, &[(".pg_service.conf", 0o644, "[s]\nhost\n")], "-connection-settings"),
    case("a blank before the =", Some("service=s"), NOTHING, &[(".pg_service.conf", 0o644, "[s]\nhost =127.0.0.1\n")], "-connection-settings"),
    case("a service in a service", Some("service=s"), NOTHING, &[(".pg_service.conf", 0o644, "[s]\nservice=t\n")], "-connection-settings"),
    case("nonsense elsewhere in the file", Some("service=s"), NOTHING, &[(".pg_service.conf", 0o644, "nonsense\n[t]\nnonsense\n[s]\nhost=127.0.0.1\nport={port}\nuser=trusty\ndbname=alice\n")], "+trusty|alice|migrate|on"),
    case("a password in a service", Some("service=s"), NOTHING, &[(".pg_service.conf", 0o644, "[s]\nhost=127.0.0.1\nport={port}\nuser=alice\npassword=s:cret @\n")], ALICE),
];

const TLS_HOST: (&str, &str) = ("PGHOST", "localhost");
const TLS_ADDRESS: (&str, &str) = ("PGHOSTADDR", "127.0.0.1");
const TLS_PORT: (&str, &str) = ("PGPORT", "{port}");
const ROOT: (&str, &str) = ("PGSSLROOTCERT", "{certs}/authority.crt");
const FULL: (&str, &str) = ("PGSSLMODE", "verify-full");
const CRYPT: &str = "+crypt|postgres|migrate|on|t";
const CERTIFIED: &str = "+certified|postgres|migrate|on|t";

/// The same against a server with a certificate, by its rules of [`RULES`].
#[rustfmt::skip]
const TLS_CASES: &[Attempt] = &[
    case("url, verify-full", Some("postgresql://crypt@localhost:{port}/postgres?sslmode=verify-full&sslrootcert={certs}/authority.crt"), NOTHING, &[], CRYPT),
    case("PGSSLMODE and PGSSLROOTCERT", Some("user=crypt dbname=postgres"), &[TLS_HOST, TLS_ADDRESS, TLS_PORT, FULL, ROOT], &[], CRYPT),
    case("the string over PGSSLROOTCERT", Some("user=crypt dbname=postgres sslrootcert={certs}/stranger.crt"), &[TLS_HOST, TLS_ADDRESS, TLS_PORT, FULL, ROOT], &[], "-tls"),
    case("PGSSLROOTCERT, not there", Some("user=crypt dbname=postgres"), &[TLS_HOST, TLS_ADDRESS, TLS_PORT, FULL, ("PGSSLROOTCERT", "{home}/none")], &[], "-tls"),
    case("verify-full, another name", Some("user=crypt dbname=postgres host=db.example.com"), &[TLS_ADDRESS, TLS_PORT, FULL, ROOT], &[], "-tls"),
    case("verify-ca, another name", Some("user=crypt dbname=postgres host=db.example.com sslmode=verify-ca"), &[TLS_ADDRESS, TLS_PORT, FULL, ROOT], &[], CRYPT),
    case("root certificate in the home directory", Some("user=crypt dbname=postgres"), &[TLS_HOST, TLS_ADDRESS, TLS_PORT, FULL, ("PGSSLROOTCERT", "{home}/root.crt")], &[("root.crt", 0o644, "{authority}")], CRYPT),
    case("PGSSLCERT and PGSSLKEY", Some("user=certified dbname=postgres"), &[TLS_HOST, TLS_ADDRESS, TLS_PORT, FULL, ROOT, ("PGSSLCERT", "{certs}/client.crt"), ("PGSSLKEY", "{certs}/client.key")], &[], CERTIFIED),
    case("no client certificate", Some("user=certified dbname=postgres"), &[TLS_HOST, TLS_ADDRESS, TLS_PORT, FULL, ROOT], &[], "-not-admitted"),
    case("a key that is not the certificate's", Some("user=certified dbname=postgres sslkey={certs}/right.key"), &[TLS_HOST, TLS_ADDRESS, TLS_PORT, FULL, ROOT, ("PGSSLCERT", "{certs}/client.crt")], &[], "-tls"),
    case("a key that others may read", Some("user=certified dbname=postgres"), &[TLS_HOST, TLS_ADDRESS, TLS_PORT, FULL, ROOT, ("PGSSLCERT", "{certs}/client.crt"), ("PGSSLKEY", "{certs}/open.key")], &[], "-tls"),
    case("PGCHANNELBINDING", Some("user=scram dbname=postgres"), &[TLS_HOST, TLS_ADDRESS, TLS_PORT, FULL, ROOT, ("PGPASSWORD", "x"), ("PGCHANNELBINDING", "require")], &[], "+scram|postgres|migrate|on|t"),
    case("channel binding where no password is asked for", Some("user=crypt dbname=postgres"), &[TLS_HOST, TLS_ADDRESS, TLS_PORT, FULL, ROOT, ("PGCHANNELBINDING", "require")], &[], "-tls"),
    case("a password file through TLS", Some("user=scram dbname=postgres"), &[TLS_HOST, TLS_ADDRESS, TLS_PORT, FULL, ROOT], &[(".pgpass", 0o600, "localhost:*:postgres:scram:x\n")], "+scram|postgres|migrate|on|t"),
    case("a service with TLS", Some("service=s"), NOTHING, &[(".pg_service.conf", 0o644, "[s]\nhost=localhost\nhostaddr=127.0.0.1\nport={port}\nuser=crypt\ndbname=postgres\nsslmode=verify-full\nsslrootcert={certs}/authority.crt\n")], CRYPT),
];

const HBA: &str = "local all postgres trust\nlocal all all scram-sha-256\nhost all trusty all trust\n\
     host all \"od@d/\" all trust\nhost all reader all trust\nhost all alice all scram-sha-256\n";

fn server(conf: &str) -> Server {
    let server = Server::start(&Wish { hba: HBA, conf, ..Wish::default() });
    for sql in [
        "CREATE ROLE alice LOGIN PASSWORD 's:cret @'",
        "CREATE ROLE trusty LOGIN",
        "CREATE ROLE barred LOGIN",
        "CREATE ROLE reader LOGIN",
        "ALTER ROLE reader SET default_transaction_read_only = on",
        "CREATE ROLE \"od@d/\" LOGIN",
        "CREATE DATABASE alice",
        "CREATE DATABASE \"o d?d%\"",
    ] {
        server.sql_with(sql, "-c default_transaction_read_only=off");
    }
    server
}

/// The servers of the cases.
struct Ends<'s> {
    server: &'s Server,
    /// One whose sessions are read-only.
    other: Option<&'s Server>,
    dead: u16,
}

#[test]
fn each_case_connects_to_what_psql_connects_to() {
    let (server, other) = (server(""), server("default_transaction_read_only = on"));
    Ends { server: &server, other: Some(&other), dead: free_port() }.hold(CASES);
}

#[test]
fn each_case_with_tls_connects_to_what_psql_connects_to() {
    let (crt, key) = Certificates::get().pair("rsa");
    let ca = Certificates::get().path("authority.crt");
    let server = Server::start(&Wish { hba: RULES, tls: Some((&crt, &key)), client_ca: Some(&ca), ..Wish::default() });
    server.sql("CREATE ROLE crypt LOGIN; CREATE ROLE certified LOGIN; CREATE ROLE scram LOGIN PASSWORD 'x'");
    Ends { server: &server, other: None, dead: free_port() }.hold(TLS_CASES);
}

#[test]
fn the_table_covers_every_variable_and_key_of_hosting_strings() {
    let all = || CASES.iter().chain(TLS_CASES);
    for name in [
        "PGHOST",
        "PGHOSTADDR",
        "PGPORT",
        "PGUSER",
        "PGPASSWORD",
        "PGDATABASE",
        "PGSSLMODE",
        "PGSSLROOTCERT",
        "PGSSLCERT",
        "PGSSLKEY",
        "PGPASSFILE",
        "PGSERVICE",
        "PGSERVICEFILE",
        "PGCONNECT_TIMEOUT",
        "PGOPTIONS",
        "PGAPPNAME",
        "PGCHANNELBINDING",
        "PGTARGETSESSIONATTRS",
    ] {
        assert!(all().any(|case| case.variables.iter().any(|(n, _)| *n == name)), "{name} is in no case");
    }
    for key in [
        "host",
        "hostaddr",
        "port",
        "user",
        "password",
        "dbname",
        "options",
        "channel_binding",
        "application_name",
        "connect_timeout",
        "target_session_attrs",
        "passfile",
        "service",
        "sslmode",
        "sslrootcert",
        "sslkey",
    ] {
        let holds = |text: &str| text.replace(' ', "").contains(&format!("{key}="));
        assert!(all().any(|case| case.string.is_some_and(holds)), "{key} is in no case");
    }
}

impl Ends<'_> {
    #[track_caller]
    fn hold(&self, cases: &[Attempt]) {
        let differences: Vec<String> = cases.iter().filter_map(|case| self.difference(case)).collect();
        assert!(differences.is_empty(), "{} of {}\n{}", differences.len(), cases.len(), differences.join("\n"));
    }

    /// The outcomes of psql and of us, if they differ from each other or from the expectation.
    fn difference(&self, case: &Attempt) -> Option<String> {
        let home = tempfile::tempdir().expect("a home");
        let fill = |text: &str| self.fill(text, home.path());
        for (path, mode, contents) in case.files {
            let path = home.path().join(path);
            fs::write(&path, fill(contents)).expect("a file");
            fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).expect("its mode");
        }
        let string = case.string.map(fill);
        let filled: Vec<(&str, String)> = case.variables.iter().map(|(n, v)| (*n, fill(v))).collect();
        let variables: Vec<(&str, &str)> = filled.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let psql = ask(string.as_deref(), &variables, home.path());
        let ours = ask_us(string.as_deref(), &variables, home.path());
        let alike = match (&psql, &ours) {
            (Ok(a), Ok(b)) if case.ends == "?" => a == b,
            (Err(_), Err(_)) if case.ends == "?" => true,
            (Ok(a), Ok(b)) => a == b && format!("+{}", self.short(a)) == case.ends,
            (Err(_), Err(e)) => format!("-{}", e.reason()) == case.ends,
            _ => false,
        };
        let text = || format!("{}: {string:?}\n  psql: {psql:?}\n  ours: {ours:?}\n  said: {}", case.name, case.ends);
        (!alike).then(text)
    }

    fn fill(&self, pattern: &str, home: &Path) -> String {
        let certs = Certificates::get();
        let authority = fs::read_to_string(certs.path("authority.crt")).expect("a certificate");
        pattern
            .replace("{authority}", &authority)
            .replace("{port}", &self.server.port.to_string())
            .replace("{other}", &self.other.map_or(0, |other| other.port).to_string())
            .replace("{dead}", &self.dead.to_string())
            .replace("{dir}", self.server.socket())
            .replace("{%dir}", &self.server.socket().replace('/', "%2F"))
            .replace("{home}", home.to_str().expect("a UTF-8 path"))
            .replace("{certs}", text(&certs.path("")).trim_end_matches('/'))
    }

    /// Without the port, which is another each time, and the encryption, which the plain server does not have.
    fn short(&self, answer: &str) -> String {
        let other = self.other.map_or(0, |other| other.port);
        let plain = answer.replacen(&format!("|{}|", self.server.port), "|", 1);
        plain.replacen(&format!("|{other}|"), "|other|", 1).trim_end_matches("|f").to_owned()
    }
}
