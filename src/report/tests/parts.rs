//! The parts that the samples share: loads, owners, sequences, checks of one small migration.

use std::collections::BTreeMap;

use crate::model::record::*;

pub const LOADS: [(&str, &str, u64); 7] = [
    ("transactions", "stamped", 7_152),
    ("budget_templates", "stamped", 18),
    ("budget_subcategory_templates", "stamped", 26),
    ("monthly_budgets", "stamped", 0),
    ("debt_payments", "stamped", 85),
    ("user_owners", "stamped", 3),
    ("category_seeds", "shared", 13),
];

pub fn base(command: CommandKind, code: i32, name: &str) -> Report {
    Report {
        exit: ExitRecord { code, name: name.to_owned() },
        source: SourceRecord {
            path: "fixtures/personal_finance/source.sql".to_owned(),
            bytes: 1_093_632,
            stamp: "sha256:5f2b8a0c94e1".to_owned(),
        },
        target: Some("db.example.com:5432/finance".to_owned()),
        arguments: ["-m", "mappings/personal_finance.toml", "-t", "$DATABASE_URL"].map(str::to_owned).to_vec(),
        ..Report::new(command, "personal_finance")
    }
}

pub fn load(name: &str, class: &str, rows: u64, started: f64) -> LoadRecord {
    LoadRecord {
        load: name.to_owned(),
        source: name.to_owned(),
        target: format!("public.{name}"),
        read: rows,
        class: class.to_owned(),
        state: LoadState::Loaded,
        written: rows,
        faults: 0,
        skipped: 0,
        lanes: if rows > 1_000 { 2 } else { 1 },
        started,
        seconds: (rows * 15 + 7_812) as f64 / 1e6,
    }
}

pub fn loads() -> Vec<LoadRecord> {
    let mut loads: Vec<LoadRecord> = LOADS
        .iter()
        .enumerate()
        .map(|(at, (name, class, rows))| load(name, class, *rows, 0.25 + at as f64 / 8.0))
        .collect();
    loads[5].source = "sql".to_owned();
    loads[6].source = "rows".to_owned();
    loads
}

pub fn owner(made: bool) -> Option<OwnerRecord> {
    let natural = BTreeMap::from([("username".to_owned(), "suricata".to_owned())]);
    Some(OwnerRecord { table: "users".to_owned(), natural, key: Some("1".to_owned()), made })
}

pub fn owners() -> Vec<OwnerRows> {
    let rows = LOADS.iter().filter(|l| l.1 == "stamped" && l.2 > 0).map(|l| (l.0.to_owned(), l.2)).collect();
    vec![
        OwnerRows { owner: Some("suricata".to_owned()), rows },
        OwnerRows { owner: None, rows: BTreeMap::from([("category_seeds".to_owned(), 13)]) },
    ]
}

pub fn sequence(table: &str, max: Option<i64>, next: i64) -> SequenceRecord {
    SequenceRecord {
        sequence: format!("public.{table}_id_seq"),
        column: format!("{table}.id"),
        by: NumberedBy::Column,
        max,
        next: Some(next),
        verdict: Verdict::Same,
    }
}

pub fn sequences() -> Vec<SequenceRecord> {
    vec![
        sequence("transactions", Some(7226), 7233),
        sequence("budget_subcategory_templates", Some(26), 27),
        sequence("monthly_budgets", None, 1),
    ]
}

/// Steps that ran one after the other.
pub fn steps(all: &[(StepKind, f64)]) -> Vec<StepRecord> {
    let mut started = 0.0625;
    let mut next = |step, seconds| {
        let record = StepRecord { step, started, seconds };
        started += seconds;
        record
    };
    all.iter().map(|(step, seconds)| next(*step, *seconds)).collect()
}

/// Two lanes that shared the load.
pub fn timeline() -> Vec<LaneSpan> {
    let span = |lane, load: &str, started, seconds| LaneSpan { lane, load: load.to_owned(), started, seconds };
    vec![
        span(1, "transactions", 0.3125, 0.75),
        span(2, "transactions", 0.3125, 0.5),
        span(2, "budget_templates", 0.8125, 0.125),
        span(2, "debt_payments", 0.9375, 0.125),
    ]
}

pub fn same(check: CheckKind, load: Option<&str>, text: &str) -> Check {
    Check::compared(check, load, text.to_owned(), text.to_owned())
}

pub fn checks() -> Vec<Check> {
    let mut checks: Vec<Check> = LOADS.iter().map(|l| same(CheckKind::Rows, Some(l.0), &l.2.to_string())).collect();
    checks.extend(LOADS.iter().map(|l| same(CheckKind::Content, Some(l.0), "8d3f0c5a71b2e946")));
    checks.extend(sequences().iter().map(|s| same(CheckKind::Sequences, Some(&s.sequence), "past every value")));
    checks.push(same(CheckKind::Constraints, None, "valid"));
    checks.push(same(CheckKind::Owners, None, "2 owners"));
    checks.push(same(CheckKind::Source, None, "sha256:5f2b8a0c94e1"));
    checks
}

pub fn left() -> Vec<LeftRecord> {
    let why = "merged into `notes` by the old application; its own column is no longer read by anything";
    vec![
        LeftRecord {
            table: "debt_charges".into(),
            column: None,
            rows: Some(3),
            reason: "no table on the target".into(),
        },
        LeftRecord {
            table: "debt_payments".into(),
            column: Some("debt_charge_id".into()),
            rows: Some(2),
            reason: why.into(),
        },
    ]
}

pub fn losses() -> Vec<LossRecord> {
    let loss = |column: &str, modifier: &str, count, keys: &[&str]| LossRecord {
        load: "transactions".to_owned(),
        column: column.to_owned(),
        modifier: modifier.to_owned(),
        count,
        keys: keys.iter().map(|k| (*k).to_owned()).collect(),
    };
    vec![
        loss("amount", "if_bad", 1, &["4711"]),
        loss("amount", "round", 12, &["17", "18", "90", "204", "377", "380"]),
        loss("amount", "float-noise", 240, &["3", "5", "8"]),
    ]
}
