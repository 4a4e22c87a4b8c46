//! The ids that were reserved for the files of a fleet in one table. Files that were loaded one after the other have neighbouring
//! ranges, which become one span; ids that the application has taken meanwhile lie between two spans.

use std::collections::BTreeMap;

use super::fleet::MemberIds;
use super::ident::quoted;

/// The ids of all files in one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReservedSpans {
    column: String,
    /// The last id of each span, by its first one.
    spans: BTreeMap<i64, i64>,
}

impl ReservedSpans {
    /// No ids of a column.
    pub fn of(column: &str) -> ReservedSpans {
        ReservedSpans { column: column.to_owned(), spans: BTreeMap::new() }
    }

    /// Adds the ids of a file. No other file has one of them.
    pub fn add(&mut self, ids: &MemberIds) {
        let (mut first, mut last) = (ids.first, ids.last);
        if let Some((before, end)) = self.spans.range(..first).next_back().map(|(before, end)| (*before, *end))
            && end.saturating_add(1) == first
        {
            first = before;
        }
        if let Some(end) = last.checked_add(1).and_then(|next| self.spans.remove(&next)) {
            last = end;
        }
        self.spans.insert(first, last);
    }

    /// The condition that exactly the rows with these ids meet. It names its operators with their schema.
    pub fn condition(&self) -> String {
        let column = format!("{}::pg_catalog.int8", quoted(&self.column));
        if let [(first, last)] = *self.spans.iter().collect::<Vec<_>>().as_slice() {
            return format!("{column} OPERATOR(pg_catalog.>=) {first} AND {column} OPERATOR(pg_catalog.<=) {last}");
        }
        let list = |ids: Vec<&i64>| {
            let words: Vec<String> = ids.into_iter().map(i64::to_string).collect();
            format!("'{{{}}}'::pg_catalog.int8[]", words.join(","))
        };
        let (firsts, lasts) = (list(self.spans.keys().collect()), list(self.spans.values().collect()));
        // The number of the last span that begins at or before the id, by binary search; 0, which no element has, if there is none.
        format!("{column} OPERATOR(pg_catalog.<=) ({lasts})[pg_catalog.width_bucket({column}, {firsts})]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(ranges: &[(i64, i64)]) -> ReservedSpans {
        let mut spans = ReservedSpans::of("id");
        for (first, last) in ranges {
            spans.add(&MemberIds { column: "id".to_owned(), first: *first, last: *last });
        }
        spans
    }

    #[test]
    fn neighbours_in_any_order_are_one_span() {
        for ranges in [[(1, 3), (4, 4), (5, 9)], [(5, 9), (1, 3), (4, 4)], [(4, 4), (5, 9), (1, 3)]] {
            assert_eq!(spans(&ranges).spans, BTreeMap::from([(1, 9)]));
        }
        assert_eq!(spans(&[(1, 3), (5, 9), (i64::MAX, i64::MAX)]).spans.len(), 3);
    }
}
