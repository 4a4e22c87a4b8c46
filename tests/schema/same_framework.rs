//! The tables of a framework's SQLite database next to those that the same framework makes in PostgreSQL: every difference of both
//! catalogues is in a golden file, with the sentence that judges it.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use super::Case;
use crate::support::golden::{self, Redactor};
use crate::support::postgres::{Database, version};
use crate::support::sqlite;
use crate::support::tool::Place;

/// The columns of all tables: type, NOT NULL, and the default. A column that is numbered has no default of its own.
const COLUMNS: &str = "
SELECT c.relname || '.' || a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull::text,
       CASE WHEN a.attidentity <> '' OR pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%' THEN 'numbered'
            ELSE coalesce(pg_get_expr(d.adbin, d.adrelid), 'none') END
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' ORDER BY 1";

/// Keys, constraints and indexes without their names. A unique index over columns is a unique key.
const OTHERS: &str = "
SELECT conrelid::regclass || ': ' || pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'u', 'c', 'f')
UNION SELECT i.indrelid::regclass || ': ' ||
       CASE WHEN i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL
            THEN regexp_replace(pg_get_indexdef(i.indexrelid), '^CREATE UNIQUE INDEX .* USING btree ', 'UNIQUE ')
            ELSE regexp_replace(pg_get_indexdef(i.indexrelid), ' INDEX .* USING btree ', ' INDEX ') END
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE c.relnamespace = 'public'::regnamespace AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = i.indexrelid AND contype IN ('p', 'u'))
ORDER BY 1";

/// The judgement of differences: a pattern of the line, and the sentence. The first one that matches is taken.
const JUDGED: [(&str, &str); 24] = [
    (r"__drizzle_migrations", "The framework keeps its own record in another schema of PostgreSQL."),
    (r" type: bigint; the framework: integer$", "Wider: an integer of SQLite has eight bytes."),
    (r" type: bigint; the framework: boolean$", "The declaration is one of integers, so that 0 and 1 stay numbers."),
    (
        r" type: bigint; the framework: timestamp with time zone$",
        "The declaration is one of integers. A time would need the unit in the mapping.",
    ),
    (r" type: text; the framework: character varying", "SQLite enforces no length."),
    (r" type: text; the framework: uuid$", "The declaration is one of texts."),
    (r" type: text; the framework: .*(state|_enum)", "SQLite has no enum, and the declaration is one of texts."),
    (
        r" type: text; the framework: (jsonb?|date|timestamp with time zone|numeric\(10,2\))$",
        "The declaration is one of texts.",
    ),
    (r" type: bytea; the framework: (bigint|jsonb)$", "The framework stores blobs in SQLite."),
    (
        r" type: jsonb; the framework: json$",
        "Spaces, repeated keys and the order of keys are not kept; the proof counts such values as equal.",
    ),
    (
        r" type: timestamp without time zone; the framework: timestamp with time zone$",
        "No stored text has an offset, and no zone is assumed for them.",
    ),
    (
        r" type: timestamp without time zone; the framework: timestamp\([06]\) without time zone$",
        "Every stored digit of a second is kept.",
    ),
    (
        r" type: time without time zone; the framework: time\(0\) without time zone$",
        "Every stored digit of a second is kept.",
    ),
    (
        r" type: timestamp with time zone; the framework: timestamp\(0\) without time zone$",
        "The column is empty, and the declaration does not say that it has no zone.",
    ),
    (
        r" type: (bigint|double precision|timestamp without time zone); the framework: interval",
        "SQLite has no interval: the column has the number or the time that the framework stores.",
    ),
    (r" type: numeric; the framework: numeric\(10,2\)$", "The declaration has no digits."),
    (
        r" type: double precision; the framework: (real|numeric\(10,2\))$",
        "The declaration is one of doubles, which have eight bytes.",
    ),
    (r" default: 0; the framework: false$| default: 1; the framework: true$", "It follows the type."),
    (r" default: 'open'::text; the framework: 'open'::", "It follows the type."),
    (
        r" default: .*now\(\).*; the framework: (now\(\)|CURRENT_TIMESTAMP)$",
        "The same moment, in UTC where the column has no zone.",
    ),
    (
        r" default: none; the framework: (now\(\)|gen_random_uuid\(\))$",
        "In SQLite the framework makes the value itself.",
    ),
    (
        r"^only in the framework's: .* INDEX \(\w+ varchar_pattern_ops\)$",
        "It serves LIKE under other collations than C; SQLite has no such index.",
    ),
    (
        r"^only in the framework's: project: CREATE INDEX .* USING gin",
        "An index of jsonb; SQLite has none, and the column is one of texts.",
    ),
    (r"CHECK \(\(state = ANY|CHECK \(\(\(state\)::text = ANY", "The same condition over the type of the column."),
];

/// The facts of a catalogue, by their place.
fn facts(target: &Database, fold: fn(&str) -> String) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for row in target.rows(COLUMNS) {
        let [place, kind, not_null, default] = row.try_into().expect("four columns");
        let place = fold(&place.expect("a name"));
        found.insert(format!("{place} type"), kind.expect("a type"));
        found.insert(format!("{place} NOT NULL"), not_null.expect("a truth"));
        // PostgreSQL prints AT TIME ZONE as a call of its function before version 14.
        let default =
            default.expect("a default").replace("timezone('UTC'::text, now())", "(now() AT TIME ZONE 'UTC'::text)");
        found.insert(format!("{place} default"), default);
    }
    found
}

fn others(target: &Database, fold: fn(&str) -> String) -> BTreeSet<String> {
    target.rows(OTHERS).into_iter().flatten().flatten().map(|line| fold(&line)).collect()
}

/// Compares both catalogues of a framework with the golden file.
#[track_caller]
fn differs_as_judged(name: &str) {
    // Pony writes the names of tables with capitals in SQLite alone.
    let fold: fn(&str) -> String =
        if name == "pony" { |text| text.to_lowercase().replace('"', "") } else { str::to_owned };
    let folder = format!("tests/init/frameworks/{name}");
    let case = Case { place: Place::new(), target: Database::empty() };
    sqlite::of(&case.place, "app.db", &format!("{folder}/source.sql"));
    let ran = case.command(&[]).ran();
    case.target.run(&ran.stdout);
    let theirs = Database::of(&[format!("{folder}/target.sql").as_str()]);
    let mut lines = Vec::new();
    let (ours, other) = (facts(&case.target, fold), facts(&theirs, fold));
    for place in ours.keys().chain(other.keys()).collect::<BTreeSet<_>>() {
        let shown =
            |facts: &BTreeMap<String, String>| facts.get(place).cloned().unwrap_or_else(|| "missing".to_owned());
        if ours.get(place) != other.get(place) {
            lines.push(format!("{place}: {}; the framework: {}", shown(&ours), shown(&other)));
        }
    }
    let (ours, other) = (others(&case.target, fold), others(&theirs, fold));
    lines.extend(ours.difference(&other).map(|line| format!("only here: {line}")));
    lines.extend(other.difference(&ours).map(|line| format!("only in the framework's: {line}")));
    let rules: Vec<(Regex, &str)> =
        JUDGED.iter().map(|(pattern, words)| (Regex::new(pattern).expect("a pattern"), *words)).collect();
    let mut text = String::new();
    for line in &lines {
        let words = rules.iter().find(|(pattern, _)| pattern.is_match(line)).map(|(_, words)| *words);
        text.push_str(&format!("{line}\n    {}\n", words.unwrap_or("NOT JUDGED")));
    }
    golden::same(&format!("schema/{name}.txt"), &text, &Redactor::nothing());
    assert!(!text.contains("NOT JUDGED"), "{name}:\n{text}");
}

#[test]
fn every_difference_to_a_frameworks_own_tables_is_judged() {
    for name in [
        "alembic",
        "django",
        "drf",
        "drizzle",
        "knex",
        "laravel",
        "peewee",
        "pony",
        "rails",
        "sequelize",
        "sqlmodel",
        "tortoise",
        "typeorm",
    ] {
        // The tables of one framework need PostgreSQL 13.
        let theirs = std::fs::read_to_string(format!("tests/init/frameworks/{name}/target.sql")).expect("their tables");
        if version() >= 130_000 || !theirs.contains("gen_random_uuid()") {
            differs_as_judged(name);
        }
    }
}
