//! Blobs of 16 bytes in columns of UUIDs. .NET stores the first three parts with the lowest byte first, everything else as RFC
//! 4122 does. Where the mapping does not state the order, the version and the variant inside the values must prove it.

use crate::model::cell::Raw;
use crate::model::pgtype::Kind;
use crate::model::record::Refusal;
use crate::model::select::Row;
use crate::plan::{ColumnPlan, Feed, LoadPlan};

/// A column of UUIDs whose byte order is not stated, and the evidence that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UuidColumn {
    name: String,
    cell: usize,
    /// Blobs of 16 bytes, without those of 16 equal bytes.
    blobs: u64,
    /// True if each of them can be a UUID in this order.
    is_rfc: bool,
    is_dotnet: bool,
}

impl UuidColumn {
    /// Returns the columns of a load that the source feeds and whose order is not stated.
    pub fn of(load: &LoadPlan) -> Vec<UuidColumn> {
        let column = |column: &ColumnPlan| match column.feed {
            Feed::Cell(cell) if column.kind.kind == Kind::Uuid && column.rules.uuid_bytes.is_none() => {
                Some(UuidColumn { name: column.name.clone(), cell, blobs: 0, is_rfc: true, is_dotnet: true })
            }
            _ => None,
        };
        load.columns.iter().filter_map(column).collect()
    }

    /// Notes the value in a row.
    pub fn row(&mut self, row: &dyn Row) {
        let Raw::Blob(bytes) = row.cell(self.cell) else { return };
        let Ok(uuid) = <[u8; 16]>::try_from(bytes) else { return };
        if uuid.iter().all(|byte| *byte == uuid[0]) {
            return;
        }
        self.blobs += 1;
        self.is_rfc &= is_uuid(uuid[6], uuid[8]);
        self.is_dotnet &= is_uuid(uuid[7], uuid[8]);
    }

    /// Adds the evidence of another range.
    pub fn merge(&mut self, other: &UuidColumn) {
        self.blobs += other.blobs;
        self.is_rfc &= other.is_rfc;
        self.is_dotnet &= other.is_dotnet;
    }
}

/// Returns true if a UUID can have its version in the first byte and its variant in the second one.
fn is_uuid(version: u8, variant: u8) -> bool {
    (1..=8).contains(&(version >> 4)) && variant >> 6 == 0b10
}

/// Refuses the columns whose order is not that of RFC 4122, or not proved. All columns together prove it: an application has one
/// order.
pub fn refuse<'a>(found: impl Iterator<Item = (&'a str, &'a [UuidColumn])>) -> Vec<Refusal> {
    let all: Vec<(&str, &UuidColumn)> =
        found.flat_map(|(load, columns)| columns.iter().map(move |column| (load, column))).collect();
    let with_blobs: Vec<(&str, &UuidColumn)> = all.into_iter().filter(|(_, column)| column.blobs > 0).collect();
    let only_dotnet = |column: &UuidColumn| column.is_dotnet && !column.is_rfc;
    let is_proved = with_blobs.iter().any(|(_, column)| column.is_rfc && !column.is_dotnet)
        && !with_blobs.iter().any(|(_, column)| only_dotnet(column));
    let refused = with_blobs.iter().filter(|(_, column)| !(column.is_rfc && is_proved));
    let refusal = |(load, column): &(&str, &UuidColumn)| {
        let place = format!("load.{load}.columns.{}", column.name);
        let blobs = column.blobs;
        if only_dotnet(column) {
            let reason = format!("its {blobs} values of 16 bytes have the byte order of .NET");
            return Refusal::new(place, reason, "Write `bytes = \"dotnet\"`.");
        }
        let reason = format!("its {blobs} values of 16 bytes do not prove their byte order");
        let advice = "Write `bytes = \"rfc\"` for bytes in the order of the text, as most libraries store them, or `bytes = \
                      \"dotnet\"` for Guids of .NET.";
        Refusal::new(place, reason, advice)
    };
    refused.map(refusal).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(is_rfc: bool, is_dotnet: bool) -> UuidColumn {
        UuidColumn { name: "u".to_owned(), cell: 0, blobs: 1, is_rfc, is_dotnet }
    }

    fn refused(columns: &[UuidColumn]) -> usize {
        refuse([("a", columns)].into_iter()).len()
    }

    #[test]
    fn all_columns_together_prove_the_order() {
        assert_eq!(refused(&[column(true, false)]), 0);
        assert_eq!(refused(&[column(true, false), column(true, true)]), 0);
        assert_eq!(refused(&[column(true, true)]), 1);
        assert_eq!(refused(&[column(false, true)]), 1);
        assert_eq!(refused(&[column(false, false), column(true, false)]), 1);
        assert_eq!(refused(&[column(true, false), column(false, true)]), 2, "two orders prove none");
        assert_eq!(refused(&[UuidColumn { blobs: 0, ..column(true, true) }]), 0);
    }
}
