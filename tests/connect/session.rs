//! What a session is set to, whatever role and database say.

use super::server::{Server, Wish};
use migrate::target::connect::{Environment, ReadOnly, resolve};

#[test]
fn a_session_is_ours_whatever_the_role_says() {
    let server = Server::start(&Wish::default());
    server.sql(
        "ALTER ROLE postgres SET search_path = evil, public; \
         ALTER ROLE postgres SET statement_timeout = '5ms';",
    );
    server.sql("ALTER ROLE postgres SET DateStyle = 'German'");
    let environment = Environment::new([], None, None);
    let url = format!("postgresql://postgres@/postgres?host={}&port={}", server.socket(), server.port);
    let settings = resolve(Some(&url), &environment).expect("settings");
    for (read_only, word) in [(true, "on"), (false, "off")] {
        let mut client = settings.connect(ReadOnly(read_only)).unwrap_or_else(|e| panic!("{e}\n{}", server.log()));
        let rows = client.query("SELECT name, setting FROM pg_settings", &[]).expect("settings");
        let said = |name: &str| -> String {
            rows.iter().find(|r| r.get::<_, &str>(0) == name).map(|r| r.get(1)).unwrap_or_default()
        };
        for (name, value) in [
            ("search_path", "pg_catalog"),
            ("statement_timeout", "0"),
            ("DateStyle", "ISO, MDY"),
            ("TimeZone", "UTC"),
            ("lock_timeout", "10000"),
            ("default_transaction_read_only", word),
            ("application_name", "migrate"),
        ] {
            assert_eq!(said(name), value, "{name}");
        }
    }
}
