//! Constructors for the parts of a report.

use std::fmt;

use super::{
    Activity, Check, CheckKind, CommandKind, ExitRecord, FaultRecord, Refusal, Report, RunState, SourceRecord, Verdict,
    Warning, WarningKind,
};
use crate::model::fault::Fault;

impl Report {
    /// A report of nothing yet.
    pub fn new(command: CommandKind, mapping: &str) -> Report {
        Report {
            format: 1,
            command,
            dry_run: false,
            mapping: mapping.to_owned(),
            run: None,
            exit: ExitRecord { code: 1, name: "Bug".to_owned() },
            source: SourceRecord::default(),
            target: None,
            owner: None,
            loads: Vec::new(),
            state: RunState::Planned,
            left: Vec::new(),
            not_tables: Vec::new(),
            owners: Vec::new(),
            sequences: Vec::new(),
            lookups: Vec::new(),
            existing: Vec::new(),
            losses: Vec::new(),
            faults: Vec::new(),
            fault_total: 0,
            detached: Vec::new(),
            retries: Vec::new(),
            warnings: Vec::new(),
            checks: Vec::new(),
            refusals: Vec::new(),
            steps: Vec::new(),
            forecast: None,
            fleet: None,
            timeline: Vec::new(),
            arguments: Vec::new(),
        }
    }

    /// The purpose of the command.
    pub fn activity(&self) -> Activity {
        match self.command {
            CommandKind::Rehearse => Activity::Rehearsal,
            CommandKind::Verify | CommandKind::FleetVerify => Activity::Verification,
            CommandKind::Rollback | CommandKind::FleetRollback => Activity::Rollback,
            CommandKind::Init | CommandKind::Schema => Activity::DryRun,
            _ if self.dry_run => Activity::DryRun,
            CommandKind::Migrate
            | CommandKind::Fleet
            | CommandKind::FleetStatus
            | CommandKind::Plan
            | CommandKind::Status
            | CommandKind::Forget => Activity::Cutover,
        }
    }
}

impl Warning {
    /// Something to know.
    pub fn new(place: impl Into<String>, message: impl Into<String>) -> Warning {
        Warning { place: place.into(), message: message.into(), kind: WarningKind::Note }
    }

    /// Something that a run made and that the rollback removed.
    pub fn removed(place: impl Into<String>, message: impl Into<String>) -> Warning {
        Warning { kind: WarningKind::Removed, ..Warning::new(place, message) }
    }

    /// Something that a run made and that a rollback leaves on the target.
    pub fn stays(place: impl Into<String>, why: &str) -> Warning {
        Warning { place: place.into(), message: format!("stays: {why}"), kind: WarningKind::Stays }
    }
}

impl Refusal {
    /// `place: reason. advice.` as its parts.
    pub fn new(place: impl Into<String>, reason: impl Into<String>, advice: impl Into<String>) -> Refusal {
        Refusal { place: place.into(), reason: reason.into(), advice: advice.into(), modifier: None, is_right: false }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}. {}", self.place, self.reason, self.advice)
    }
}

impl Check {
    /// A check that compared two texts.
    pub fn compared(check: CheckKind, load: Option<&str>, expected: String, found: String) -> Check {
        let verdict = if expected == found { Verdict::Same } else { Verdict::Differs };
        Check {
            check,
            load: load.map(str::to_owned),
            verdict,
            why: None,
            expected: Some(expected),
            found: Some(found),
            differences: Vec::new(),
        }
    }

    /// A check that could not be made.
    pub fn not_checked(check: CheckKind, load: Option<&str>, why: impl Into<String>) -> Check {
        Check {
            check,
            load: load.map(str::to_owned),
            verdict: Verdict::NotChecked,
            why: Some(why.into()),
            expected: None,
            found: None,
            differences: Vec::new(),
        }
    }
}

impl FaultRecord {
    /// The public form of a fault. Keys that are not rowids are values and stay out unless `show_values`.
    pub fn of(fault: &Fault, table: &str, children: u64, show_values: bool) -> FaultRecord {
        let place = fault.column.as_deref().map_or_else(String::new, |c| format!(".columns.{c}"));
        let advice = fault.reason.way_out(fault.facts);
        let stop = if advice.ends_with('.') { "" } else { "." };
        let about = fault.detail.as_deref().map_or_else(String::new, |d| format!(" ({d})"));
        FaultRecord {
            load: fault.load.clone(),
            table: table.to_owned(),
            rowid: fault.at.as_rowid(),
            key: (show_values && fault.at.as_rowid().is_none()).then(|| fault.at.to_string()),
            column: fault.column.clone(),
            declared: fault.declared.clone(),
            class: fault.class,
            bytes: fault.bytes.map(|b| b as u64),
            target_type: fault.target_type.clone(),
            reason: fault.reason,
            message: format!(
                "load.{}{place}: the {} {}{about}. Way out: {advice}{stop}",
                fault.load,
                if fault.column.is_some() { "value" } else { "row" },
                fault.reason.says(),
            ),
            children,
            constraint: fault.constraint.clone(),
        }
    }
}
