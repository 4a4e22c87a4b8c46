//! One table that is verified: its image, its key, and its rows as the target holds them now.

use std::collections::BTreeMap;

use crate::job::Stop;
use crate::model::digest::{Digest, row_hash};
use crate::model::hex::unhex;
use crate::model::ident::{literal, quoted};
use crate::model::ledger::{Made, MadeKind};
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::rules::Differ;
use crate::pg::existing::{KeptSide, TargetName};
use crate::pg::inspect::LoadedRows;
use crate::pg::{ReadBack, ReturnedRows, Session};
use crate::plan::{LoadPlan, image};
use crate::wire::image::integer;
use crate::wire::{binary, decode};

use super::altered::Alteration;
use super::subject::Subject;

/// A table that this run wrote to.
#[derive(Clone)]
pub(super) struct VerifiedTable<'a> {
    pub subject: &'a Subject<'a>,
    /// The seed of its row hashes.
    pub seed: u64,
    pub name: &'a str,
    /// The loads that wrote to it.
    pub loads: Vec<&'a LoadPlan>,
    /// The columns of the image that was sent.
    pub sent_columns: Vec<String>,
    /// The columns of the image that is compared, and their types now.
    pub columns: Vec<String>,
    pub kinds: Vec<ColumnType>,
    /// The changes of its columns since the run began.
    pub altered: Alteration,
    /// Indexes of its unique key's columns within the image. Empty without a key.
    pub key: Vec<usize>,
    /// The digest of the rows that the table held before the run. `None` if it held none or the ledger has no digest.
    pub before: Option<Digest>,
    /// The columns that each batch read back in the server's own form. Empty if there are none.
    pub returned: Vec<String>,
    /// Columns fed by lookups into rows that changed since.
    pub looked_up: Vec<String>,
    /// After the run, the condition that excludes rows whose ids were drawn since.
    pub scope: Option<String>,
}

impl<'a> VerifiedTable<'a> {
    /// The tables of the run, by name.
    ///
    /// # Errors
    /// If the target refuses a query or the connection is lost.
    pub fn all(subject: &'a Subject<'a>, session: &mut Session) -> Result<Vec<VerifiedTable<'a>>, Stop> {
        let mut loads: BTreeMap<&str, Vec<&LoadPlan>> = BTreeMap::new();
        for load in &subject.plan.loads {
            let of_table = loads.entry(&load.table).or_default();
            if !(load.when_empty && subject.held_before(&load.table).is_some()) {
                of_table.push(load);
            }
        }
        if let Some(owner) = subject.plan.owner.as_ref().filter(|o| subject.held_before(&o.table).is_some()) {
            loads.entry(&owner.table).or_default();
        }
        let mut tables: Vec<VerifiedTable<'_>> =
            loads.into_iter().map(|(name, loads)| VerifiedTable::new(subject, name, loads)).collect();
        for table in &mut tables {
            for load in &table.loads {
                table.looked_up.extend(subject.maps.changed_columns(session, load, subject.made)?);
            }
        }
        for table in &mut tables {
            table.exchange_written_over(session)?;
        }
        if subject.later {
            for table in tables.iter_mut().filter(|table| !table.held()) {
                table.scope = table.ids_of_run(subject.made);
            }
        }
        Ok(tables)
    }

    fn new(subject: &'a Subject<'a>, name: &'a str, loads: Vec<&'a LoadPlan>) -> VerifiedTable<'a> {
        let catalogued = subject.target.tables.get(name);
        let judged = &subject.run.judged;
        let sent_columns = match (judged.images.get(name), catalogued) {
            (Some(columns), _) => columns.clone(),
            (None, Some(catalogued)) => image::columns(&loads, catalogued),
            (None, None) => Vec::new(),
        };
        let returned = judged.returned.get(name).map(Vec::as_slice).unwrap_or_default();
        let altered =
            catalogued.map(|table| Alteration::of(table, &loads, &sent_columns, returned)).unwrap_or_default();
        let (columns, kinds) = match (altered.compared(&sent_columns), catalogued) {
            (Some(compared), _) => compared,
            (None, Some(table)) => {
                let kinds = sent_columns.iter().filter_map(|name| table.column(name)).map(|c| c.kind.clone()).collect();
                (sent_columns.clone(), kinds)
            }
            (None, None) => (sent_columns.clone(), Vec::new()),
        };
        let key = catalogued.map(|table| image::key(&loads, table, &columns)).unwrap_or_default();
        let before = judged.before.get(name).and_then(|text| Digest::from_bytes(&unhex(text)?));
        let returned = if altered.hides_returned { Vec::new() } else { returned.to_vec() };
        VerifiedTable {
            subject,
            seed: subject.run.seed,
            name,
            loads,
            sent_columns,
            columns,
            kinds,
            key,
            // The digest is that of the columns as they were.
            before: before.filter(|_| altered.fields.is_none()),
            altered,
            returned,
            looked_up: Vec::new(),
            scope: None,
        }
    }

    /// Returns true if the number of a transaction (`xmin`) identifies rows of the table. Each shard has its own numbers.
    pub fn numbers_transactions(&self) -> bool {
        self.subject.target.placement(self.name).is_local()
    }

    /// The condition for rows with ids up to the value at which the run left the sequence of the table's key. `None` if
    /// no such value is known.
    fn ids_of_run(&self, made: &[Made]) -> Option<String> {
        let [place] = self.key.as_slice() else { return None };
        let column = self.subject.target.tables.get(self.name)?.column(self.columns.get(*place)?)?;
        let sequence = column.sequence.as_ref().filter(|sequence| sequence.increment > 0)?;
        let left = made.iter().find(|m| m.kind == MadeKind::Sequence && m.object == sequence.name)?;
        let last: i64 = left.became.as_ref()?.parse().ok()?;
        let issued = self.loads.iter().any(|load| !load.issued().is_empty());
        // The ledger does not record the last id that the run itself drew.
        (column.not_null && !issued).then(|| format!("{} OPERATOR(pg_catalog.<=) {last}", quoted(&column.name)))
    }

    /// Exchanges the rows that the run wrote over, in the digest of the rows that existed before the run, for the rows as the
    /// run left them.
    fn exchange_written_over(&mut self, session: &mut Session) -> Result<(), Stop> {
        let writes_over = |load: &&LoadPlan| {
            self.subject.plan.skipped_rows(load).is_some_and(|rows| rows.differ == Some(Differ::Source))
        };
        if !self.loads.iter().any(writes_over) {
            return Ok(());
        }
        let Some(mut before) = self.before.take() else { return Ok(()) };
        let of = TargetName { schema: &self.subject.plan.schema, table: self.name };
        let (run, seed) = (self.subject.run.id, self.seed);
        let (mut was, mut became) = (Digest::default(), Digest::default());
        session.read_written_over(run, of, &self.columns, KeptSide::Was, &mut |row| was.add(row_hash(row, seed)))?;
        session
            .read_written_over(run, of, &self.columns, KeptSide::Became, &mut |row| became.add(row_hash(row, seed)))?;
        before.subtract(&was);
        before.merge(&became);
        self.before = Some(before);
        Ok(())
    }

    /// The same table with the seed that was drawn for this verification.
    pub fn with_fresh_seed(&self) -> VerifiedTable<'a> {
        VerifiedTable { seed: self.subject.fresh_seed, ..self.clone() }
    }

    /// `schema.table`
    pub fn place(&self) -> String {
        format!("{}.{}", self.subject.plan.schema, self.name)
    }

    /// The loads' names. Without loads, the table's name.
    pub fn label(&self) -> String {
        if self.loads.is_empty() {
            return self.place();
        }
        self.loads.iter().map(|l| l.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Returns true if the table held rows before the run.
    pub fn held(&self) -> bool {
        self.subject.held_before(self.name).is_some()
    }

    /// The expected number of rows, without the owner's own row.
    pub fn expected(&self) -> u64 {
        self.subject.held_before(self.name).unwrap_or(0) + self.written()
    }

    /// Rows that this run wrote.
    pub fn written(&self) -> u64 {
        self.subject.total(&self.loads).written
    }

    /// The digest of the rows sent, from the ledger.
    pub fn sent(&self) -> Digest {
        self.subject.total(&self.loads).digest
    }

    /// Explains why the rows sent cannot be recomputed from the source and the ledger. `None` if they can.
    pub fn obstacle(&self) -> Option<String> {
        (!self.looked_up.is_empty()).then(|| {
            format!(
                "column {}: the rows that its lookup reads have changed since, so what was sent cannot be computed again",
                self.looked_up.join(", ")
            )
        })
    }

    /// The table and its loads, as the server counts their rows.
    pub fn loaded_rows(&self) -> LoadedRows<'a> {
        LoadedRows { table: self.name, loads: self.loads.iter().map(|load| load.name.as_str()).collect() }
    }

    /// The number of rows without the owner's own row, of `all` rows of the table.
    pub fn without_owner(&self, all: u64) -> u64 {
        all.saturating_sub(u64::from(self.subject.made_owner_in(self.name).is_some()))
    }

    /// Returns true if no key that the source and the ledger determine identifies the rows.
    pub fn has_no_key(&self) -> bool {
        self.key.is_empty() || self.key.iter().any(|n| self.looked_up.contains(&self.columns[*n]))
    }

    /// Reads every row of the target with its hash, without the owner's row that the run made. With a stretch, reads only
    /// its rows. Returns the number of rows.
    pub fn target(
        &self,
        session: &mut Session,
        stretch: Option<&str>,
        row: &mut dyn FnMut(&[u8], u128),
    ) -> Result<u64, Stop> {
        let seed = self.seed;
        Ok(session.read_back(&self.rows(stretch), &mut |image| row(image, row_hash(image, seed)))?)
    }

    /// The rows that [`VerifiedTable::target`] reads.
    pub fn rows(&self, stretch: Option<&str>) -> ReadBack<'_> {
        let only = self.only(stretch);
        ReadBack { schema: &self.subject.plan.schema, table: self.name, columns: &self.columns, only }
    }

    /// Reads the same rows in the server's own form, after these key columns in binary form. Returns the number of rows.
    pub fn target_returned(
        &self,
        session: &mut Session,
        stretch: Option<&str>,
        keys: &[String],
        row: &mut dyn FnMut(&[u8]),
    ) -> Result<u64, Stop> {
        let (schema, only) = (&self.subject.plan.schema, self.only(stretch));
        Ok(session
            .read_returned(&ReturnedRows { schema, table: self.name, keys, columns: &self.returned, only }, row)?)
    }

    /// The condition for the rows that are compared. `None` for all rows of the table.
    fn only(&self, stretch: Option<&str>) -> Option<String> {
        let made = self.subject.made_owner_in(self.name);
        let others = made.zip(self.subject.owner.key).map(|(owner, key)| {
            // The key is the server's own text of the value.
            let key = literal(key);
            format!("({}::pg_catalog.text OPERATOR(pg_catalog.=) {key}) IS NOT TRUE", quoted(&owner.key))
        });
        let only: Vec<&str> = others.as_deref().into_iter().chain(self.scope.as_deref()).chain(stretch).collect();
        (!only.is_empty()).then(|| only.join(" AND "))
    }

    /// Names the trigger that fired during the load and could change each row before it was written. Only such a trigger
    /// explains a value that differs from the value sent.
    pub fn changed_by_trigger(&self) -> Option<String> {
        let subject = self.subject;
        if !self.loads.iter().any(|load| load.triggers_fire) {
            return None;
        }
        let was_off = |name: &str| subject.detached.iter().any(|d| d.table == self.name && d.object == name);
        let trigger = subject.target.tables.get(self.name)?.bending.iter().find(|name| !was_off(name))?;
        Some(format!("the trigger {trigger} fired and may have changed rows"))
    }

    /// The fields of a row's unique key, as bytes. `None` without a key.
    pub fn key_of(&self, image: &[u8]) -> Option<Vec<u8>> {
        if self.key.is_empty() {
            return None;
        }
        let places: Vec<Option<usize>> = self.key.iter().map(|k| Some(*k)).collect();
        let mut key = Vec::new();
        binary::project(image, &places, &mut key).then_some(key)
    }

    /// The key as a report shows it. `None` if a value of the key may not be shown.
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

    /// The id of a row. `None` unless the table's key is one integer column with a sequence.
    pub fn number(&self, image: &[u8]) -> Option<i64> {
        let [place] = self.key.as_slice() else { return None };
        let column = self.subject.target.tables.get(self.name)?.column(self.columns.get(*place)?)?;
        column.sequence.as_ref()?;
        let fields = binary::fields(image)?;
        integer((*fields.get(*place)?)?)
    }
}
