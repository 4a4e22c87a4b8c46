//! Rows of the source whose key the target holds, compared with the rows that are there, before the first write.
//!
//! The comparison reads both sides and writes nothing. A reference to a table whose rows are matched is compared by the natural
//! key of its row on both sides, because the target's ids are no ids of the source. The server compares again when rows are
//! written.

use std::collections::HashMap;

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::convert::Settled;
use crate::convert::row::{Notes, RowEncoder};
use crate::job::Stop;
use crate::migrate::preflight::read_ahead::{FAULTS_KEPT, LoadPreflight};
use crate::model::fault::{Fault, Loss, Reason};
use crate::model::ident::{qualified, quoted};
use crate::model::key::KeyRange;
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::record::{Check, CheckKind};
use crate::model::rules::Differ;
use crate::model::schema::TargetSchema;
use crate::model::select::{CONTINUE, Row};
use crate::pg::Session;
use crate::pg::existing::TargetName;
use crate::plan::{ColumnPlan, Feed, LoadPlan, Plan, SkippedRows};
use crate::sqlite::Source;
use crate::wire::binary;

/// The largest table of keys, in bytes.
const MOST_BYTES: usize = 64 << 20;

/// The bytes of an entry in addition to its hashes.
const ENTRY: usize = 64;

/// The context of the comparison.
pub struct HeldComparison<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The target's catalogue.
    pub target: &'a TargetSchema,
    /// The source.
    pub source: &'a Source,
    /// Values that are the same for every row.
    pub settled: &'a Settled,
}

/// The use of a compared part of a row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PartUse {
    Key,
    Compared,
    Owner,
}

/// A part of a row that both sides have.
struct ComparedPart {
    column: ColumnPlan,
    sql: String,
    part_use: PartUse,
}

impl HeldComparison<'_> {
    /// Compares the rows of every load that skips rows, and adds the counts, losses and faults to those of the preflight.
    ///
    /// # Errors
    /// If the source cannot be read, the target refuses, or the connection is lost.
    pub fn add(&self, session: &mut Session, found: &mut [LoadPreflight]) -> Result<(), Stop> {
        for found in found {
            let Some(load) = self.plan.loads.iter().find(|load| load.name == found.load) else { continue };
            let holds = self.target.tables.get(&load.table).is_some_and(|table| table.has_rows);
            let Some(rows) = self.plan.skipped_rows(load).filter(|_| holds) else { continue };
            match self.parts(load, &rows) {
                Err(why) => found.unchecked.push(not_compared(load, &why)),
                Ok(parts) => {
                    let of = TargetName { schema: &self.plan.schema, table: &load.table };
                    let mut comparison = LoadComparison { load, rows: &rows, parts, held: HashMap::new() };
                    match comparison.read_held(session, of)? {
                        true => comparison.compare(self.source, self.settled, found)?,
                        false => found.unchecked.push(not_compared(load, "the table has too many rows")),
                    }
                }
            }
        }
        Ok(())
    }

    /// The parts of a row that are compared, or the reason why the keys cannot be.
    fn parts(&self, load: &LoadPlan, rows: &SkippedRows) -> Result<Vec<ComparedPart>, String> {
        let mut parts = Vec::new();
        for column in &load.columns {
            let part_use = if rows.key.contains(&column.name) {
                PartUse::Key
            } else if rows.owners.contains(&column.name) {
                PartUse::Owner
            } else if rows.compared.contains(&column.name) {
                PartUse::Compared
            } else {
                continue;
            };
            let found = self.parts_of(column, part_use);
            if found.is_empty() && part_use != PartUse::Compared {
                return Err(format!("{} is known only when rows are written", column.name));
            }
            parts.extend(found);
        }
        // The key comes first, so that an image begins with it.
        parts.sort_by_key(|part| part.part_use != PartUse::Key);
        Ok(parts)
    }

    fn parts_of(&self, column: &ColumnPlan, part_use: PartUse) -> Vec<ComparedPart> {
        match &column.feed {
            Feed::Cell(_) | Feed::Constant(_) | Feed::Owner if column.kind.is_binary() => {
                vec![ComparedPart {
                    column: ColumnPlan { not_null: false, ..column.clone() },
                    sql: quoted(&column.name),
                    part_use,
                }]
            }
            Feed::Lookup(lookup) if lookup.reference.is_some() => {
                let steps = lookup.steps.iter().take(1).flat_map(|step| step.target.iter().zip(&step.source));
                let part = |((sql, kind), cell): (&(String, ColumnType), &usize)| ComparedPart {
                    column: ColumnPlan {
                        name: column.name.clone(),
                        kind: kind.clone(),
                        not_null: false,
                        feed: Feed::Cell(*cell),
                        rules: lookup.rules.clone(),
                        declared: None,
                        shift: None,
                        refers: None,
                    },
                    sql: format!(
                        "(SELECT migrate_part FROM (SELECT {} AS migrate_id, {sql} AS migrate_part FROM {}) AS migrate_row \
                         WHERE migrate_id OPERATOR(pg_catalog.=) {})",
                        quoted(&lookup.take),
                        qualified(&self.plan.schema, &lookup.table),
                        quoted(&column.name)
                    ),
                    part_use,
                };
                steps.map(part).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// One load that is compared.
struct LoadComparison<'a> {
    load: &'a LoadPlan,
    rows: &'a SkippedRows,
    parts: Vec<ComparedPart>,
    /// The rows that are there: by the hash of the key, the hashes of the other parts.
    held: HashMap<u128, Vec<u64>>,
}

impl LoadComparison<'_> {
    /// Reads the rows of the target. Returns false if there are too many.
    fn read_held(&mut self, session: &mut Session, of: TargetName<'_>) -> Result<bool, Stop> {
        let exprs: Vec<&str> = self.parts.iter().map(|part| part.sql.as_str()).collect();
        let (mut bytes, mut held) = (0, HashMap::new());
        session.read_expressions(of, &exprs, &mut |image| {
            if let Some(fields) = binary::fields(image).filter(|_| bytes <= MOST_BYTES)
                && let Some(key) = self.key(&fields)
            {
                let others = self.others(&fields);
                bytes += ENTRY + 8 * others.len();
                held.insert(key, others);
            }
        })?;
        self.held = held;
        Ok(bytes <= MOST_BYTES)
    }

    /// The hash of a key. `None` if a part of it is NULL.
    fn key(&self, fields: &[Option<&[u8]>]) -> Option<u128> {
        let mut bytes = Vec::new();
        for (part, field) in self.parts.iter().zip(fields).filter(|(part, _)| part.part_use == PartUse::Key) {
            let field = (*field)?;
            bytes.extend_from_slice(&(field.len() as u64).to_be_bytes());
            let from = bytes.len();
            bytes.extend_from_slice(field);
            if part.column.kind.kind == Kind::Citext {
                bytes[from..].make_ascii_lowercase();
            }
        }
        Some(xxh3_128(&bytes))
    }

    /// The hashes of the parts outside of the key.
    fn others(&self, fields: &[Option<&[u8]>]) -> Vec<u64> {
        let parts = self.parts.iter().zip(fields).filter(|(part, _)| part.part_use != PartUse::Key);
        let hash = |field: &Option<&[u8]>| field.map_or(0, |field| xxh3_64(field) | 1);
        parts.map(|(_, field)| hash(field)).collect()
    }

    /// Compares the rows of the source, and adds what was found to the preflight.
    fn compare(&self, source: &Source, settled: &Settled, found: &mut LoadPreflight) -> Result<(), Stop> {
        let columns = self.parts.iter().map(|part| part.column.clone()).collect();
        let encoder = RowEncoder::project(self.load, columns, settled).map_err(Stop::Refused)?;
        let (mut image, mut notes) = (Vec::new(), Notes::default());
        source.reader()?.each(&self.load.select, KeyRange::ALL, |row| {
            image.clear();
            if encoder.encode(row, &mut image, &mut notes)
                && let Some(fields) = binary::fields(&image)
                && let Some(key) = self.key(&fields)
                && let Some(held) = self.held.get(&key)
            {
                let kept = self.add(row, &self.others(&fields), held, found);
                if found.lists_kept {
                    // Half of the hash is enough to count the rows of a table that fits into memory.
                    kept.into_iter().for_each(|column| found.sums.kept.entry(column).or_default().add(key as u64));
                }
            }
            CONTINUE
        })?;
        Ok(())
    }

    /// Adds a row that is on the target already. Returns the columns in which it differs as the mapping allows, and the empty name
    /// for the whole row.
    fn add(&self, row: &dyn Row, ours: &[u64], held: &[u64], found: &mut LoadPreflight) -> Vec<String> {
        let others: Vec<&ComparedPart> = self.parts.iter().filter(|part| part.part_use != PartUse::Key).collect();
        let differing = others.iter().zip(ours.iter().zip(held)).filter(|(_, (ours, held))| ours != held);
        // A row without an owner belongs to no other one.
        let is_owners = |part: &ComparedPart, held: u64| part.part_use == PartUse::Owner && held != 0;
        let is_other_owner = differing.clone().any(|(part, (_, held))| is_owners(part, *held));
        let mut columns: Vec<&str> = differing.map(|(part, _)| part.column.name.as_str()).collect();
        columns.dedup();
        let reason = match (is_other_owner, columns.is_empty(), self.rows.differ) {
            (true, _, _) => Some(Reason::OtherOwner),
            (false, false, None) => Some(Reason::Differs),
            _ => None,
        };
        if let Some(reason) = reason {
            found.fault_total += 1;
            found.sums.faults += 1;
            if found.faults.len() < FAULTS_KEPT {
                let detail = (reason == Reason::Differs).then(|| format!("in {}", columns.join(", ")));
                found.faults.push(Fault { detail, ..Fault::of(&self.load.name, &row.key(), reason) });
            }
            return Vec::new();
        }
        found.sums.skipped += 1;
        if !columns.is_empty() {
            columns.push("");
            let loss = if self.rows.differ == Some(Differ::Source) { Loss::WrittenOver } else { Loss::Kept };
            let key = row.key().as_rowid().map(|id| id.to_string());
            columns.iter().for_each(|column| found.sums.add_loss(column, loss.word(), key.clone()));
        }
        columns.into_iter().map(str::to_owned).collect()
    }
}

fn not_compared(load: &LoadPlan, why: &str) -> Check {
    Check::not_checked(
        CheckKind::RowsOfTarget,
        Some(&load.name),
        format!("rows are not compared with existing rows: {why}"),
    )
}
