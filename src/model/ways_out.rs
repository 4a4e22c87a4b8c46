//! The ways out of a fault, chosen for the column at hand. [`Reason::advice`] has those for a column that may be NULL.

use super::fault::{ColumnFacts, Reason};

impl Reason {
    /// Returns the mapping entry, or the action, that solves a fault of this column. None replaces every value of a column,
    /// and none writes NULL to a column that is NOT NULL.
    pub fn way_out(self, ColumnFacts { not_null, all_at_fault, is_of_server }: ColumnFacts) -> &'static str {
        match self {
            Reason::Orphan if is_of_server => {
                "a row with this key, or another key: `if_orphan` does not replace what only the server compares"
            }
            Reason::NullInNotNull if is_of_server => "values from which the server computes one",
            Reason::NotANumber | Reason::NotABoolean | Reason::NotAUuid if all_at_fault => {
                "map = { ... }, or another column or sql = \"...\" as its source: no value fits"
            }
            Reason::NotADate | Reason::NotATime if all_at_fault => {
                "format = \"...\" of these values, or another column or sql = \"...\" as its source: no value fits"
            }
            Reason::NoSuchDate
            | Reason::NotAnInterval
            | Reason::InvalidJson
            | Reason::NotAnInet
            | Reason::NotARange
            | Reason::NotAnHstore
            | Reason::NotATsvector
                if all_at_fault =>
            {
                "another column or sql = \"...\" as its source: no value fits"
            }
            Reason::NotANumber if not_null => "if_bad = ..., or map = { ... }",
            Reason::NotAUuid | Reason::InvalidJson if not_null => "if_bad = ...",
            Reason::EmptyString if not_null => "map = { \"\" = ... }",
            Reason::NotAnId if not_null => "sql = \"...\"",
            Reason::Orphan if not_null => {
                "if_orphan = { drop = true }, which leaves the row out, or a key that is there"
            }
            Reason::OrphanDropped if not_null => "the row that it refers to",
            Reason::LookupMissing if not_null => "missing = \"owner\" or missing = { value = ... }",
            _ => self.advice(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns true if some alternative writes NULL.
    fn writes_null(advice: &str) -> bool {
        ["null_if", "null = true", "\"null\""].iter().any(|word| advice.contains(word))
    }

    #[test]
    fn no_way_out_writes_null_to_a_column_that_is_not_null() {
        for reason in Reason::ALL {
            for all_at_fault in [false, true] {
                let advice = reason.way_out(ColumnFacts { not_null: true, all_at_fault, ..ColumnFacts::default() });
                assert!(!writes_null(advice), "{}: {advice}", reason.word());
            }
        }
    }

    #[test]
    fn no_way_out_replaces_every_value_of_a_column() {
        for reason in Reason::ALL {
            for not_null in [false, true] {
                let facts = ColumnFacts { not_null, all_at_fault: true, ..ColumnFacts::default() };
                let advice = reason.way_out(facts);
                assert!(!advice.contains("if_bad"), "{}: {advice}", reason.word());
            }
        }
    }

    #[test]
    fn no_way_out_skips_a_row() {
        for reason in Reason::ALL {
            assert!(!reason.way_out(ColumnFacts::default()).contains("conflict"), "{}", reason.word());
        }
    }
}
