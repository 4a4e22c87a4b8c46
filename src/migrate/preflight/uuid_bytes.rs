//! Blobs of 16 bytes in columns of UUIDs. Where the mapping does not state their byte order, the version and the variant inside
//! the values must prove that of RFC 4122.

use crate::convert::{UuidOrder, proved_order};
use crate::model::pgtype::Kind;
use crate::model::record::Refusal;
use crate::model::rules::UuidBytes;
use crate::model::select::Row;
use crate::plan::{ColumnPlan, Feed, LoadPlan};

/// A column of UUIDs whose byte order is not stated, and the evidence that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UuidColumn {
    name: String,
    cell: usize,
    order: UuidOrder,
}

impl UuidColumn {
    /// Returns the columns of a load that the source feeds and whose order is not stated.
    pub fn of(load: &LoadPlan) -> Vec<UuidColumn> {
        let column = |column: &ColumnPlan| match column.feed {
            Feed::Cell(cell) if column.kind.kind == Kind::Uuid && column.rules.uuid_bytes.is_none() => {
                Some(UuidColumn { name: column.name.clone(), cell, order: UuidOrder::default() })
            }
            _ => None,
        };
        load.columns.iter().filter_map(column).collect()
    }

    /// Notes the value in a row.
    pub fn row(&mut self, row: &dyn Row) {
        self.order.note(row.cell(self.cell));
    }

    /// Adds the evidence of another range.
    pub fn merge(&mut self, other: &UuidColumn) {
        self.order.merge(&other.order);
    }
}

/// Refuses the columns whose order is not that of RFC 4122, or not proved. All columns together prove it.
pub fn refuse<'a>(found: impl Iterator<Item = (&'a str, &'a [UuidColumn])>) -> Vec<Refusal> {
    let all: Vec<(&str, &UuidColumn)> =
        found.flat_map(|(load, columns)| columns.iter().map(move |column| (load, column))).collect();
    let is_proved = proved_order(all.iter().map(|(_, column)| &column.order)) == Some(UuidBytes::Rfc);
    let with_blobs = all.iter().filter(|(_, column)| column.order.blobs > 0);
    let refused = with_blobs.filter(|(_, column)| !(column.order.is_rfc && is_proved));
    let refusal = |(load, column): &(&str, &UuidColumn)| {
        let place = format!("load.{load}.columns.{}", column.name);
        let blobs = column.order.blobs;
        if column.order.only() == Some(UuidBytes::Dotnet) {
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
        UuidColumn { name: "u".to_owned(), cell: 0, order: UuidOrder { blobs: 1, is_rfc, is_dotnet } }
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
        let empty = UuidOrder { blobs: 0, ..UuidOrder::default() };
        assert_eq!(refused(&[UuidColumn { order: empty, ..column(true, true) }]), 0);
    }
}
