//! The keywords of libpq: their names, their variables and their treatment here.
//!
//! One table for the parsers. It reads no value and no environment.

/// The treatment of a keyword's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The value has libpq's meaning.
    Used,
    /// The value is accepted and has no effect: this program has no such feature, or sets the value itself.
    Ignored,
    /// The value is refused, because its guarantee would silently be missing. Holds the reason.
    Refused(&'static str),
}

/// One keyword of a connection string.
#[derive(Debug, PartialEq, Eq)]
pub struct Keyword {
    /// The name in a connection string.
    pub name: &'static str,
    /// The environment variable that supplies its value.
    pub variable: Option<&'static str>,
    /// The treatment of its value.
    pub meaning: Meaning,
}

const fn used(name: &'static str, variable: Option<&'static str>) -> Keyword {
    Keyword { name, variable, meaning: Meaning::Used }
}

const fn ignored(name: &'static str, variable: Option<&'static str>) -> Keyword {
    Keyword { name, variable, meaning: Meaning::Ignored }
}

const fn refused(name: &'static str, variable: Option<&'static str>, why: &'static str) -> Keyword {
    Keyword { name, variable, meaning: Meaning::Refused(why) }
}

const NO_PEER: &str = "this program does not check the user of the server process";
const NO_OAUTH: &str = "this program does not support OAuth";
const NO_SCRAM_KEY: &str = "this program cannot pass SCRAM keys through";

/// All keywords of libpq 18, in its order.
pub const ALL: &[Keyword] = &[
    used("service", Some("PGSERVICE")),
    used("servicefile", Some("PGSERVICEFILE")),
    used("user", Some("PGUSER")),
    used("password", Some("PGPASSWORD")),
    used("passfile", Some("PGPASSFILE")),
    used("channel_binding", Some("PGCHANNELBINDING")),
    used("connect_timeout", Some("PGCONNECT_TIMEOUT")),
    used("dbname", Some("PGDATABASE")),
    used("host", Some("PGHOST")),
    used("hostaddr", Some("PGHOSTADDR")),
    used("port", Some("PGPORT")),
    // The session's encoding is always UTF8.
    ignored("client_encoding", Some("PGCLIENTENCODING")),
    used("options", Some("PGOPTIONS")),
    used("application_name", Some("PGAPPNAME")),
    used("fallback_application_name", None),
    used("keepalives", None),
    used("keepalives_idle", None),
    used("keepalives_interval", None),
    used("keepalives_count", None),
    used("tcp_user_timeout", None),
    used("sslmode", Some("PGSSLMODE")),
    used("sslnegotiation", Some("PGSSLNEGOTIATION")),
    // libpq itself no longer compresses.
    ignored("sslcompression", Some("PGSSLCOMPRESSION")),
    used("sslcert", Some("PGSSLCERT")),
    used("sslkey", Some("PGSSLKEY")),
    used("sslcertmode", Some("PGSSLCERTMODE")),
    used("sslpassword", None),
    used("sslrootcert", Some("PGSSLROOTCERT")),
    used("sslcrl", Some("PGSSLCRL")),
    refused(
        "sslcrldir",
        Some("PGSSLCRLDIR"),
        "this program does not read a directory of revocation lists; write sslcrl with one file",
    ),
    used("sslsni", Some("PGSSLSNI")),
    refused("requirepeer", Some("PGREQUIREPEER"), NO_PEER),
    used("require_auth", Some("PGREQUIREAUTH")),
    ignored("min_protocol_version", Some("PGMINPROTOCOLVERSION")),
    ignored("max_protocol_version", Some("PGMAXPROTOCOLVERSION")),
    used("ssl_min_protocol_version", Some("PGSSLMINPROTOCOLVERSION")),
    used("ssl_max_protocol_version", Some("PGSSLMAXPROTOCOLVERSION")),
    used("gssencmode", Some("PGGSSENCMODE")),
    ignored("krbsrvname", Some("PGKRBSRVNAME")),
    ignored("gsslib", Some("PGGSSLIB")),
    ignored("gssdelegation", Some("PGGSSDELEGATION")),
    used("replication", None),
    used("target_session_attrs", Some("PGTARGETSESSIONATTRS")),
    used("load_balance_hosts", Some("PGLOADBALANCEHOSTS")),
    refused("scram_client_key", None, NO_SCRAM_KEY),
    refused("scram_server_key", None, NO_SCRAM_KEY),
    refused("oauth_issuer", None, NO_OAUTH),
    refused("oauth_client_id", None, NO_OAUTH),
    refused("oauth_client_secret", None, NO_OAUTH),
    refused("oauth_scope", None, NO_OAUTH),
    refused("sslkeylogfile", None, "this program does not write session keys"),
];

/// Keys that other drivers read and libpq refuses, each with advice.
const FOREIGN: &[(&str, &str)] = &[
    (
        "pgbouncer",
        "It is Prisma's word for a transaction pooler: use the direct address of the database, and remove it",
    ),
    ("schema", "It is Prisma's: remove it and write schema = \"...\" in [target] of the mapping"),
    ("currentSchema", "It is JDBC's: remove it and write schema = \"...\" in [target] of the mapping"),
    ("search_path", "Remove it and write schema = \"...\" in [target] of the mapping"),
    ("sslaccept", "It is Prisma's: write sslmode=require for accept_invalid_certs, sslmode=verify-full for strict"),
    ("ssl", "Write sslmode=require, sslmode=verify-full or sslmode=disable"),
    ("sslfactory", "It is JDBC's: write sslmode=require or sslmode=verify-full"),
    ("sslidentity", "It is Prisma's: write sslcert and sslkey"),
    ("connection_limit", "It is Prisma's: remove it"),
    ("pool_timeout", "It is Prisma's: remove it"),
    ("pool_size", "It is a pool's: remove it"),
    ("pool", "It is a pool's: remove it"),
    ("socket_timeout", "It is Prisma's: remove it"),
    ("statement_cache_size", "It is a driver's: remove it"),
    ("prepareThreshold", "It is JDBC's: remove it"),
    ("uselibpqcompat", "It is node-postgres's: remove it, because sslmode has libpq's meaning here"),
    ("supa", "Remove it"),
    ("ApplicationName", "Write application_name"),
    ("database", "Write dbname"),
    ("username", "Write user"),
    ("pass", "Write password"),
    ("hostname", "Write host"),
    ("timeout", "Write connect_timeout"),
];

/// Finds a keyword by name. Names are case-sensitive, as in libpq. `None` if there is no such keyword.
pub fn find(name: &str) -> Option<&'static Keyword> {
    ALL.iter().find(|k| k.name == name)
}

/// The advice for a name that is not a keyword: a sentence without its full stop.
pub fn advice(name: &str) -> String {
    if let Some((_, advice)) = FOREIGN.iter().find(|(n, _)| *n == name) {
        return (*advice).to_owned();
    }
    match nearest(name) {
        Some(near) => format!("Write {near}, or remove it"),
        None => "Remove it: it is not one of libpq's keywords".to_owned(),
    }
}

/// The keyword that is nearest to a misspelt name. `None` if more than a third of its letters differ from each keyword.
fn nearest(name: &str) -> Option<&'static str> {
    let plain = |s: &str| s.to_ascii_lowercase().replace(['-', '_'], "");
    let wanted = plain(name);
    ALL.iter()
        .map(|k| (distance(&wanted, &plain(k.name)), k.name))
        .filter(|(d, n)| *d <= n.len().min(name.len()).div_ceil(3))
        .min_by_key(|(d, _)| *d)
        .map(|(_, n)| n)
}

/// The Levenshtein distance in bytes.
fn distance(a: &str, b: &str) -> usize {
    let b = b.as_bytes();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_keyword_is_found_for_a_misspelt_key() {
        for (wrong, right) in [
            ("sslrootcrt", "sslrootcert"),
            ("sslMode", "sslmode"),
            ("connect-timeout", "connect_timeout"),
            ("pasword", "password"),
            ("targetSessionAttrs", "target_session_attrs"),
            ("uzer", "user"),
        ] {
            assert_eq!(nearest(wrong), Some(right), "{wrong}");
        }
        assert_eq!(nearest("zzz"), None);
    }

    #[test]
    fn keys_of_other_drivers_have_advice_of_their_own() {
        assert!(advice("pgbouncer").contains("direct address"));
        assert!(advice("schema").contains("[target]"));
    }

    #[test]
    fn every_keyword_and_every_variable_is_listed_once() {
        for (i, a) in ALL.iter().enumerate() {
            for b in &ALL[i + 1..] {
                assert_ne!(a.name, b.name);
                assert!(a.variable.is_none() || a.variable != b.variable, "{}", a.name);
            }
        }
    }
}
