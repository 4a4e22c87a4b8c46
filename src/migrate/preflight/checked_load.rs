//! A load whose rows are checked before the run: what is known of it, its rows, and the constraints that are not checked.

use crate::migrate::rows::batch::Batch;
use crate::migrate::rows::keyset::field;
use crate::model::pgtype::Kind;
use crate::model::record::{Check, CheckKind};
use crate::model::schema::{SourceSchema, TargetSchema};
use crate::pg::Blame;
use crate::pg::values::ValueArray;
use crate::plan::{Feed, LoadPlan};

/// The verdict on the rows of a batch, by their indexes among its images.
#[derive(Debug, Default)]
pub struct RowVerdicts {
    /// Rows that the target would refuse, each with the constraint.
    pub refused: Vec<(usize, Blame)>,
    /// Rows that the load skips because another row has their key.
    pub skipped: Vec<usize>,
}

/// A load, and everything that decides which of its constraints can be checked.
#[derive(Clone, Copy)]
pub struct CheckedLoad<'a> {
    pub load: &'a LoadPlan,
    /// All loads of the plan.
    pub all: &'a [LoadPlan],
    pub source: &'a SourceSchema,
    pub target: &'a TargetSchema,
    /// True if the owner's key is known, so that stamped columns have it.
    pub knows_owner: bool,
}

impl CheckedLoad<'_> {
    /// Returns the reason why the rows are not known before they are written. `None` if they are.
    pub fn changes(&self) -> Option<String> {
        let triggers = &self.target.tables.get(&self.load.table)?.bending;
        (self.load.triggers_fire && !triggers.is_empty())
            .then(|| format!("the trigger {} may change a row before it is written", triggers.join(", ")))
    }

    /// Returns the index of a column whose value is known before the row is written, and that can be sent to the server in
    /// its own type.
    ///
    /// # Errors
    /// The reason why there is none.
    pub fn place(&self, name: &str) -> Result<usize, String> {
        let place = self.field(name)?;
        let kind = &self.load.columns[place].kind;
        if !kind.is_binary() {
            return Err(format!("{name} is {}, which is sent as text", kind.shown()));
        }
        Ok(place)
    }

    /// Returns the index of a column whose value is known before the row is written, and that can be sent to the server in
    /// its own type or as text.
    ///
    /// # Errors
    /// The reason why there is none.
    pub fn field(&self, name: &str) -> Result<usize, String> {
        if let Some(why) = self.changes() {
            return Err(why);
        }
        let place = self.load.columns.iter().position(|c| c.name == *name);
        let is_known = |n: &usize| match self.load.columns[*n].feed {
            Feed::Cell(_) | Feed::Constant(_) => true,
            Feed::Owner => self.knows_owner,
            Feed::Issued(_) | Feed::Lookup(_) => false,
        };
        let place = place.filter(is_known).ok_or_else(|| format!("{name} is known only when rows are written"))?;
        if matches!(self.load.columns[place].kind.kind, Kind::Array(_)) {
            return Err(format!("{name} is an array"));
        }
        Ok(place)
    }
}

/// Constraints that were not checked.
pub struct Unchecked<'a> {
    load: &'a str,
    pub checks: Vec<Check>,
}

impl Unchecked<'_> {
    /// No constraint of a load.
    pub fn of(load: &LoadPlan) -> Unchecked<'_> {
        Unchecked { load: &load.name, checks: Vec::new() }
    }

    /// Notes a constraint that is not checked.
    pub fn note(&mut self, kind: CheckKind, name: &str, why: &str) {
        self.checks.push(Check::not_checked(kind, Some(self.load), format!("{name}: {why}")));
    }
}

/// Rows of a batch, by their indexes among its images.
#[derive(Clone, Copy)]
pub struct CheckedRows<'a> {
    pub load: &'a LoadPlan,
    pub batch: &'a Batch<'a>,
    pub rows: &'a [usize],
}

impl<'a> CheckedRows<'a> {
    /// Returns the image of a row.
    pub fn image(&self, row: usize) -> &'a [u8] {
        self.batch.images(row..row + 1)
    }

    /// Returns the fields of some columns.
    pub fn columns(&self, places: &[usize]) -> Vec<ValueArray<'a>> {
        places.iter().map(|place| self.column(*place)).collect()
    }

    fn column(&self, place: usize) -> ValueArray<'a> {
        let mut fields = Vec::new();
        for row in self.rows {
            let image = self.image(*row);
            if let Some((at, length)) = field(image, place) {
                fields.extend_from_slice(&image[at - 4..at + length.unwrap_or(0)]);
            }
        }
        let column = &self.load.columns[place];
        let rows = i32::try_from(self.rows.len()).unwrap_or(i32::MAX);
        ValueArray { name: &column.name, kind: &column.kind, fields, rows }
    }
}
