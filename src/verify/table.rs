//! One table of the proof: its image, its key, its rows as the target holds them now.
//!
//! What the source makes of it stands in `again`.

use crate::model::key::RunId;
use std::collections::BTreeMap;

use crate::migrate::{Stop, lookup};
use crate::model::hex::unhex;
use crate::model::pgtype::{ColumnType, Kind};
use crate::pg::ledger::Made;
use crate::pg::{ReadBack, Session};
use crate::plan::{LoadPlan, image};
use crate::wire::digest::{Digest, row_hash};
use crate::wire::{binary, decode};

use super::{Subject, rows};

/// A table that loads of this run went to.
pub(super) struct Table<'a> {
    pub subject: &'a Subject<'a>,
    pub name: &'a str,
    /// The loads that wrote to it.
    pub loads: Vec<&'a LoadPlan>,
    /// The columns of its image, and their types.
    pub columns: Vec<String>,
    pub kinds: Vec<ColumnType>,
    /// Places of its unique key within the image; empty without one.
    pub key: Vec<usize>,
    /// It held rows before, and their digest.
    pub before: Option<Digest>,
    /// Columns fed by lookups into rows that changed since.
    pub looked_up: Vec<String>,
    /// Long after the run: the condition that leaves out rows with numbers that were drawn since.
    pub scope: Option<String>,
}

impl<'a> Table<'a> {
    /// The tables of the run, by name.
    ///
    /// # Errors
    /// When the target refuses or is gone.
    pub fn all(subject: &'a Subject<'a>, session: &mut Session) -> Result<Vec<Table<'a>>, Stop> {
        let mut loads: BTreeMap<&str, Vec<&LoadPlan>> = BTreeMap::new();
        let holding = &subject.run.judged.holding;
        for load in &subject.plan.loads {
            let of_table = loads.entry(&load.table).or_default();
            if !(load.when_empty && holding.contains_key(&load.table)) {
                of_table.push(load);
            }
        }
        if let Some(owner) = subject.plan.owner.as_ref().filter(|o| holding.contains_key(&o.table)) {
            loads.entry(&owner.table).or_default();
        }
        let mut tables: Vec<Table<'_>> =
            loads.into_iter().map(|(name, loads)| Table::new(subject, name, loads)).collect();
        for table in &mut tables {
            for load in &table.loads {
                let run = RunId { id: subject.run.id, seed: subject.run.seed };
                table.looked_up.extend(lookup::moved(session, subject.plan, load, subject.settled, run)?);
            }
        }
        if subject.later {
            let made = session.made(subject.run.id)?;
            for table in tables.iter_mut().filter(|table| !table.held()) {
                table.scope = table.numbered(&made);
            }
        }
        Ok(tables)
    }

    /// The condition for rows with numbers up to where the run left the sequence of the table's key.
    fn numbered(&self, made: &[Made]) -> Option<String> {
        let [place] = self.key.as_slice() else { return None };
        let column = self.subject.target.tables.get(self.name)?.column(self.columns.get(*place)?)?;
        let sequence = column.sequence.as_ref().filter(|sequence| sequence.increment > 0)?;
        let left = made.iter().find(|m| m.kind == "sequence" && m.object == sequence.name)?;
        let last: i64 = left.became.as_ref()?.parse().ok()?;
        let issued = self.loads.iter().any(|load| !load.issued().is_empty());
        // Of ids that the run itself drew the last one is not noted there.
        (column.not_null && !issued).then(|| format!("{} <= {last}", crate::model::ident::quoted(&column.name)))
    }

    fn new(subject: &'a Subject<'a>, name: &'a str, loads: Vec<&'a LoadPlan>) -> Table<'a> {
        let facts = subject.target.tables.get(name);
        let judged = &subject.run.judged;
        let columns = match (judged.images.get(name), facts) {
            (Some(columns), _) => columns.clone(),
            (None, Some(facts)) => image::columns(&loads, facts),
            (None, None) => Vec::new(),
        };
        let kind = |column: &String| facts.and_then(|f| f.column(column)).map(|c| c.kind.clone());
        let place = |column: &String| columns.iter().position(|c| c == column);
        let unique = facts.map(|f| f.unique.as_slice()).unwrap_or_default();
        let conflict = loads.iter().find_map(|l| l.conflict.as_ref());
        let keys = conflict.into_iter().chain(unique.iter().map(|u| &u.columns));
        let key = keys.filter_map(|key| key.iter().map(place).collect::<Option<Vec<usize>>>()).find(|k| !k.is_empty());
        let before = judged.before.get(name).and_then(|text| Digest::from_bytes(&unhex(text)?));
        let kinds = columns.iter().filter_map(kind).collect();
        Table {
            subject,
            name,
            loads,
            columns,
            kinds,
            key: key.unwrap_or_default(),
            before,
            looked_up: Vec::new(),
            scope: None,
        }
    }

    /// `schema.table`
    pub fn place(&self) -> String {
        format!("{}.{}", self.subject.plan.schema, self.name)
    }

    /// The loads' names; without loads the table's.
    pub fn label(&self) -> String {
        if self.loads.is_empty() {
            return self.place();
        }
        self.loads.iter().map(|l| l.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// It held rows before.
    pub fn held(&self) -> bool {
        self.subject.run.judged.holding.contains_key(self.name)
    }

    /// Rows that should be there, the owner's own row left out.
    pub fn expected(&self) -> u64 {
        let before = self.subject.run.judged.holding.get(self.name).copied().unwrap_or(0);
        before + self.written()
    }

    /// Rows that this run wrote.
    pub fn written(&self) -> u64 {
        self.loads.iter().map(|l| rows::sums(self.subject, &l.name).written).sum()
    }

    /// The digest of what was sent, as the ledger has it.
    pub fn sent(&self) -> Digest {
        let mut sent = Digest::default();
        self.loads.iter().for_each(|load| sent.merge(&rows::sums(self.subject, &load.name).digest));
        sent
    }

    /// Why the source and the ledger do not say what this column should hold.
    pub fn obstacle(&self) -> Option<String> {
        (!self.looked_up.is_empty()).then(|| {
            format!(
                "column {}: the rows that its lookup reads have changed since, so what was sent cannot be computed again",
                self.looked_up.join(", ")
            )
        })
    }

    /// Rows of the table, the owner's own left out.
    ///
    /// # Errors
    /// When the target refuses or is gone.
    pub fn count(&self, session: &mut Session) -> Result<u64, Stop> {
        let subject = self.subject;
        let made = subject.owner_made && subject.plan.owner.as_ref().is_some_and(|o| o.table == self.name);
        Ok(session.count(&subject.plan.schema, self.name)?.saturating_sub(u64::from(made)))
    }

    /// Whether rows cannot be told apart by a key that the source and the ledger say.
    pub fn has_no_key(&self) -> bool {
        self.key.is_empty() || self.key.iter().any(|n| self.looked_up.contains(&self.columns[*n]))
    }

    /// Every row of the target with its hash, the row of an owner that the run made left out; those of a stretch, where
    /// one is given. Gives their number.
    pub fn target(
        &self,
        session: &mut Session,
        stretch: Option<&str>,
        row: &mut dyn FnMut(&[u8], u128),
    ) -> Result<u64, Stop> {
        let seed = self.subject.run.seed;
        let made = self.subject.plan.owner.as_ref().filter(|o| o.table == self.name && self.subject.owner_made);
        let others = made.zip(self.subject.owner).map(|(owner, key)| {
            let (column, value) = (crate::model::ident::quoted(&owner.key), crate::model::ident::literal(key));
            format!("{column} IS DISTINCT FROM {value}::{}", owner.key_type.name)
        });
        let only: Vec<&str> = others.as_deref().into_iter().chain(self.scope.as_deref()).chain(stretch).collect();
        let only = (!only.is_empty()).then(|| only.join(" AND "));
        let what = ReadBack { schema: &self.subject.plan.schema, table: self.name, columns: &self.columns, only };
        Ok(session.read_back(&what, &mut |image| row(image, row_hash(image, seed)))?)
    }

    /// The fields of a row's unique key, as bytes; none without a key.
    pub fn key_of(&self, image: &[u8]) -> Option<Vec<u8>> {
        if self.key.is_empty() {
            return None;
        }
        let places: Vec<Option<usize>> = self.key.iter().map(|k| Some(*k)).collect();
        let mut key = Vec::new();
        binary::project(image, &places, &mut key).then_some(key)
    }

    /// The key as people read it; none where a value of it may not be shown.
    pub fn shown_key(&self, image: &[u8]) -> Option<String> {
        let fields = binary::fields(image)?;
        let mut parts = Vec::new();
        for place in &self.key {
            let (name, kind) = (self.columns.get(*place)?, &self.kinds.get(*place)?.kind);
            let harmless = matches!(kind, Kind::Int2 | Kind::Int4 | Kind::Int8 | Kind::Uuid);
            if !harmless && !self.subject.show_values {
                return None;
            }
            parts.push(format!("{name}={}", self.value(*place, *fields.get(*place)?)));
        }
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// One field as text.
    pub fn value(&self, place: usize, field: Option<&[u8]>) -> String {
        match (field, self.kinds.get(place)) {
            (None, _) => "NULL".to_owned(),
            (Some(bytes), Some(kind)) => decode::shown(&kind.kind, bytes),
            (Some(bytes), None) => decode::shown(&Kind::Other, bytes),
        }
    }

    /// The integer key of a row, where its key is one integer that a sequence numbers.
    pub fn number(&self, image: &[u8]) -> Option<i64> {
        let [place] = self.key.as_slice() else { return None };
        let column = self.subject.target.tables.get(self.name)?.column(self.columns.get(*place)?)?;
        column.sequence.as_ref()?;
        let fields = binary::fields(image)?;
        let bytes = (*fields.get(*place)?)?;
        match bytes.len() {
            2 => Some(i64::from(i16::from_be_bytes(bytes.try_into().ok()?))),
            4 => Some(i64::from(i32::from_be_bytes(bytes.try_into().ok()?))),
            _ => Some(i64::from_be_bytes(bytes.try_into().ok()?)),
        }
    }
}
