//! The SQLSTATEs that this program acts on, by their names in the PostgreSQL documentation (appendix "Error Codes").

/// A connection that does not follow the protocol; poolers also answer so to what they do not support.
pub const PROTOCOL_VIOLATION: &str = "08P01";

/// A division by zero.
pub const DIVISION_BY_ZERO: &str = "22012";

/// A character that the database's encoding does not have.
pub const UNTRANSLATABLE_CHARACTER: &str = "22P05";

/// NULL in a NOT NULL column.
pub const NOT_NULL_VIOLATION: &str = "23502";

/// A row whose parent is missing.
pub const FOREIGN_KEY_VIOLATION: &str = "23503";

/// A second row with the same unique key.
pub const UNIQUE_VIOLATION: &str = "23505";

/// A row that fails a CHECK constraint, or that no partition takes.
pub const CHECK_VIOLATION: &str = "23514";

/// A row that an exclusion constraint refuses.
pub const EXCLUSION_VIOLATION: &str = "23P01";

/// A role that may not log in, or a connection that `pg_hba.conf` does not admit.
pub const INVALID_AUTHORIZATION: &str = "28000";

/// A wrong password.
pub const INVALID_PASSWORD: &str = "28P01";

/// A database that does not exist.
pub const INVALID_CATALOG_NAME: &str = "3D000";

/// A row that another transaction changed meanwhile, which this one must not see.
pub const SERIALIZATION_FAILURE: &str = "40001";

/// Two transactions that wait for each other.
pub const DEADLOCK_DETECTED: &str = "40P01";

/// A right that the role lacks.
pub const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// Bad SQL, and a text that is no tsquery, tsvector or jsonpath.
pub const SYNTAX_ERROR: &str = "42601";

/// A row that the CHECK option of a view refuses.
pub const WITH_CHECK_OPTION_VIOLATION: &str = "44000";

/// A full disk.
pub const DISK_FULL: &str = "53100";

/// Too little memory.
pub const OUT_OF_MEMORY: &str = "53200";

/// As many connections as the server takes.
pub const TOO_MANY_CONNECTIONS: &str = "53300";

/// A row, or an index entry, that is larger than a page takes.
pub const PROGRAM_LIMIT_EXCEEDED: &str = "54000";

/// A value that is nested deeper than the server's stack allows: JSON of some thousands of levels.
pub const STATEMENT_TOO_COMPLEX: &str = "54001";

/// A value that a parameter or a function does not take.
pub const INVALID_PARAMETER_VALUE: &str = "22023";

/// A lock that was not granted within `lock_timeout`.
pub const LOCK_NOT_AVAILABLE: &str = "55P03";

/// A statement that was cancelled.
pub const QUERY_CANCELED: &str = "57014";

/// A server that is shut down.
pub const ADMIN_SHUTDOWN: &str = "57P01";

/// A server that ended every session because one of its processes crashed.
pub const CRASH_SHUTDOWN: &str = "57P02";

/// A server that is still starting or already stopping.
pub const CANNOT_CONNECT_NOW: &str = "57P03";

/// An internal error.
pub const INTERNAL_ERROR: &str = "XX000";

/// The class of connection errors.
pub const CLASS_CONNECTION: &str = "08";

/// The class of interventions: a cancelled statement, a server that stops.
pub const CLASS_OPERATOR_INTERVENTION: &str = "57";
