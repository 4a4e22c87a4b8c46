//! Into `json` and `jsonb`: strict RFC 8259, checked here so that no server has to refuse a batch for it.
//!
//! Of `json` the text stays byte for byte, of `jsonb` it becomes the server's own (`canonical`); nothing is parsed into
//! values and no number passes through a double. `jsonb` cannot
//! hold `\u0000`, half a surrogate pair, or a number beyond `numeric`; `json` can. Depth is not limited here.

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
    /// `jsonb`.
    pub binary: bool,
    /// Take `\u0000` out.
    pub strip_nul: bool,
}

impl JsonReader {
    /// Reads a value; NULL does not come here, and the text `null` is JSON's null.
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
            // Halves of a pair must not come together over the gap.
            if self.binary && facts.lone_surrogate {
                return Err(Reason::LoneSurrogate);
            }
            text = Cow::Owned(without_nul(&text));
            losses.add(Loss::StripNul);
            facts = walked(&text, self.binary)?;
        }
        if !self.binary {
            return Ok(Cell::Json(text));
        }
        if let Some(flaw) = facts.not_for_jsonb {
            return Err(flaw.reason);
        }
        if facts.duplicate_keys {
            losses.add(Loss::DuplicateKeys);
        }
        Ok(Cell::Jsonb(canonical(text)))
    }
}

/// Whether a text is JSON that `jsonb` (or, without `binary`, `json`) holds, and what it holds.
///
/// # Errors
/// The first flaw and where it stands. Bytes that are not UTF-8 are not looked for inside strings.
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
