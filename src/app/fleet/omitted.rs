//! Everything of the files that is not in the target as they have it, in the report.

use crate::migrate::fleet::sums::OmittedSums;
use crate::model::record::{LeftRecord, Report, Warning, WarningKind};
use crate::plan::Plan;
use crate::text::count;

use super::super::record;

/// Records it. Without a plan, lookups are left out and the reasons of the mapping are not repeated.
pub fn record(report: &mut Report, plan: Option<&Plan>, omitted: &OmittedSums) {
    for (load, sums) in &omitted.loads {
        record::losses(report, load, sums);
    }
    for load in plan.iter().flat_map(|plan| &plan.loads) {
        if let Some(sums) = omitted.loads.get(&load.name) {
            record::lookups(report, load, sums, true);
        }
    }
    left(report, plan, omitted);
    for (path, texts) in &omitted.misread {
        let message = format!("SQLite reads {} otherwise than stored", count(texts.texts, "text", "texts"));
        report.warnings.push(misread(format!("{path}: {}", texts.place), message, texts.texts));
    }
    if omitted.other_misread > 0 {
        let other = count(omitted.other_misread, "text", "texts");
        let message = format!("SQLite reads {other} of other files otherwise than stored");
        report.warnings.push(misread("files".to_owned(), message, omitted.other_misread));
    }
}

fn misread(place: String, message: String, texts: u64) -> Warning {
    Warning { kind: WarningKind::Misread(texts), ..Warning::new(place, message) }
}

fn left(report: &mut Report, plan: Option<&Plan>, omitted: &OmittedSums) {
    let planned = |table: &str, column: &Option<String>| {
        let mut left = plan.iter().flat_map(|plan| &plan.left);
        left.find(|left| left.table == table && left.column == *column).map(|left| left.reason.clone())
    };
    for left in &omitted.left {
        let reason = match &left.load {
            Some(load) => format!("the SQL of load.{load} leaves them out"),
            None => planned(&left.table, &left.column).unwrap_or_else(|| "the mapping leaves them".to_owned()),
        };
        let (table, column) = (left.table.clone(), left.column.clone());
        report.left.push(LeftRecord { table, column, rows: Some(left.rows), reason });
    }
}
