//! One table of the proof: its image, its key, and its rows from both sides: computed from the source again exactly as
//! they were sent, and read back from the target.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;

use crate::convert::row::{Notes, RowEncoder};
use crate::migrate::{Stop, lookup};
use crate::model::fault::Loss;
use crate::model::key::{Key, unhex};
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::select::{Row, Sink};
use crate::plan::{LoadPlan, image};
use crate::target::{ReadBack, Session};
use crate::wire::digest::{Digest, row_hash};
use crate::wire::{binary, decode};

use super::{Subject, rows};

/// Hears of each row: its cells, its image, its hash.
pub type EachRow<'f> = dyn FnMut(&dyn Row, &[u8], u128) + 'f;

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
                let (plan, settled, run) = (subject.plan, subject.settled, subject.run);
                table.looked_up.extend(lookup::moved(session, plan, load, settled, (run.id, run.seed))?);
            }
        }
        Ok(tables)
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
        Table { subject, name, loads, columns, kinds, key: key.unwrap_or_default(), before, looked_up: Vec::new() }
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
        before + self.loads.iter().map(|l| rows::sums(self.subject, &l.name).written).sum::<u64>()
    }

    /// The digest of what was sent, as the ledger has it.
    pub fn sent(&self) -> Digest {
        let mut sent = Digest::default();
        self.loads.iter().for_each(|load| sent.merge(&rows::sums(self.subject, &load.name).digest));
        sent
    }

    /// Whether rows of a load were skipped, so that the source alone does not say what was sent.
    pub fn skips(&self) -> bool {
        self.loads.iter().any(|load| rows::sums(self.subject, &load.name).skipped > 0)
    }

    /// Whether the source alone does not say what this column should hold: a value stood in for an orphan, or what a
    /// lookup reads has changed.
    pub fn stands_in(&self, column: &str) -> bool {
        if self.looked_up.iter().any(|c| c == column) {
            return true;
        }
        let lost = |load: &&LoadPlan| rows::sums(self.subject, &load.name).losses;
        self.loads.iter().flat_map(lost).any(|l| l.column == column && l.modifier == Loss::IfOrphan.word())
    }

    /// Why the source alone does not say what was sent.
    pub fn only_target_knows(&self) -> Option<&'static str> {
        if self.skips() {
            return Some("rows were skipped since their keys were there, and which ones only the target knew");
        }
        if !self.looked_up.is_empty() {
            return Some("the rows that a lookup reads have changed since");
        }
        let stood_in = self.columns.iter().any(|column| self.stands_in(column));
        stood_in.then_some("values stood in for orphans, and which rows were orphans only the target knew")
    }

    /// Every row of the target with its hash, the row of an owner that the run made left out. Gives their number.
    pub fn target(&self, session: &mut Session, row: &mut dyn FnMut(&[u8], u128)) -> Result<u64, Stop> {
        let seed = self.subject.run.seed;
        let made = self.subject.plan.owner.as_ref().filter(|o| o.table == self.name && self.subject.owner_made);
        let only = made.zip(self.subject.owner).map(|(owner, key)| {
            let (column, value) = (crate::model::ident::quoted(&owner.key), crate::model::ident::literal(key));
            format!("{column} IS DISTINCT FROM {value}::{}", owner.key_type.name)
        });
        let what = ReadBack { schema: &self.subject.plan.schema, table: self.name, columns: &self.columns, only };
        Ok(session.read_back(&what, &mut |image| row(image, row_hash(image, seed)))?)
    }

    /// Every row that the source makes now: its image, its hash and its key in the source.
    pub fn source(&self, session: &mut Session, row: &mut EachRow<'_>) -> Result<(), Stop> {
        for load in &self.loads {
            self.load(load, session, row)?;
        }
        Ok(())
    }

    /// The rows of one load, part by part, with the ids that were drawn for them, without those set aside.
    pub fn load(&self, load: &LoadPlan, session: &mut Session, row: &mut EachRow<'_>) -> Result<(), Stop> {
        let subject = self.subject;
        let binary = LoadPlan { as_text: false, ..load.clone() };
        let maps = lookup::again(session, subject.plan, &binary, subject.settled, subject.run.seed)?;
        let encoder = RowEncoder::new(&binary, subject.settled, &maps)
            .and_then(|encoder| encoder.proving(&binary, subject.settled, None, Some(&self.columns)))
            .map_err(Stop::Refused)?;
        let issued = load.issued();
        let ids = if issued.is_empty() { Vec::new() } else { session.issued_rows(subject.run.id, &load.name)? };
        let aside = session.set_aside_rows(subject.run.id, &load.name)?;
        let reader = subject.source.reader()?;
        let mut again = Again {
            encoder,
            issued,
            ids,
            at: 0,
            aside,
            seed: subject.run.seed,
            bytes: Vec::new(),
            scratch: Vec::new(),
            notes: Notes::default(),
            row,
        };
        let parts = subject.done.get(&load.name).map(|d| d.parts.as_slice()).unwrap_or_default();
        for part in parts {
            reader.scan(&load.select, part.after.as_ref(), part.until.as_ref(), &mut again)?;
        }
        Ok(())
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

/// Encodes rows again as they were sent.
struct Again<'r> {
    encoder: RowEncoder,
    issued: Vec<usize>,
    /// The ids of each row that was sent, in order.
    ids: Vec<Vec<i64>>,
    at: usize,
    aside: HashSet<String>,
    seed: u64,
    bytes: Vec<u8>,
    scratch: Vec<u8>,
    notes: Notes,
    row: &'r mut EachRow<'r>,
}

impl Sink for Again<'_> {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        self.bytes.clear();
        let fits = self.encoder.encode(row, &mut self.bytes, &mut self.notes);
        if !fits || (!self.aside.is_empty() && self.aside.contains(&row.key().written())) {
            return ControlFlow::Continue(());
        }
        if let Some(ids) = self.ids.get(self.at) {
            for (n, at) in self.notes.slots.iter().enumerate() {
                if let Some(id) = ids.get(n) {
                    // An id went into its column once; it does again.
                    let _ = self.encoder.fill(self.issued[n], *id, *at, &mut self.bytes);
                }
            }
            self.at += 1;
        }
        let image = self.encoder.image(&self.bytes, &mut self.scratch);
        let hash = row_hash(image, self.seed);
        (self.row)(row, image, hash);
        ControlFlow::Continue(())
    }

    fn failed(&mut self, _: Key, _: Option<usize>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}
