//! The address of a row in its relation. Batches begin and end at keys, and a stopped run resumes at one.
//!
//! SQLite alone compares keys. This file only stores, writes and reads them exactly.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::cell::{Raw, RawBuf};
use super::hex::{hex, unhex};

/// The address of a row: its rowid, its key columns in a WITHOUT ROWID table, or its ordinal in a derived relation.
#[derive(Clone, Debug, PartialEq)]
pub struct Key(pub Vec<RawBuf>);

impl Key {
    /// Returns the key of a rowid or an ordinal.
    pub fn rowid(id: i64) -> Key {
        Key(vec![RawBuf::Integer(id)])
    }

    /// Returns the rowid; `None` if the key is not one integer.
    pub fn as_rowid(&self) -> Option<i64> {
        match self.0.as_slice() {
            [RawBuf::Integer(id)] => Some(*id),
            _ => None,
        }
    }

    /// Returns one line of text for [`Key::read`]: storage class and bytes, so that 1 and '1' stay different.
    pub fn written(&self) -> String {
        let parts: Vec<KeyValue> = self.0.iter().map(|v| KeyValue::from(v.as_raw())).collect();
        serde_json::to_string(&parts).unwrap_or_default()
    }

    /// Reads the text of [`Key::written`]; `None` for any other text.
    pub fn read(text: &str) -> Option<Key> {
        let parts: Vec<KeyValue> = serde_json::from_str(text).ok()?;
        parts.into_iter().map(KeyValue::value).collect::<Option<_>>().map(Key)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.written())
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Key, D::Error> {
        let text = String::deserialize(deserializer)?;
        Key::read(&text).ok_or_else(|| D::Error::custom("no key"))
    }
}

/// A range of rows by their keys, in the order in which they are read. The default holds all rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct KeyRange<'a> {
    /// The last key before the range; `None`: the range starts with the first row.
    pub after: Option<&'a Key>,
    /// The last key of the range; `None`: the range ends with the last row.
    pub until: Option<&'a Key>,
}

impl KeyRange<'_> {
    /// All rows.
    pub const ALL: KeyRange<'static> = KeyRange { after: None, until: None };
}

/// A run of the ledger and the seed of its hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunId {
    /// The run's id in the ledger.
    pub id: i64,
    /// The seed of its row hashes.
    pub seed: u64,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, value) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str(", ")?;
            }
            match value {
                RawBuf::Null => f.write_str("NULL")?,
                RawBuf::Integer(i) => write!(f, "{i}")?,
                RawBuf::Real(r) => write!(f, "{r:?}")?,
                RawBuf::Text(b) => write!(f, "{}", String::from_utf8_lossy(b))?,
                RawBuf::Blob(b) => write!(f, "x'{}'", hex(b))?,
            }
        }
        Ok(())
    }
}

/// One value of a key as the ledger stores it. Blobs, reals and text that is not ASCII are written as hexadecimal, because
/// the ledger's database may lack a letter in its encoding.
#[derive(Serialize, Deserialize)]
enum KeyValue {
    #[serde(rename = "n")]
    Null,
    #[serde(rename = "i")]
    Integer(i64),
    #[serde(rename = "r")]
    Real(String),
    #[serde(rename = "t")]
    Text(String),
    #[serde(rename = "x")]
    TextBytes(String),
    #[serde(rename = "b")]
    Blob(String),
}

impl From<Raw<'_>> for KeyValue {
    fn from(raw: Raw<'_>) -> KeyValue {
        match raw {
            Raw::Null => KeyValue::Null,
            Raw::Integer(i) => KeyValue::Integer(i),
            Raw::Real(r) => KeyValue::Real(hex(&r.to_bits().to_be_bytes())),
            Raw::Text(b) => match std::str::from_utf8(b) {
                Ok(text) if text.is_ascii() => KeyValue::Text(text.to_owned()),
                _ => KeyValue::TextBytes(hex(b)),
            },
            Raw::Blob(b) => KeyValue::Blob(hex(b)),
        }
    }
}

impl KeyValue {
    fn value(self) -> Option<RawBuf> {
        Some(match self {
            KeyValue::Null => RawBuf::Null,
            KeyValue::Integer(i) => RawBuf::Integer(i),
            KeyValue::Real(x) => RawBuf::Real(f64::from_bits(u64::from_be_bytes(unhex(&x)?.try_into().ok()?))),
            KeyValue::Text(text) => RawBuf::Text(text.into_bytes()),
            KeyValue::TextBytes(x) => RawBuf::Text(unhex(&x)?),
            KeyValue::Blob(x) => RawBuf::Blob(unhex(&x)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_keeps_class_and_bytes_when_written_and_read() {
        let key = Key(vec![
            RawBuf::Null,
            RawBuf::Integer(-5),
            RawBuf::Real(0.1 + 0.2),
            RawBuf::text("1\"\\"),
            RawBuf::Text(vec![0xff, 0x41]),
            RawBuf::text("✓"),
            RawBuf::Blob(vec![0, 1, 255]),
        ]);
        assert!(key.written().is_ascii());
        assert_eq!(Key::read(&key.written()), Some(key));
    }

    #[test]
    fn text_that_is_no_key_is_not_read() {
        for text in ["", "[", "[{\"b\":\"0\"}]", "[{\"b\":\"zz\"}]", "{}"] {
            assert_eq!(Key::read(text), None, "{text}");
        }
    }
}
