//! The keywords of libpq: their names, their variables, and what each means here.
//!
//! One table; the parsers look names up in it. It reads no value and no environment.

/// What becomes of a keyword's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It is used with libpq's meaning.
    Used,
    /// It is taken and changes nothing: this program has no such feature, or sets it itself.
    Ignored,
    /// It promises something that would silently not be kept; said is why.
    Refused(&'static str),
}

/// One keyword of a connection string.
#[derive(Debug, PartialEq, Eq)]
pub struct Keyword {
    /// As it is written in a connection string.
    pub name: &'static str,
    /// The variable that stands in for it.
    pub variable: Option<&'static str>,
    /// What is done with it.
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

const NO_PEER: &str = "the server process's user is not checked by this program";
const NO_OAUTH: &str = "OAuth is not spoken by this program";
const NO_SCRAM_KEY: &str = "SCRAM keys cannot be passed through by this program";

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
        "a directory of revocation lists is not read by this program; name one file with sslcrl",
    ),
    used("sslsni", Some("PGSSLSNI")),
    refused("requirepeer", Some("PGREQUIREPEER"), NO_PEER),
    refused(
        "require_auth",
        Some("PGREQUIREAUTH"),
        "the method by which the server authenticates is not checked by this program",
    ),
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
    refused("sslkeylogfile", None, "session keys are not written anywhere by this program"),
];

/// Keys that other drivers read and libpq refuses, with what to do instead.
const FOREIGN: &[(&str, &str)] = &[
    ("pgbouncer", "It is Prisma's word for a transaction pooler: take the direct address of the database, without it"),
    ("schema", "It is Prisma's: take it out and write schema = \"...\" in [target] of the mapping"),
    ("currentSchema", "It is JDBC's: take it out and write schema = \"...\" in [target] of the mapping"),
    ("search_path", "Take it out and write schema = \"...\" in [target] of the mapping"),
    ("sslaccept", "It is Prisma's: write sslmode=require for accept_invalid_certs, sslmode=verify-full for strict"),
    ("ssl", "Write sslmode=require, sslmode=verify-full or sslmode=disable"),
    ("sslfactory", "It is JDBC's: write sslmode=require or sslmode=verify-full"),
    ("sslidentity", "It is Prisma's: write sslcert and sslkey"),
    ("connection_limit", "It is Prisma's: take it out"),
    ("pool_timeout", "It is Prisma's: take it out"),
    ("pool_size", "It is a pool's: take it out"),
    ("pool", "It is a pool's: take it out"),
    ("socket_timeout", "It is Prisma's: take it out"),
    ("statement_cache_size", "It is a driver's: take it out"),
    ("prepareThreshold", "It is JDBC's: take it out"),
    ("uselibpqcompat", "It is node-postgres's: take it out; sslmode has libpq's meaning here"),
    ("supa", "Take it out"),
    ("ApplicationName", "Write application_name"),
    ("database", "Write dbname"),
    ("username", "Write user"),
    ("pass", "Write password"),
    ("hostname", "Write host"),
    ("timeout", "Write connect_timeout"),
];

/// The keyword of this name; names are told apart by case, as in libpq.
pub fn find(name: &str) -> Option<&'static Keyword> {
    ALL.iter().find(|k| k.name == name)
}

/// What to do about a name that is no keyword: a sentence without its full stop.
pub fn advice(name: &str) -> String {
    if let Some((_, advice)) = FOREIGN.iter().find(|(n, _)| *n == name) {
        return (*advice).to_owned();
    }
    match nearest(name) {
        Some(near) => format!("Write {near}, or take it out"),
        None => "Take it out: it is not one of libpq's keywords".to_owned(),
    }
}

/// The keyword that a name was probably meant to be: at most a third of its letters differ.
fn nearest(name: &str) -> Option<&'static str> {
    let plain = |s: &str| s.to_ascii_lowercase().replace(['-', '_'], "");
    let wanted = plain(name);
    ALL.iter()
        .map(|k| (distance(&wanted, &plain(k.name)), k.name))
        .filter(|(d, n)| *d <= n.len().min(name.len()).div_ceil(3))
        .min_by_key(|(d, _)| *d)
        .map(|(_, n)| n)
}

/// Levenshtein's distance over bytes.
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
    fn an_unknown_key_is_answered_with_the_nearest_right_one() {
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
    fn keys_of_other_drivers_are_answered_by_name() {
        assert!(advice("pgbouncer").contains("direct address"));
        assert!(advice("schema").contains("[target]"));
    }

    #[test]
    fn no_keyword_and_no_variable_stands_twice() {
        for (i, a) in ALL.iter().enumerate() {
            for b in &ALL[i + 1..] {
                assert_ne!(a.name, b.name);
                assert!(a.variable.is_none() || a.variable != b.variable, "{}", a.name);
            }
        }
    }
}
