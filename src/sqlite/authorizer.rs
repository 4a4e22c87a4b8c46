//! Rules for SQL that is not this program's own: SQL of a mapping may only read, SQL of a dump may only create and fill
//! tables.
//!
//! SQLite calls these rules while it compiles a statement; nothing runs per row.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

/// The log of what statements have asked for since it was last taken.
#[derive(Default)]
pub(super) struct AuthorizerLog {
    seen: Mutex<SqlAccess>,
}

/// The objects that statements have asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SqlAccess {
    /// Columns of the source that are read: table, column.
    pub columns: BTreeSet<(String, String)>,
    /// Names after FROM, as the SQL writes them: tables, views and the SQL's own common table expressions.
    pub relations: BTreeSet<String>,
    /// Views, and the SQL's own common table expressions, whose SQL reads a column or calls a function.
    pub views: BTreeSet<String>,
    /// Description of the first object that was refused.
    pub refused: Option<String>,
}

impl AuthorizerLog {
    /// Returns the content of the log and clears it.
    pub fn take(&self) -> SqlAccess {
        std::mem::take(&mut self.seen())
    }

    /// Clears a refusal before another statement is compiled.
    pub fn begin(&self) {
        self.seen().refused = None;
    }

    fn seen(&self) -> MutexGuard<'_, SqlAccess> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refuse(&self, words: &str) -> Authorization {
        self.seen().refused.get_or_insert_with(|| words.to_owned());
        Authorization::Deny
    }
}

/// Pragmas that only report. Those of the first group take an argument.
const TELLING_WITH_ARGUMENT: &[&str] =
    &["table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo", "foreign_key_list"];
const TELLING: &[&str] = &[
    "application_id",
    "collation_list",
    "compile_options",
    "data_version",
    "database_list",
    "encoding",
    "freelist_count",
    "function_list",
    "page_count",
    "page_size",
    "schema_version",
    "user_version",
];
/// The pragma by which `indexes` compares a table with its indexes.
const INTEGRITY_CHECK: &str = "integrity_check";

/// The rules for SQL of a mapping.
pub(super) fn mapping_rules(log: Arc<AuthorizerLog>) -> impl FnMut(AuthContext<'_>) -> Authorization + Send + 'static {
    move |context| {
        if let Some(view) = context.accessor {
            log.seen().views.insert(view.to_owned());
        }
        match context.action {
            AuthAction::Select | AuthAction::Recursive => Authorization::Allow,
            AuthAction::Read { table_name, column_name } => {
                let mut seen = log.seen();
                seen.relations.insert(table_name.to_owned());
                if !column_name.is_empty() && context.database_name == Some("main") {
                    seen.columns.insert((table_name.to_owned(), column_name.to_owned()));
                }
                Authorization::Allow
            }
            AuthAction::Function { function_name } => function(&log, function_name),
            AuthAction::Pragma { pragma_name, pragma_value } => {
                let name = pragma_name.to_ascii_lowercase();
                let tells = TELLING_WITH_ARGUMENT.contains(&name.as_str())
                    || name == INTEGRITY_CHECK
                    || pragma_value.is_none() && TELLING.contains(&name.as_str());
                if tells { Authorization::Allow } else { log.refuse(&format!("PRAGMA {name}")) }
            }
            ref other => log.refuse(&words(other)),
        }
    }
}

/// Checks a function. The functions that reach outside the database are switched off in the library too.
fn function(log: &AuthorizerLog, name: &str) -> Authorization {
    let name = name.to_ascii_lowercase();
    if matches!(name.as_str(), "load_extension" | "fts3_tokenizer" | "readfile" | "writefile" | "edit") {
        return log.refuse(&format!("the function {name}"));
    }
    Authorization::Allow
}

/// Pragmas of a dump that describe the database itself.
const OF_THE_DATABASE: &[&str] = &[
    "application_id",
    "auto_vacuum",
    "defer_foreign_keys",
    "encoding",
    "foreign_keys",
    "ignore_check_constraints",
    "legacy_alter_table",
    "legacy_file_format",
    "page_size",
    "recursive_triggers",
    "user_version",
    "writable_schema",
];
/// Pragmas about the use of the file by its application. They have no meaning for the private copy and are skipped.
const OF_THE_APPLICATION: &[&str] = &[
    "automatic_index",
    "busy_timeout",
    "cache_size",
    "case_sensitive_like",
    "foreign_key_check",
    "integrity_check",
    "journal_mode",
    "journal_size_limit",
    "locking_mode",
    "mmap_size",
    "optimize",
    "quick_check",
    "secure_delete",
    "synchronous",
    "temp_store",
    "wal_autocheckpoint",
    "wal_checkpoint",
];

/// The rules for SQL of a dump, which runs on a private file.
pub(super) fn dump_rules(log: Arc<AuthorizerLog>) -> impl FnMut(AuthContext<'_>) -> Authorization + Send + 'static {
    move |context| match context.action {
        AuthAction::Attach { .. } | AuthAction::Detach { .. } | AuthAction::Unknown { .. } => {
            log.refuse(&words(&context.action))
        }
        AuthAction::Function { function_name } => function(&log, function_name),
        AuthAction::CreateVtable { module_name, .. } => {
            let module = module_name.to_ascii_lowercase();
            let known = module.starts_with("fts") || module.starts_with("rtree") || module == "geopoly";
            if known { Authorization::Allow } else { log.refuse(&format!("a virtual table of the module {module}")) }
        }
        AuthAction::Pragma { pragma_name, pragma_value } => {
            let name = pragma_name.to_ascii_lowercase();
            let name = name.as_str();
            if OF_THE_DATABASE.contains(&name)
                || TELLING_WITH_ARGUMENT.contains(&name)
                || pragma_value.is_none() && TELLING.contains(&name)
            {
                Authorization::Allow
            } else if OF_THE_APPLICATION.contains(&name) {
                Authorization::Ignore
            } else {
                log.refuse(&format!("PRAGMA {name}"))
            }
        }
        _ => Authorization::Allow,
    }
}

/// Describes a refused action for the author of the SQL.
fn words(action: &AuthAction<'_>) -> String {
    match action {
        AuthAction::Attach { .. } => "ATTACH (or VACUUM, which attaches)".to_owned(),
        AuthAction::Detach { .. } => "DETACH".to_owned(),
        AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => "a transaction".to_owned(),
        AuthAction::Insert { .. } | AuthAction::Update { .. } | AuthAction::Delete { .. } => "writing".to_owned(),
        _ => "anything but reading".to_owned(),
    }
}
