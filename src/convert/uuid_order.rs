//! The evidence for the byte order of UUIDs that are blobs of 16 bytes. .NET stores the first three parts with the lowest byte
//! first, everything else as RFC 4122 does.

use crate::model::cell::Raw;
use crate::model::rules::UuidBytes;

/// The evidence that the values of a column are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UuidOrder {
    /// Blobs of 16 bytes, without those of 16 equal bytes.
    pub blobs: u64,
    /// True if each of them can be a UUID in the order of RFC 4122.
    pub is_rfc: bool,
    /// True if each of them can be a UUID in the order of .NET.
    pub is_dotnet: bool,
}

impl Default for UuidOrder {
    fn default() -> UuidOrder {
        UuidOrder { blobs: 0, is_rfc: true, is_dotnet: true }
    }
}

impl UuidOrder {
    /// Notes a value.
    pub fn note(&mut self, raw: Raw<'_>) {
        let Raw::Blob(bytes) = raw else { return };
        let Ok(uuid) = <[u8; 16]>::try_from(bytes) else { return };
        if uuid.iter().all(|byte| *byte == uuid[0]) {
            return;
        }
        self.blobs += 1;
        self.is_rfc &= is_uuid(uuid[6], uuid[8]);
        self.is_dotnet &= is_uuid(uuid[7], uuid[8]);
    }

    /// Adds the evidence of further rows.
    pub fn merge(&mut self, other: &UuidOrder) {
        self.blobs += other.blobs;
        self.is_rfc &= other.is_rfc;
        self.is_dotnet &= other.is_dotnet;
    }

    /// Returns true if the values can have this order.
    pub fn can_be(&self, order: UuidBytes) -> bool {
        match order {
            UuidBytes::Rfc => self.is_rfc,
            UuidBytes::Dotnet => self.is_dotnet,
        }
    }

    /// Returns the only order that the values can have. `None` if they can have both or none, or if there are no blobs.
    pub fn only(&self) -> Option<UuidBytes> {
        match (self.is_rfc, self.is_dotnet) {
            _ if self.blobs == 0 => None,
            (true, false) => Some(UuidBytes::Rfc),
            (false, true) => Some(UuidBytes::Dotnet),
            _ => None,
        }
    }
}

/// Returns the order that some column proves and no other column contradicts: an application has one order.
pub fn proved_order<'a>(columns: impl Iterator<Item = &'a UuidOrder>) -> Option<UuidBytes> {
    let mut proved = columns.filter_map(UuidOrder::only);
    let first = proved.next()?;
    proved.all(|order| order == first).then_some(first)
}

/// Returns true if a UUID can have its version in the first byte and its variant in the second one.
fn is_uuid(version: u8, variant: u8) -> bool {
    (1..=8).contains(&(version >> 4)) && variant >> 6 == 0b10
}
