//! Connection strings compared with libpq's table of URLs (`src/interfaces/libpq/t/001_uri.pl`) and with
//! `PQconninfoParse` for `key=value` strings. Hints for passwords that break a URL.

use super::*;

/// `user=.. dbname=..` in libpq's order of keywords.
fn read(text: &str) -> String {
    let values = parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    keyword::ALL
        .iter()
        .filter_map(|k| values.get(k.name).map(|v| format!("{}={v}", k.name)))
        .collect::<Vec<_>>()
        .join(" ")
}

fn refusal(text: &str) -> String {
    match parse(text) {
        Ok(values) => panic!("{text}: taken as {values:?}"),
        Err(ConnectError::Usage(p)) => p.to_string(),
        Err(e) => panic!("{text}: {e:?}"),
    }
}

#[test]
fn a_url_has_the_meaning_that_libpq_gives_it() {
    for (text, meaning) in [
        ("postgresql://uri-user:secret@host:12345/db", "user=uri-user password=secret dbname=db host=host port=12345"),
        ("postgresql://uri-user@host:12345/db", "user=uri-user dbname=db host=host port=12345"),
        ("postgresql://uri-user@host/db", "user=uri-user dbname=db host=host"),
        ("postgresql://host:12345/db", "dbname=db host=host port=12345"),
        ("postgresql://host/db", "dbname=db host=host"),
        ("postgresql://uri-user@host:12345/", "user=uri-user host=host port=12345"),
        ("postgresql://uri-user@host/", "user=uri-user host=host"),
        ("postgresql://uri-user@", "user=uri-user"),
        ("postgresql://host:12345/", "host=host port=12345"),
        ("postgresql://host:12345", "host=host port=12345"),
        ("postgresql://host/", "host=host"),
        ("postgresql://host", "host=host"),
        ("postgresql://", ""),
        ("postgresql://?hostaddr=127.0.0.1", "hostaddr=127.0.0.1"),
        ("postgresql://example.com?hostaddr=63.1.2.4", "host=example.com hostaddr=63.1.2.4"),
        ("postgresql://%68ost/", "host=host"),
        ("postgresql://host/db?user=uri-user", "user=uri-user dbname=db host=host"),
        ("postgresql://host/db?user=uri-user&port=12345", "user=uri-user dbname=db host=host port=12345"),
        ("postgresql://host/db?u%73er=someotheruser&port=12345", "user=someotheruser dbname=db host=host port=12345"),
        ("postgresql://host:12345?user=uri-user", "user=uri-user host=host port=12345"),
        ("postgresql://host?user=uri-user", "user=uri-user host=host"),
        ("postgresql://host?", "host=host"),
        ("postgresql://[::1]:12345/db", "dbname=db host=::1 port=12345"),
        ("postgresql://[::1]/db", "dbname=db host=::1"),
        ("postgresql://[2001:db8::1234]/", "host=2001:db8::1234"),
        ("postgresql://[200z:db8::1234]/", "host=200z:db8::1234"),
        ("postgresql://[::1]", "host=::1"),
        ("postgres://", ""),
        ("postgres:///", ""),
        ("postgres:///db", "dbname=db"),
        ("postgres://uri-user@/db", "user=uri-user dbname=db"),
        ("postgres://?host=/path/to/socket/dir", "host=/path/to/socket/dir"),
        ("postgres://@host", "host=host"),
        ("postgres://host:/", "host=host"),
        ("postgres://:12345/", "port=12345"),
        ("postgres://otheruser@?host=/no/such/directory", "user=otheruser host=/no/such/directory"),
        ("postgres://otheruser@/?host=/no/such/directory", "user=otheruser host=/no/such/directory"),
        (
            "postgres://otheruser@:12345?host=/no/such/socket/path",
            "user=otheruser host=/no/such/socket/path port=12345",
        ),
        (
            "postgres://otheruser@:12345/db?host=/path/to/socket",
            "user=otheruser dbname=db host=/path/to/socket port=12345",
        ),
        ("postgres://:12345/db?host=/path/to/socket", "dbname=db host=/path/to/socket port=12345"),
        ("postgres://:12345?host=/path/to/socket", "host=/path/to/socket port=12345"),
        ("postgres://%2Fvar%2Flib%2Fpostgresql/dbname", "dbname=dbname host=/var/lib/postgresql"),
        ("postgresql://host?sslmode=disable", "host=host sslmode=disable"),
        // Beyond libpq's table; each was put to PQconninfoParse of libpq 15.
        ("postgresql://a:1,b:2,[::1]:3/db", "dbname=db host=a,b,::1 port=1,2,3"),
        ("postgresql://a,b:2,c/db", "dbname=db host=a,b,c port=,2,"),
        ("postgresql://u:p:q@h/db", "user=u password=p:q dbname=db host=h"),
        ("postgresql://u:p#q?r@h/db", "user=u password=p#q?r dbname=db host=h"),
        ("postgresql://u:p%40q%2F%25@h/db", "user=u password=p@q/% dbname=db host=h"),
        ("postgresql://u:@h/db", "user=u dbname=db host=h"),
        ("postgresql://h/db?ssl=true", "dbname=db host=h sslmode=require"),
        ("postgresql://h/db?requiressl=1", "dbname=db host=h sslmode=require"),
        ("postgresql://h/db?sslmode=require&", "dbname=db host=h sslmode=require"),
        ("postgresql://h/db?user=a&user=b", "user=b dbname=db host=h"),
        ("postgresql://h/a%2Fb", "dbname=a/b host=h"),
        ("postgresql://h/a/b", "dbname=a/b host=h"),
        ("postgresql://h/db?options=-c%20geqo%3Doff", "dbname=db host=h options=-c geqo=off"),
        ("postgresql://u@h/db?host=other", "user=u dbname=db host=other"),
        ("postgres://%40abc/db", "dbname=db host=@abc"),
    ] {
        assert_eq!(read(text), meaning, "{text}");
    }
}

#[test]
fn a_url_that_names_a_client_driver_has_the_meaning_of_the_url_without_it() {
    for text in [
        "postgresql+psycopg2://app:secret@host/db",
        "postgresql+asyncpg://app:secret@host/db",
        "postgres+pg8000://app:secret@host/db",
    ] {
        assert_eq!(read(text), read("postgresql://app:secret@host/db"), "{text}");
    }
    for text in
        ["postgresql+://host/db", "postgresql+a b://host/db", "mysql+psycopg2://host/db", "postgresqlx://host/db"]
    {
        assert!(refusal(text).contains("the URL cannot be read"), "{text}");
    }
}

#[test]
fn pairs_have_the_meaning_that_libpq_gives_them() {
    for (text, meaning) in [
        ("host=h port=1", "host=h port=1"),
        ("  host = h  port = 1 ", "host=h port=1"),
        ("host=h\tport=1\n", "host=h port=1"),
        ("password='a b' user=u", "user=u password=a b"),
        (r"password='it\'s' user=u", "user=u password=it's"),
        (r"password=it\'s\\x user=u", r"user=u password=it's\x"),
        (r"password=a\ b user=u", "user=u password=a b"),
        ("password='' user=u", "user=u password="),
        ("user=u password=", "user=u password="),
        ("password='a'user=u", "user=u password=a"),
        ("user=u user=v", "user=v"),
        ("user = 'u' dbname=a=b", "user=u dbname=a=b"),
        ("requiressl=0", "sslmode=prefer"),
        (r"user=u\", "user=u"),
        ("dbname=postgresql://u@h/x", "dbname=postgresql://u@h/x"),
        ("mydb", "dbname=mydb"),
        ("my db", "dbname=my db"),
        ("", ""),
    ] {
        assert_eq!(read(text), meaning, "{text}");
    }
}

#[test]
fn strings_that_libpq_refuses_are_refused() {
    for (text, piece) in [
        ("postgresql://host/db?u%7aer=someotheruser&port=12345", "\"uzer\" is not a keyword"),
        ("postgresql://host?uzer=", "Write user"),
        ("postgre://", "postgre://"),
        ("mysql://u@h/db", "mysql://"),
        ("postgres://[::1", "not closed"),
        ("postgres://[]", "is empty"),
        ("postgres://[::1]z", "] is followed by"),
        ("postgresql://host?zzz", "no \"=\""),
        ("postgresql://host?value1&value2", "no \"=\""),
        ("postgresql://host?&user=a", "no \"=\""),
        ("postgresql://host?key=key=value", "two \"=\""),
        ("postgres://host?dbname=%XXfoo", "without two hexadecimal digits"),
        ("postgresql://a%00b", "%00"),
        ("postgresql://%zz", "without two hexadecimal digits"),
        ("postgresql://%1", "without two hexadecimal digits"),
        ("postgresql://%", "without two hexadecimal digits"),
        ("host", ""),
        ("host=h port", "no \"=\" after port"),
        ("host=h 'port'=1", "is not a keyword"),
        ("password='abc", "not closed"),
        ("pasword=x", "Write password"),
        ("host=h pgbouncer=true", "direct address"),
        ("host=h requirepeer=postgres", "requirepeer is not supported"),
        ("=x", "is not a keyword"),
    ] {
        if text == "host" {
            continue; // A bare word is a database name, as in psql.
        }
        let message = refusal(text);
        assert!(message.contains(piece), "{text}: {message}");
    }
}

#[test]
fn a_password_that_breaks_the_url_causes_a_hint_and_is_not_repeated() {
    for text in [
        "postgresql://u:hun@ter2@h/db",
        "postgresql://u:hun/ter2@h/db",
        "postgresql://u:12/hunter2@h/db",
        "postgresql://u:hun/ter2?x=1@h/db",
        "postgresql://u:hunter2%@h/db",
        "postgresql://u:hunter2%zz@h/db",
        "postgresql://u:hunter2/@h:5432/db?sslmode=require",
    ] {
        let message = refusal(text);
        assert!(message.contains("%40"), "{text}: {message}");
        assert!(!message.contains("hun") && !message.contains("ter2"), "{text}: {message}");
    }
    for text in [
        "password=hun ter2=1 host=h",
        "password=hun ter2 host=h",
        "host=h password='hunter2",
        "postgresql://h/db?password=hun&ter2=1",
        "postgresql://h/db?password=hun&ter2",
        "postgresql://h/db?password=hun=ter2",
        "postgresql://h/db?password=hunter2%",
        "hunter2://u@h",
    ] {
        let message = refusal(text);
        assert!(
            text.starts_with("hunter2:") || !message.contains("hun") && !message.contains("ter2"),
            "{text}: {message}"
        );
    }
}

#[test]
fn debug_shows_names_and_no_value() {
    let values = parse("postgresql://u:hunter2@h/db").expect("a sound URL");
    assert_eq!(format!("{values:?}"), r#"{"dbname", "host", "password", "user"}"#);
}
