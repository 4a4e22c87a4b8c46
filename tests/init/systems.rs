//! The five applications without their mappings: the edits that turn a proposal into a mapping whose target rows are those of
//! the mapping that a person wrote. An edit is an answered question or a key. Losses, `rows` and `sql` that no database can
//! show are counted apart.

use super::{is_sound, refused_lines, replaced};
use crate::support::expect::Expected;
use crate::support::postgres::Database;
use crate::support::sqlite;
use crate::support::tool::Place;

/// A bcrypt hash has this form; any will do.
const HASH: &str = "$2b$12$abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01";

/// The edits of one application.
struct Edits {
    /// The answer to each open question: the beginning of its line, and what replaces the line.
    answers: Vec<(&'static str, &'static str)>,
    /// Keys that are added: the beginning of a line, and what replaces the line. Each line but the first is an edit.
    keys: Vec<(&'static str, &'static str)>,
    /// Permitted losses, values in place of NULL, rows and SQL: the beginning of a line, and what replaces the line.
    unseen: Vec<(&'static str, &'static str)>,
}

/// Proposes the mapping of an application, edits it, runs it, and compares the target with what the person's mapping gives.
#[track_caller]
fn arrives(system: &str, scripts: &[&str], most: usize, edits: &Edits) {
    let scripts: Vec<String> = scripts.iter().map(|script| format!("fixtures/{system}/{script}")).collect();
    let scripts: Vec<&str> = scripts.iter().map(String::as_str).collect();
    let (place, target) = (Place::new(), Database::of(&scripts));
    sqlite::of(&place, &format!("{system}.db"), &format!("fixtures/{system}/source.sql"));
    let source = format!("{system}.db");
    let ran = place.migrate(["init", "-s", &source, "-t", &target.url(), "-o", "proposed.toml"]).exits(0);
    let mut text = place.read("proposed.toml");
    assert_eq!(refused_lines(&text), [""; 0], "{text}");
    is_sound(&place, &["-s", &source, "-t", &target.url()], "proposed.toml");
    let open = text.lines().filter(|line| !line.starts_with('#') && line.contains("{ \"?\" = ")).count();
    assert_eq!(open, edits.answers.len(), "{}\n{text}", ran.stdout);
    let keys: usize = edits.keys.iter().map(|(_, added)| added.lines().count() - 1).sum();
    let count = edits.answers.len() + keys;
    assert!(count <= most, "{system} takes {count} edits, more than {most}");
    for (line, answer) in &edits.answers {
        text = replaced(&text, line, answer);
    }
    for (line, added) in edits.keys.iter().chain(&edits.unseen) {
        text = replaced(&text, line, added);
    }
    place.write("edited.toml", &text);
    let args = ["--yes", "--json", "-m", "edited.toml", "-t", &target.url()];
    let report = place.migrate(args).env("ADMIN_PASSWORD_HASH", HASH).exits(0).json();
    assert_eq!(report["exit"]["code"], 0);
    Expected::of(system, "counts").holds_in(&target);
}

#[test]
fn personal_finance_takes_at_most_five_edits() {
    let edits = Edits {
        answers: vec![
            ("match = ", "match = { username = \"suricata\" }"),
            ("create = ", "create = { role = \"admin\", is_active = true, created_at = { now = true } }"),
            ("amount = ", "amount = { round = true, if_bad = 0 }"),
            ("debt_charges = ", "debt_charges = \"the new application has no table for it\""),
        ],
        keys: vec![],
        unseen: vec![
            // A value in place of NULL, in columns that accept NULL: the person knows that older rows lack it.
            (
                "[owner]",
                r#"[defaults.columns]
is_active = { if_null = true }
is_fixed = { if_null = true }
is_business = { if_null = false }
budget_by_category = { if_null = false }
created_at = { if_null = { now = true } }
updated_at = { if_null = { now = true } }
[owner]"#,
            ),
            (
                "[load.monthly_budgets]",
                "[load.debt_payments.columns]\npayment_type = { null_if = [\"\"], if_null = \"Regular\" }\n[load.monthly_budgets]",
            ),
            (
                "[leave]",
                r#"
[load.user_owners]
from = { sql = "SELECT DISTINCT owner AS name, 1 AS is_active FROM transactions WHERE owner IS NOT NULL ORDER BY owner" }
owner = "user_id"
[load.user_owners.columns]
created_at = { value = { now = true } }
[load.category_seeds]
from = { rows = [
  { category = "Living Expenses" }, { category = "Dining Out" }, { category = "Groceries" }, { category = "Transport" },
  { category = "Entertainment" }, { category = "Shopping" }, { category = "Bills & Utilities" }, { category = "Medical" },
  { category = "Home" }, { category = "Subscriptions" }, { category = "Debt" }, { category = "Savings" },
  { category = "Miscellaneous" },
] }
[load.category_seeds.columns]
budget_amount = { value = 0 }
is_active = { value = true }
[leave]"#,
            ),
        ],
    };
    arrives("personal_finance", &["target.sql"], 5, &edits);
}

#[test]
fn aunoo_takes_at_most_five_edits() {
    let edits = Edits {
        answers: vec![
            ("match = ", "match = { username = \"admin\" }"),
            ("publication_date = ", "publication_date = { offset = \"zone\", zone = \"UTC\" }"),
            ("keyword_monitor_settings.max", "keyword_monitor_settings.max_articles_per_run = \"no such setting\""),
            ("shared_news_feeds = ", "shared_news_feeds = \"no such table\""),
            ("vantage_desk_filters = ", "vantage_desk_filters = \"no such table\""),
        ],
        keys: vec![],
        unseen: vec![
            (
                "[load.users]",
                r#"[load.users.columns]
email = { sql = "username || '@localhost'" }
role = { sql = "CASE WHEN username = :owner_username THEN 'admin' ELSE 'user' END" }
[load.allowed_people]
to = "users"
[load.allowed_people.from]
sql = """
SELECT replace(replace(lower(email), '@', '_at_'), '.', '_') AS username, email, '' AS password_hash, 'user' AS role,
       0 AS force_password_change, 1 AS completed_onboarding
FROM oauth_allowlist
WHERE lower(is_active) IN ('1', 'true', 't', 'yes', 'on')
  AND lower(email) NOT IN (SELECT lower(username || '@localhost') FROM users WHERE username IS NOT NULL)
ORDER BY id
""""#,
            ),
            (
                "owner = { carried = \"user_id\" }",
                "owner = { carried = \"user_id\" }\n[load.auspex_chats.columns]\nuser_id = { if_orphan = { null = true } }",
            ),
        ],
    };
    arrives("aunoo", &["target.sql"], 5, &edits);
}

#[test]
fn grant_finder_takes_at_most_fifteen_edits() {
    let edits = Edits {
        answers: vec![
            ("match = ", "match = { email = \"system@grantfinder.internal\" }"),
            ("owner = { \"?\"", "owner = { carried = \"user_id\" }"),
            ("user_id_old = ", "user_id_old = \"user_id\""),
            ("user_settings.telegram", "user_settings.telegram_enabled = \"the channel is no more\""),
        ],
        keys: vec![
            (
                "table = ",
                r#"table = "users"
create = { auth0_id = "system_internal", full_name = "System User (Legacy Data)", company_name = "Grant Finder System", subscription_tier = "admin", subscription_status = "ACTIVE", searches_limit = 999999, applications_limit = 999999, is_active = true, is_admin = true }"#,
            ),
            (
                "status = ",
                r#"status = { map = { "Under Review" = "UNDER_REVIEW", "Withdrawn" = "WITHDRAWN", "awarded" = "AWARDED" } }
[load.application_history.columns.user_id.lookup]
table = "users"
take = "id"
steps = [
  { target = "auth0_id", source = "trim(user_id)" },
  { target = "email", source = "trim(user_id)", nocase = true },
  { target = "split_part(email, '@', 1)", source = "trim(user_id)" },
]
ambiguous = "next"
missing = "owner""#,
            ),
        ],
        unseen: vec![],
    };
    arrives("grant_finder", &["target.sql", "before.sql"], 15, &edits);
}

#[test]
fn personal_ai_agent_takes_at_most_five_edits() {
    let edits = Edits {
        answers: vec![
            ("zone = ", "zone = \"UTC\""),
            ("is_active = ", "is_active = { if_null = true }"),
            ("is_admin = ", "is_admin = { if_null = false }"),
            ("document_type = ", "document_type = { if_null = \"generic\" }"),
            (
                "file_type = ",
                "file_type = { map = { \"application/pdf\" = \"pdf\", \"text/plain\" = \"txt\", \"text/markdown\" = \"md\" } }",
            ),
        ],
        keys: vec![],
        unseen: vec![],
    };
    arrives("personal_ai_agent", &["target.sql"], 5, &edits);
}

#[test]
fn data_uploader_takes_at_most_five_edits() {
    let edits = Edits {
        answers: vec![
            ("match = ", "match = { company_code = \"DEFAULT\" }"),
            ("create = ", "create = { company_name = \"Default Company\", contact_email = \"admin@example.com\" }"),
        ],
        keys: vec![],
        unseen: vec![
            (
                "[load.config_history]",
                r#"[load.sync_sessions.columns.cycle_id.lookup]
table = "cycles"
take = "id"
steps = [ { target = ["project_id", "s3_prefix"], source = ["project_id", "CASE WHEN s3_prefix REGEXP '^C[0-9]+$' THEN s3_prefix END"] } ]
missing = "fault"
[load.config_history]"#,
            ),
            (
                "[load.file_uploads]",
                r#"[load.users]
from = { rows = [ { username = "admin", email = "admin@example.com", full_name = "System Administrator", role = "admin" } ] }
owner = "company_id"
[load.users.columns]
password_hash = { env = "ADMIN_PASSWORD_HASH" }
[load.cycles]
owner = { through = "project_id" }
[load.cycles.from]
sql = """
WITH cycle AS (
  SELECT project_id, s3_prefix, max(id) AS latest,
         min(ts(started_at)) AS started_at, max(ts(completed_at)) AS completed_at, min(ts(created_at)) AS created_at
  FROM sync_sessions
  WHERE project_id IS NOT NULL AND s3_prefix REGEXP '^C[0-9]+$'
  GROUP BY project_id, s3_prefix)
SELECT cycle.project_id, cycle.s3_prefix, cycle.s3_prefix AS cycle_name,
       CAST(substr(cycle.s3_prefix, 2) AS INTEGER) AS cycle_number,
       session.status, cycle.started_at, cycle.completed_at, cycle.created_at
FROM cycle JOIN sync_sessions AS session ON session.id = cycle.latest
ORDER BY cycle.project_id, cycle_number, length(cycle.s3_prefix)
"""
[load.cycles.columns.status]
map = { completed = "completed", in_progress = "in_progress", failed = "incomplete" }
else = "pending"
if_null = "pending"
[load.file_uploads]"#,
            ),
        ],
    };
    arrives("data_uploader", &["target.sql"], 5, &edits);
}
