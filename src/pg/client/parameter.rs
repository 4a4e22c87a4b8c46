//! Parameters whose PostgreSQL type follows from their Rust type.

use postgres::types::{ToSql, Type};

/// A parameter of a statement. Its type is sent with the statement, so no round trip is needed to learn it.
pub trait Parameter: ToSql + Sync {
    /// The type that the server is asked to assume. [`Type::UNKNOWN`]: the server infers it from the statement.
    fn assumed_type(&self) -> Type;
}

/// A type with an array type.
trait Scalar: ToSql + Sync {
    const ONE: Type;
    const MANY: Type;
}

impl Scalar for bool {
    const ONE: Type = Type::BOOL;
    const MANY: Type = Type::BOOL_ARRAY;
}

impl Scalar for i32 {
    const ONE: Type = Type::INT4;
    const MANY: Type = Type::INT4_ARRAY;
}

impl Scalar for i64 {
    const ONE: Type = Type::INT8;
    const MANY: Type = Type::INT8_ARRAY;
}

// The binary form of text, varchar and name is the same, so the server may infer which of them is meant.
impl Scalar for &str {
    const ONE: Type = Type::UNKNOWN;
    const MANY: Type = Type::TEXT_ARRAY;
}

impl Scalar for String {
    const ONE: Type = Type::UNKNOWN;
    const MANY: Type = Type::TEXT_ARRAY;
}

impl Scalar for &String {
    const ONE: Type = Type::UNKNOWN;
    const MANY: Type = Type::TEXT_ARRAY;
}

impl Scalar for Vec<u8> {
    const ONE: Type = Type::BYTEA;
    const MANY: Type = Type::BYTEA_ARRAY;
}

impl<T: Scalar> Scalar for Option<T> {
    const ONE: Type = T::ONE;
    const MANY: Type = T::MANY;
}

impl<T: Scalar> Parameter for T {
    fn assumed_type(&self) -> Type {
        T::ONE
    }
}

impl<T: Scalar> Parameter for Vec<T> {
    fn assumed_type(&self) -> Type {
        T::MANY
    }
}

impl<T: Scalar> Parameter for &[T] {
    fn assumed_type(&self) -> Type {
        T::MANY
    }
}

impl<T: Scalar> Parameter for Option<&[T]> {
    fn assumed_type(&self) -> Type {
        T::MANY
    }
}
