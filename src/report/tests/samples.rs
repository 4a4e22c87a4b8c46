//! One literal report for each way a command can end. The golden files are made of these.
//!
//! Numbers follow the personal_finance fixture where there is one; nothing here is read from a database.

use std::collections::BTreeMap;

use super::parts::*;
use crate::model::cell::StorageClass;
use crate::model::fault::{Fault, Reason};
use crate::model::key::Key;
use crate::model::record::*;

/// Every sample with the name of its golden files.
pub fn all() -> Vec<(&'static str, Vec<Report>)> {
    vec![
        ("done", vec![done()]),
        ("dry_run_ready", vec![dry_run_ready()]),
        ("dry_run_faults", vec![dry_run_faults()]),
        ("refused", vec![refused()]),
        ("stopped", vec![stopped()]),
        ("differs", vec![differs()]),
        ("quarantined", vec![quarantined()]),
        ("verify", vec![verify()]),
        ("fleet", vec![fleet()]),
        ("rehearse", vec![rehearse(), rehearse_refused()]),
    ]
}

/// A cutover as it should end.
pub fn done() -> Report {
    Report {
        run: Some("0b9f6c52-3a17-4e0e-9a51-7f1d7d2f4c11".to_owned()),
        owner: owner(true),
        loads: loads(),
        state: RunState::Done,
        left: left(),
        not_tables: vec![NotTable { name: "monthly_summary".into(), kind: "view".into() }],
        owners: owners(),
        sequences: sequences(),
        losses: losses(),
        detached: ["transactions_pkey", "debt_payments_pkey"]
            .map(|o| DetachedRecord { object: o.into(), table: "public.x".into(), back: true })
            .to_vec(),
        warnings: vec![Warning::new(
            "target",
            "sslmode=require encrypts and verifies no server. Use verify-full with sslrootcert to know the server",
        )],
        checks: checks(),
        steps: steps(&[
            (StepKind::Preflight, 0.25),
            (StepKind::Load, 0.875),
            (StepKind::Sequences, 0.03125),
            (StepKind::Verify, 0.5),
        ]),
        timeline: timeline(),
        ..base(CommandKind::Migrate, 0, "Done")
    }
}

fn planned(mut report: Report) -> Report {
    report.dry_run = true;
    report.state = RunState::Planned;
    report.run = None;
    report.detached.clear();
    report.checks.clear();
    for load in &mut report.loads {
        load.state = LoadState::Planned;
        load.written = 0;
    }
    if let Some(owner) = &mut report.owner {
        owner.key = None;
        owner.made = false;
    }
    report.sequences.clear();
    report.steps = steps(&[(StepKind::Preflight, 0.25)]);
    report.timeline.clear();
    report
}

/// A dry run without a target.
pub fn dry_run_ready() -> Report {
    let mut report = planned(done());
    report.target = None;
    report.warnings.clear();
    report.checks = vec![
        Check::not_checked(CheckKind::Constraints, None, "no target was named"),
        Check::not_checked(CheckKind::Others, None, "no target was named"),
    ];
    report
}

fn fault(load: &str, rowid: i64, column: &str, reason: Reason, children: u64) -> FaultRecord {
    let fault = Fault {
        column: Some(column.to_owned()),
        declared: Some("DECIMAL(10,2)".to_owned()),
        class: Some(StorageClass::Text),
        bytes: Some(3),
        target_type: Some("numeric(10,2)".to_owned()),
        ..Fault::of(load, &Key::rowid(rowid), reason)
    };
    FaultRecord::of(&fault, &format!("public.{load}"), children, false)
}

fn faults() -> Vec<FaultRecord> {
    let row = Fault {
        detail: Some("budget_templates_amount_check".to_owned()),
        ..Fault::of("budget_templates", &Key::rowid(9), Reason::CheckFailed)
    };
    vec![
        fault("transactions", 4711, "amount", Reason::NotANumber, 0),
        fault("transactions", 4712, "amount", Reason::NotANumber, 2),
        fault("transactions", 6001, "amount", Reason::PrecisionOverflow, 0),
        FaultRecord::of(&row, "public.budget_templates", 0, false),
    ]
}

/// A dry run that found rows that cannot go.
pub fn dry_run_faults() -> Report {
    let mut report = planned(done());
    report.exit = ExitRecord { code: 3, name: "Refused".to_owned() };
    report.losses.clear();
    report.warnings.clear();
    report.faults = faults();
    report.fault_total = 1_204;
    report.loads[0].faults = 1_203;
    report.loads[1].faults = 1;
    report
}

/// A run that was refused before a row was read; its loads are known by name.
pub fn refused() -> Report {
    let mut report = planned(done());
    // What was planned is in the record; a reader who is refused has no use for it.
    report = Report { dry_run: false, exit: ExitRecord { code: 3, name: "Refused".to_owned() }, ..report };
    report.warnings.clear();
    report.loads.iter_mut().for_each(|l| l.read = 0);
    report.refusals = vec![
        Refusal::new(
            "load.transactions.columns.amount",
            "the source has no column `amuont`; the nearest is `amount`",
            "Say from = \"amount\"",
        ),
        Refusal::new(
            "table public.users",
            "the target's `password_hash` is NOT NULL, has no default and nothing feeds it",
            "Feed it, or say if_null = ... in [owner].create",
        ),
        Refusal::new(
            "leave",
            "the source's table `debt_charges` is taken by no load",
            "Write debt_charges = \"why\" under [leave], or add [load.debt_charges].",
        ),
    ];
    report
}

/// A run that was interrupted in its largest table.
pub fn stopped() -> Report {
    let mut report = done();
    report.exit = ExitRecord { code: 4, name: "Stopped".to_owned() };
    report.state = RunState::Stopped;
    report.loads[0].state = LoadState::Partial;
    report.loads[0].written = 4_000;
    for load in &mut report.loads[1..] {
        load.state = LoadState::Planned;
        load.written = 0;
        load.seconds = 0.0;
    }
    report.detached[0].back = false;
    report.retries =
        vec![RetryRecord { at: 1.25, why: "57P01".into() }, RetryRecord { at: 2.5, why: "connection refused".into() }];
    report.losses.clear();
    report.owners.clear();
    report.sequences.clear();
    report.checks.clear();
    report.steps.truncate(2);
    report
}

/// A run whose proof failed.
pub fn differs() -> Report {
    let mut report = done();
    report.exit = ExitRecord { code: 5, name: "Differs".to_owned() };
    let at = report.checks.iter().position(|c| c.check == CheckKind::Content).unwrap_or(0);
    report.checks[at] = Check::compared(
        CheckKind::Content,
        Some("transactions"),
        "8d3f0c5a71b2e946".to_owned(),
        "17c2b9e0a4f3d581".to_owned(),
    );
    report.checks[at].why =
        Some("2 rows changed: id 17 in amount, id 4711 in created_at; 1 row missing: id 90".to_owned());
    report.checks[at].differences = [("id=17", Some("amount")), ("id=4711", Some("created_at")), ("id=90", None)]
        .map(|(key, column)| DifferingRow {
            difference: if column.is_some() { Difference::Changed } else { Difference::Missing },
            key: key.to_owned(),
            column: column.map(str::to_owned),
            expected: None,
            found: None,
        })
        .to_vec();
    report.sequences[0].next = Some(7000);
    report.sequences[0].verdict = Verdict::Differs;
    for check in &mut report.checks {
        if check.load.as_deref() == Some("public.transactions_id_seq") {
            *check = Check::compared(
                CheckKind::Sequences,
                Some("public.transactions_id_seq"),
                "above 7232".into(),
                "7000".into(),
            );
        }
    }
    report.checks.push(Check::not_checked(CheckKind::Others, None, "others wrote to the target during the run"));
    report
}

/// A run that quarantined rows, into a target with lookups and several owners.
pub fn quarantined() -> Report {
    let mut report = done();
    report.exit = ExitRecord { code: 6, name: "Quarantined".to_owned() };
    report.faults = faults();
    report.fault_total = 4;
    report.loads[0].faults = 3;
    report.loads[0].written = 7_149;
    report.loads[1].faults = 1;
    report.loads[1].written = 17;
    report.loads[1].target = "public.budget_plans".to_owned();
    report.loads[5].skipped = 1;
    report.loads[5].written = 2;
    report.loads[6].state = LoadState::NotEmpty;
    report.loads[6].written = 0;
    report.lookups = vec![LookupRecord {
        load: "transactions".into(),
        column: "user_id".into(),
        steps: vec![
            LookupStep { target: "lower(email)".into(), hits: 12 },
            LookupStep { target: "split_part(email, '@', 1)".into(), hits: 7_100 },
        ],
        ambiguous: 1,
        missing: 3,
        set_aside: 0,
        quiet: false,
        missing_values: Some(2),
        values: Some(vec!["Cata".into(), "cata ".into()]),
    }];
    report.existing = vec![HeldRecord {
        table: "public.category_seeds".into(),
        rows: 13,
        treatment: "leave".into(),
        equal: None,
        kept: None,
        written_over: None,
    }];
    report.owners = many_owners();
    report.checks.push(Check::not_checked(
        CheckKind::Content,
        Some("user_owners"),
        "user_id: was looked up, and the looked-up table has changed since",
    ));
    report
}

/// More owners than any form lists.
fn many_owners() -> Vec<OwnerRows> {
    let mut owners: Vec<OwnerRows> = (0..112u64)
        .map(|n| OwnerRows {
            owner: Some(format!("person-{n:03}@example.com")),
            rows: BTreeMap::from([("transactions".to_owned(), 500 - 4 * n), ("user_owners".to_owned(), n % 3)]),
        })
        .collect();
    owners.push(OwnerRows { owner: None, rows: BTreeMap::from([("category_seeds".to_owned(), 13)]) });
    owners
}

/// Source and target compared again, days later.
pub fn verify() -> Report {
    let report = done();
    Report {
        run: report.run,
        owner: owner(false),
        loads: report.loads,
        state: RunState::Done,
        owners: report.owners,
        sequences: report.sequences,
        checks: report.checks,
        steps: steps(&[(StepKind::Verify, 0.625)]),
        ..base(CommandKind::Verify, 0, "Done")
    }
}

/// A fleet with a file that does not fit, and one whose server did not answer.
pub fn fleet() -> Report {
    let file = |path: &str, state: &str, reason: &str| UnfinishedFile {
        path: path.to_owned(),
        state: state.to_owned(),
        reason: reason.to_owned(),
    };
    let slow = |path: &str, rows: u64| SlowFile { path: path.to_owned(), rows, seconds: 0.25 };
    let scale = "load.tx.columns.amount: the value has more decimals than the column (row 5). \
                 `migrate --dry-run -s tenants/ann.db --owner username=ann` lists its rows";
    let record = FleetRecord {
        files: 1_002,
        done: 1_000,
        quarantined: 1,
        failed: 1,
        begun: 1,
        here: 400,
        per_second: Some(118.0),
        unfinished: vec![
            file("tenants/ann.db", "quarantined", scale),
            file(
                "tenants/a_user_whose_name_is_longer_than_most/main.sqlite3",
                "failed",
                "the server closed the connection",
            ),
        ],
        slowest: vec![slow("tenants/bob.db", 7_152), slow("tenants/cid.db", 3)],
        ..FleetRecord::default()
    };
    Report {
        source: SourceRecord::default(),
        run: Some("1".to_owned()),
        loads: vec![load("acc", "", 3_000, 0.25), load("tx", "", 60_000, 0.25)],
        state: RunState::Done,
        checks: vec![same(CheckKind::Rows, None, "public.acc, public.tx, public.users")],
        steps: steps(&[(StepKind::Load, 8.5), (StepKind::Verify, 0.5)]),
        fleet: Some(record),
        ..base(CommandKind::Fleet, 6, "Quarantined")
    }
}

/// A rehearsal that went well.
pub fn rehearse() -> Report {
    Report { command: CommandKind::Rehearse, target: Some("embedded PostgreSQL 17.5".to_owned()), ..done() }
}

/// One that did not begin, with names that no table was made for.
pub fn rehearse_refused() -> Report {
    let place = "load.<script>alert('x')</script>|`pipe`.columns.税務署の口座番号の一覧表_and_one_more_very_long_name_without_any_blank";
    let mut report = base(CommandKind::Rehearse, 3, "Refused");
    report.mapping = "grant_finder \u{1b}[31m& more".to_owned();
    report.target = None;
    report.refusals = vec![Refusal::new(place, "it & its \"parent\" are *not* there\nat all", "")];
    report
}
