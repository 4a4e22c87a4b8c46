//! From mapping, source and target to the plan: what is asked of both sides before anything is decided.
//!
//! Part of [`Way`]; what is done with the plan stands in `cutover`.

use std::collections::BTreeMap;

use crate::convert::Settled;
use crate::job::Stop;
use crate::mapping::Mapping;
use crate::migrate;
use crate::migrate::preflight::read_ahead;
use crate::model::ledger::{MadeKind, Run};
use crate::model::pgtype::ColumnType;
use crate::model::record::{Refusal, Report, RunState, Warning};
use crate::model::schema::{Detachable, TargetSchema};
use crate::pg::{OtherSession, ServerError, Session};
use crate::plan::{self, Detaching, Inputs, Plan, Purpose, SqlFacts};
use crate::sqlite::Source;

use super::way::{Known, Manner, Planned, Way};
use super::{Failure, inputs, record};

impl Way<'_> {
    /// The plan and the catalogue it stands on; `None`: refused, and the report says why.
    pub(super) fn plan(
        &self,
        source: &Source,
        session: Option<&mut Session>,
        known: Option<&Known>,
        report: &mut Report,
    ) -> Result<Option<(Plan, TargetSchema)>, Failure> {
        let mapping = &self.found.mapping;
        let run = known.and_then(|k| k.run.as_ref());
        let mut purpose = Purpose::default();
        let mut busy = Vec::new();
        let (target, detachable, expressions) = match session {
            None => (None, Vec::new(), BTreeMap::new()),
            Some(session) => {
                purpose = self.purpose(session, run).map_err(Failure::refused)?;
                let (target, detachable) = self.catalog(session, known).map_err(Failure::refused)?;
                let expressions = expressions(session, mapping, &target).map_err(Failure::refused)?;
                if run.is_none() && matches!(self.manner, Manner::Dry | Manner::Cutover) {
                    busy = session.other_sessions(&target.schema, &self.loaded(&target)).map_err(Failure::refused)?;
                }
                (Some(target), detachable, expressions)
            }
        };
        let env = self.env();
        let owner = self.common.owner.iter().cloned().collect();
        let now = inputs::now_text(mapping, run.map_or(self.world.now_micros(), |r| r.judged.now));
        let mut inputs = Inputs {
            source: source.schema(),
            sql: &BTreeMap::new(),
            target: target.as_ref(),
            expressions: &expressions,
            env: &env,
            owner: &owner,
            now: &now,
            detachable: &detachable,
            detaching: self.detaching(),
            purpose,
        };
        let sql = self.sql_facts(source, mapping, &inputs)?;
        inputs.sql = &sql;
        let refused = report.refusals.len();
        busy.iter().for_each(|busy| self.is_busy(busy, report));
        match plan::build(mapping, &inputs) {
            Ok(plan) => {
                report.warnings.extend(plan.warnings.iter().cloned());
                if report.refusals.len() > refused {
                    return Ok(None);
                }
                if let Err(refusals) = self.constants(&plan, run) {
                    report.refusals.extend(refusals);
                    return Ok(None);
                }
                report.owner = plan.settled_owner().map(|o| record::owner(o, None, false));
                Ok(Some((plan, target.unwrap_or_default())))
            }
            Err((refusals, warnings)) => {
                report.refusals.extend(refusals);
                report.warnings.extend(warnings);
                Ok(None)
            }
        }
    }

    /// What the command will do on the target: a run that is done is verified again, whatever the command.
    fn purpose(&self, session: &mut Session, run: Option<&Run>) -> Result<Purpose, ServerError> {
        Ok(match (self.manner, run) {
            (Manner::Rollback, Some(run)) => {
                Purpose::TakeBack { owner: session.made(run.id)?.iter().any(|made| made.kind == MadeKind::Owner) }
            }
            (Manner::Verify | Manner::Rollback, _) => Purpose::Verify,
            (Manner::Dry | Manner::Cutover | Manner::Rehearse, Some(run)) if run.state == RunState::Done => {
                Purpose::Verify
            }
            (Manner::Dry | Manner::Cutover | Manner::Rehearse, _) => Purpose::Write,
        })
    }

    /// The target's catalogue as if everything that the run took off were back and its rows were not there, and what can
    /// be taken off.
    pub(super) fn catalog(
        &self,
        session: &mut Session,
        known: Option<&Known>,
    ) -> Result<(TargetSchema, Vec<Detachable>), ServerError> {
        let mut target = session.catalog(&self.found.mapping.target.schema)?;
        if let Some(run) = known.and_then(|k| k.run.as_ref()) {
            for (name, table) in &mut target.tables {
                table.has_rows = run.judged.holding.contains_key(name);
            }
        }
        if let Some(known) = known {
            migrate::indexes::detach::as_if_back(&mut target, &known.detached);
        }
        let detachable = session.detachable(&target.schema, &self.loaded(&target))?;
        Ok((target, detachable))
    }

    fn loaded(&self, target: &TargetSchema) -> Vec<String> {
        target.tables.keys().filter(|t| self.is_loaded(t)).cloned().collect()
    }

    /// Somebody works on tables that rows go to: what is not committed there was not seen, and a lock is waited for.
    fn is_busy(&self, busy: &OtherSession, report: &mut Report) {
        let name = if busy.name.is_empty() { String::new() } else { format!(" ({})", busy.name) };
        let who = format!("server process {}{name} holds locks on {}", busy.pid, busy.tables);
        if self.manner == Manner::Dry {
            let message = format!("{who}. The cutover is refused while it does");
            report.warnings.push(Warning::new("target", message));
        } else {
            let advice = format!("Stop the application first, or: SELECT pg_terminate_backend({});", busy.pid);
            report.refusals.push(Refusal::new("target", who, advice));
        }
    }

    pub(super) fn is_loaded(&self, table: &str) -> bool {
        let copies = self.found.mapping.defaults.unlisted_tables == crate::mapping::Unlisted::Copy;
        copies || self.found.mapping.loads.iter().any(|load| load.to == table)
    }

    pub(super) fn detaching(&self) -> Detaching {
        match self.work.detach {
            crate::cli::DetachWhat::Auto => Detaching::Auto,
            crate::cli::DetachWhat::Never => Detaching::Never,
            crate::cli::DetachWhat::Always => Detaching::Always,
        }
    }

    /// The variables that the mapping names; on a throw-away server those that are not set get a marked placeholder.
    pub(super) fn env(&self) -> BTreeMap<String, String> {
        let mut env = inputs::env(&self.found.mapping, self.world);
        if self.manner == Manner::Rehearse {
            for name in inputs::names(&self.found.mapping) {
                env.entry(name.clone()).or_insert_with(|| format!("placeholder-for-{name}"));
            }
        }
        env
    }

    /// The variables for which a placeholder stands.
    pub(super) fn placeholders(&self) -> Vec<Warning> {
        let set = inputs::env(&self.found.mapping, self.world);
        let names = inputs::names(&self.found.mapping).into_iter();
        let unset = names.filter(|name| self.manner == Manner::Rehearse && !set.contains_key(name));
        let said = |name| {
            let message = format!("is not set; this rehearsal uses placeholder-for-{name}. The cutover needs it.");
            Warning::new(format!("env {name}"), message)
        };
        unset.map(said).collect()
    }

    /// Constants of the mapping that do not fit their columns.
    pub(super) fn constants(&self, plan: &Plan, run: Option<&Run>) -> Result<(), Vec<Refusal>> {
        if self.settings.is_none() {
            return Ok(());
        }
        let settled = self.settled(run);
        let mut refusals = migrate::owner::mistakes(plan, &settled);
        for refusal in read_ahead::prepare(plan, &settled).err().into_iter().flatten().map(|r| plan.blame(r)) {
            if !refusals.contains(&refusal) {
                refusals.push(refusal);
            }
        }
        if refusals.is_empty() { Ok(()) } else { Err(refusals) }
    }

    pub(super) fn settled(&self, run: Option<&Run>) -> Settled {
        let now = run.map_or(self.world.now_micros(), |r| r.judged.now);
        let shifts = run.map(|r| r.judged.shifts.clone()).unwrap_or_default();
        Settled { now, owner: None, shifts, env: self.env() }
    }

    /// What is settled before anything is written, the shifts of ids among it: the run's, or those that it would have. Rows
    /// that would become somebody else's are refused here; ids in text that go stale are warned of.
    pub(super) fn settled_on(
        &self,
        session: &mut Session,
        Planned { source, plan, target }: Planned<'_>,
        run: Option<&Run>,
    ) -> Result<(Settled, Vec<Warning>), Stop> {
        let mut settled = self.settled(run);
        if run.is_none() {
            settled.shifts = migrate::preflight::id_offset::choose(session, plan, source, target)?;
            let mistaken = migrate::preflight::id_collisions::find(session, plan, target, source, &settled)?;
            if !mistaken.is_empty() {
                return Err(Stop::Refused(mistaken));
            }
        }
        let stale = migrate::preflight::ids_in_text::find(plan, source, &settled)?;
        Ok((settled, stale))
    }

    /// What SQLite says of the mapping's SQL.
    pub(super) fn sql_facts(
        &self,
        source: &Source,
        mapping: &Mapping,
        inputs: &Inputs<'_>,
    ) -> Result<BTreeMap<String, SqlFacts>, Failure> {
        let reader = source.reader().map_err(Failure::refused)?;
        let mut facts = BTreeMap::new();
        for (load, select) in plan::selects(mapping, inputs) {
            let checked = reader.check(&select).and_then(|columns| Ok((columns, reader.columns_read(&select)?)));
            let found = match checked {
                Ok((columns, reads)) => SqlFacts { columns, reads, mistake: None },
                Err(e) => SqlFacts { mistake: Some((e.expr, e.to_string())), ..SqlFacts::default() },
            };
            facts.insert(load, found);
        }
        Ok(facts)
    }
}

/// By table and SQL: the type of an expression over the table, or why it has none.
type Expressions = BTreeMap<(String, String), Result<ColumnType, String>>;

/// What the target makes of the lookups' expressions.
fn expressions(session: &mut Session, mapping: &Mapping, target: &TargetSchema) -> Result<Expressions, ServerError> {
    let mut found = BTreeMap::new();
    for (table, sql) in plan::expressions(mapping, target) {
        let kind = session.expression_type(&target.schema, &table, &sql)?;
        found.insert((table, sql), kind);
    }
    Ok(found)
}
