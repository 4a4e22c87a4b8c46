//! From what SQLite holds to what PostgreSQL gets.
