//! The recipes of `migrate guide connections`: each string is read as the page says, and each recipe names role and pitfalls.

use migrate::guide;
use migrate::pg::connect::{Environment, resolve};
use regex::Regex;

/// The recipes of the page: the heading, and its text.
fn recipes() -> Vec<(String, String)> {
    let page = guide::page("connections").expect("a page");
    let recipes =
        page.split("\n## Recipes\n").nth(1).and_then(|t| t.split("\n## ").next()).expect("the recipes").to_owned();
    let parts = recipes.split("\n### ").skip(1).map(|part| part.split_once('\n').expect("a heading"));
    parts.map(|(heading, text)| (heading.to_owned(), text.to_owned())).collect()
}

/// The strings of a recipe, with the words in capitals replaced by what a console shows.
fn strings(text: &str) -> Vec<String> {
    let string = Regex::new(r"(?m)^postgresql://.*$").expect("a pattern");
    let filled = |string: &str| {
        let words = [
            (":PORT/", ":31337/"),
            ("@ADDRESS", "@203.0.113.7"),
            ("REGION", "eu-central-1"),
            ("DATABASE", "app"),
            ("PASSWORD", "secret"),
            ("PROJECT", "abcd"),
            ("OWNER", "owner"),
            ("NAME", "cool-1"),
            (".ID.", ".c0ffee."),
            ("APP", "app"),
        ];
        words.iter().fold(string.to_owned(), |string, (word, value)| string.replace(word, value))
    };
    string.find_iter(text).map(|string| filled(string.as_str())).collect()
}

/// For each string of the page, in order: user, host and port, database, and `sslmode`.
const READ: [(&str, &str, &str); 9] = [
    ("A plain server", "app@db.example.com:5432/app", "verify-full"),
    ("Docker", "postgres@127.0.0.1:5432/app", "prefer"),
    ("Neon", "owner@ep-cool-1.eu-central-1.aws.neon.tech:5432/app", "verify-full"),
    ("Railway", "postgres@cool-1.proxy.rlwy.net:31337/railway", "require"),
    ("Supabase", "postgres@db.abcd.supabase.co:5432/postgres", "verify-full"),
    ("Supabase", "postgres.abcd@aws-0-eu-central-1.pooler.supabase.com:5432/postgres", "verify-full"),
    ("Amazon RDS and Aurora", "app@cool-1.c0ffee.eu-central-1.rds.amazonaws.com:5432/app", "verify-full"),
    ("Google Cloud SQL", "app@127.0.0.1:5432/app", "prefer"),
    ("Google Cloud SQL", "app@203.0.113.7:5432/app", "verify-ca"),
];

#[test]
fn the_string_of_each_recipe_is_read_as_the_page_says() {
    let nothing = Environment::new(std::iter::empty(), None, None);
    let placeholder = Regex::new(r"[A-Z]{2,}").expect("a pattern");
    let mut read = Vec::new();
    for (heading, text) in recipes() {
        for string in strings(&text) {
            let left = placeholder.find(&string).map(|word| word.as_str().to_owned());
            assert_eq!(left, None, "a word of {heading} has no value in this test: {string}");
            let settings = resolve(Some(&string), &nothing).unwrap_or_else(|e| panic!("{heading}: {string}: {e}"));
            let [host] = settings.hosts() else { panic!("{heading}: {string}") };
            let place = format!("{}@{}/{}", settings.user(), host.shown(), settings.database());
            read.push((heading.clone(), place, host.sslmode.word()));
        }
    }
    let wanted: Vec<_> = READ.iter().map(|(h, place, mode)| ((*h).to_owned(), (*place).to_owned(), *mode)).collect();
    assert_eq!(read, wanted);
}

#[test]
fn each_recipe_has_a_string_a_role_and_a_pitfall() {
    let recipes = recipes();
    for service in ["plain server", "Docker", "Neon", "Railway", "Supabase", "RDS", "Cloud SQL"] {
        let (_, text) =
            recipes.iter().find(|(heading, _)| heading.contains(service)).unwrap_or_else(|| panic!("{service}"));
        assert!(
            text.contains("- Role: ") && text.contains("- Pitfall: ") && !strings(text).is_empty(),
            "{service}:\n{text}"
        );
    }
}
