//! The reader of `json` and `jsonb`: checks strict RFC 8259 before sending, so that the server never refuses a batch
//! because of it.
//!
//! The text of `json` is kept byte for byte. The text of `jsonb` becomes the server's own form (`canonical`). Text is
//! not parsed into values, and no number passes through a double. `jsonb` cannot store `\u0000`, half a surrogate pair,
//! or a number beyond `numeric`; `json` can. Depth is not limited.

pub(super) mod canonical;
pub(super) mod canonical_check;
mod escapes;
mod walk;

pub(super) use escapes::unescaped;
pub use walk::{JsonFacts, JsonFlaw};

use super::text::number_text;
use crate::model::cell::{Cell, Raw};
use crate::model::fault::{Loss, LossSet, Reason};
use canonical::canonical;
use canonical_check::is_canonical;
use escapes::without_nul;
use std::borrow::Cow;

/// A column of JSON.
#[derive(Clone, Copy, Debug)]
pub(super) struct JsonReader {
    /// The type is `jsonb`.
    pub binary: bool,
    /// Removes `\u0000`.
    pub strip_nul: bool,
}

impl JsonReader {
    /// Reads a value that is not NULL. The text `null` is JSON's null.
    pub(super) fn read<'a>(&self, raw: Raw<'a>, losses: &mut LossSet) -> Result<Cell<'a>, Reason> {
        let text = match raw {
            Raw::Text(bytes) => Cow::Borrowed(std::str::from_utf8(bytes).map_err(|_| Reason::NotUtf8)?),
            Raw::Real(value) if !value.is_finite() => return Err(Reason::NotFinite),
            Raw::Integer(_) | Raw::Real(_) => Cow::Owned(number_text(raw)),
            Raw::Null | Raw::Blob(_) => return Err(Reason::BlobInJson),
        };
        if self.binary && is_canonical(text.as_bytes()) {
            return Ok(Cell::Jsonb(text));
        }
        let mut text = text;
        let mut facts = walked(&text, self.binary)?;
        if self.strip_nul && facts.nul {
            // Removing the gap must not join the halves of a surrogate pair.
            if self.binary && facts.lone_surrogate {
                return Err(Reason::LoneSurrogate);
            }
            text = Cow::Owned(without_nul(&text));
            losses.add(Loss::StripNul);
            facts = walked(&text, self.binary)?;
        }
        if !self.binary {
            if facts.nul || facts.lone_surrogate {
                losses.add(Loss::NotForJsonb);
            }
            return Ok(Cell::Json(text));
        }
        if let Some(flaw) = facts.not_for_jsonb {
            return Err(flaw.reason);
        }
        if facts.duplicate_keys {
            losses.add(Loss::DuplicateKeys);
        }
        if facts.other_digits {
            losses.add(Loss::JsonDigits);
        }
        Ok(Cell::Jsonb(canonical(text)))
    }
}

/// Checks that a text is JSON that `jsonb` (or, without `binary`, `json`) can store. Returns the facts about it.
///
/// # Errors
/// The first flaw and its position. Strings are not checked for UTF-8.
pub fn check(text: &[u8], binary: bool) -> Result<JsonFacts, JsonFlaw> {
    let mut facts = JsonFacts::default();
    let walked = walk::walk(text, binary, &mut facts);
    walked.map_err(|position| JsonFlaw { reason: Reason::InvalidJson, position })?;
    match facts.not_for_jsonb {
        Some(flaw) if binary => Err(flaw),
        _ => Ok(facts),
    }
}

fn walked(text: &str, keys: bool) -> Result<JsonFacts, Reason> {
    let mut facts = JsonFacts::default();
    walk::walk(text.as_bytes(), keys, &mut facts).map_err(|_| Reason::InvalidJson)?;
    Ok(facts)
}
