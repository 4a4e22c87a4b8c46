//! Reports compared whole with files under `tests/golden/report`, made from literal records.
//!
//! After a wanted change: `MIGRATE_GOLDEN=write cargo test --lib report`, then read the difference before committing.

mod accessible;
mod files;
mod hostile;
mod parts;
mod samples;
mod strict;

use std::path::PathBuf;

use super::*;
use crate::text::width;

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/report").join(name)
}

/// The page without its style sheet, which is the same in every page.
fn without_style(page: &str) -> String {
    match (page.find("<style>"), page.find("</style>")) {
        (Some(from), Some(to)) => format!("{}{}", &page[..from + "<style>".len()], &page[to..]),
        _ => page.to_owned(),
    }
}

/// Compares with the golden file; says where the first line differs, since whole reports are long.
fn assert_golden(name: &str, found: &str) {
    let path = golden(name);
    if std::env::var_os("MIGRATE_GOLDEN").is_some_and(|v| v == "write") {
        std::fs::write(&path, found).expect("golden file written");
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    if expected != found {
        let lines = expected.lines().chain([""; 1]).zip(found.lines().chain([""; 1]));
        let (at, (old, new)) = lines.enumerate().find(|(_, (a, b))| a != b).unwrap_or((0, ("", "")));
        panic!("{name}, line {}:\n  expected: {old}\n  found:    {new}", at + 1);
    }
}

#[test]
fn every_ending_in_every_form_is_its_golden_file() {
    for (name, reports) in samples::all() {
        assert_golden(&format!("{name}.txt"), &terminal(&reports, Style { colour: false, width: 100, all: false }));
        for format in &FORMATS {
            let text = (format.render)(&reports).expect("rendered");
            assert_golden(&format!("{name}.{}", format.ending), &without_style(&text));
        }
    }
}

/// Every command with every exit, in one file to read through.
#[test]
fn every_command_and_exit_has_a_sentence() {
    use crate::model::record::{CommandKind, ExitRecord, RunState};
    let exits = [
        (0, "Done", RunState::Done),
        (6, "Quarantined", RunState::Done),
        (5, "Differs", RunState::Done),
        (4, "Stopped", RunState::Stopped),
        (130, "Interrupted", RunState::Planned),
        (130, "Interrupted", RunState::Stopped),
        (3, "Refused", RunState::Planned),
        (3, "Refused", RunState::Stopped),
        (2, "Usage", RunState::Planned),
        (1, "Bug", RunState::Planned),
        (1, "Bug", RunState::Stopped),
    ];
    let mut text = String::new();
    for (command, dry_run) in [
        (CommandKind::Migrate, false),
        (CommandKind::Migrate, true),
        (CommandKind::Rehearse, false),
        (CommandKind::Verify, false),
        (CommandKind::Rollback, false),
    ] {
        text.push_str(&format!("{}{}\n", command.word(), if dry_run { " --dry-run" } else { "" }));
        for (code, name, state) in exits {
            let mut report = Report { dry_run, command, state, ..samples::done() };
            report.exit = ExitRecord { code, name: name.to_owned() };
            report.fault_total = u64::from(code == 6) * 2;
            let headline = headline::headline(&report);
            text.push_str(&format!("  {code} {state:?}: {}. {}\n", headline.label, headline.sentence));
        }
    }
    assert_golden("headlines.txt", &text);
}

#[test]
fn a_report_without_ledger_names_no_number_of_rows() {
    use crate::model::record::{ExitRecord, RunState};
    let exit = ExitRecord { code: 4, name: "Stopped".to_owned() };
    let report = Report { loads: Vec::new(), state: RunState::Stopped, exit, ..samples::done() };
    let sentence = headline::headline(&report).sentence;
    assert!(sentence.contains("their number could not be read. The same command resumes"), "{sentence}");
}

#[test]
fn every_golden_file_belongs_to_a_sample() {
    let names = samples::all().into_iter().map(|(name, _)| name.to_owned());
    let known: Vec<String> = names.chain(["headlines".to_owned()]).collect();
    for file in std::fs::read_dir(golden("")).expect("golden folder") {
        let path = file.expect("entry").path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        assert!(known.contains(&stem), "{} belongs to no sample", path.display());
    }
}

/// The text without the escapes that [`super::table::Paint`] writes.
fn uncoloured(text: &str) -> String {
    let mut out = String::new();
    for (at, piece) in text.split("\u{1b}[").enumerate() {
        out.push_str(if at == 0 { piece } else { piece.split_once('m').map_or(piece, |(_, rest)| rest) });
    }
    out
}

#[test]
fn terminal_lines_fit_and_end_without_blanks() {
    for (name, reports) in samples::all() {
        for most in [40, 60, 80, 100, 200] {
            let text = terminal(&reports, Style { colour: false, width: most, all: false });
            for line in text.lines() {
                assert!(width(line) <= most.min(100), "{name} at {most}: {line}");
                assert_eq!(line, line.trim_end(), "{name} at {most}");
            }
        }
    }
}

#[test]
fn terminal_numbers_are_never_cut() {
    let mut report = samples::done();
    report.loads[0].read = u64::MAX / 4;
    report.loads[0].written = u64::MAX / 4;
    let text = terminal(&[report], Style { colour: false, width: 100, all: false });
    assert!(text.lines().all(|line| width(line) <= 100));
    assert!(text.contains("4,611,686,018,427,387,903"));
}

#[test]
fn colour_changes_nothing_but_colour() {
    for (name, reports) in samples::all() {
        let plain = terminal(&reports, Style { colour: false, width: 100, all: false });
        let coloured = terminal(&reports, Style { colour: true, width: 100, all: false });
        assert!(!plain.contains('\u{1b}'), "{name}: an escape in plain text");
        assert!(coloured.contains('\u{1b}'), "{name}");
        assert_eq!(uncoloured(&coloured), plain, "{name}");
    }
}

#[test]
fn a_report_ends_with_the_verdict_the_exit_and_the_next_command() {
    for (name, reports) in samples::all() {
        let text = terminal(&reports, Style { colour: false, width: 100, all: false });
        let end = text.trim_end().rsplit("\n\n").next().unwrap_or_default().replace('\n', " ");
        assert!(end.contains("(exit "), "{name}: {end}");
        if reports.len() == 1 {
            assert!(end.starts_with(&super::headline::headline(&reports[0]).label), "{name}: {end}");
            assert!(end.contains(" Next: ") && end.contains("  migrate "), "{name}: {end}");
        }
    }
}

#[test]
fn a_clean_run_of_any_size_fits_a_screen() {
    let mut report = samples::done();
    let names =
        (0..200u64).map(|n| parts::load(&format!("a_table_of_the_application_{n}"), "stamped", n % 90 * 7, 0.5));
    report.loads = names.collect();
    report.losses.clear();
    report.warnings.clear();
    report.left.clear();
    report.owners.retain(|owner| owner.owner.is_some());
    let brief = terminal(&[report.clone()], Style { colour: false, width: 80, all: false });
    assert!(brief.lines().count() <= 24, "{brief}");
    // Nothing is lost by it: -v has a line for each, and the sums are the same.
    let words = brief.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("And 192 more loads with ") && words.contains("3 loads without rows; -v lists each."),
        "{brief}"
    );
    let whole = terminal(&[report], Style { colour: false, width: 120, all: true });
    assert_eq!(whole.matches("a_table_of_the_application_").count(), 200);
    let sum = |text: &str| {
        text.lines()
            .find(|l| l.starts_with("  200 loads"))
            .map(|l| l.split_whitespace().take(4).collect::<Vec<_>>().join(" "))
    };
    assert!(sum(&brief).is_some() && sum(&brief) == sum(&whole), "{brief}\n{whole}");
}

#[test]
fn a_load_with_a_finding_is_never_folded() {
    let mut report = samples::done();
    report.loads = (0..60u64).map(|n| parts::load(&format!("t{n}"), "stamped", 1_000 + n, 0.5)).collect();
    (report.loads[1].faults, report.loads[2].skipped) = (3, 1);
    report.loads[3].state = crate::model::record::LoadState::Partial;
    report.loads[4].state = crate::model::record::LoadState::NotEmpty;
    let text = terminal(&[report], Style { colour: false, width: 80, all: false });
    for name in ["t1", "t2", "t3", "t4", "t59", "t58", "t57", "t56", "t55"] {
        assert!(text.lines().any(|line| line.starts_with(&format!("  {name} "))), "{name} is not in\n{text}");
    }
    assert!(text.contains("And 51 more loads"), "{text}");
}

#[test]
fn a_name_is_broken_and_never_cut() {
    let name = "a_schema_of_the_application.a_table_with_a_long_name_of_sixty_three_characters_in_all_places";
    let mut report = samples::quarantined();
    report.loads[0].load = name.to_owned();
    for most in [40, 60, 80, 100] {
        let text = terminal(&[report.clone()], Style { colour: false, width: most, all: true });
        assert!(!text.contains('…'), "{most}:\n{text}");
        // The lines of the name's column, without the other columns.
        let pieces: Vec<&str> = name.split_inclusive(['.', '_']).collect();
        assert!(pieces.iter().all(|piece| text.contains(piece)), "{most}:\n{text}");
    }
}

#[test]
fn the_next_command_is_quoted_for_a_shell_and_holds_no_secret() {
    let mut report = samples::done();
    let arguments = ["-m", "my mapping's.toml", "-t", "$DATABASE_URL", "--owner", "name=O'Neill", "-s", "$HOME"];
    report.arguments = arguments.map(str::to_owned).to_vec();
    let command = next::next(&report).command();
    let quoted = r#"migrate verify -m 'my mapping'\''s.toml' -t "$DATABASE_URL" --owner 'name=O'\''Neill' -s '$HOME'"#;
    assert_eq!(command, quoted);
}

#[test]
fn a_refused_run_shows_refusals_and_no_table() {
    let reports = [samples::refused()];
    let forms = [
        terminal(&reports, Style { colour: false, width: 100, all: false }),
        markdown::render(&reports),
        html::render(&reports),
    ];
    for text in forms {
        assert!(text.contains("nothing was written"), "{text}");
        assert!(!text.contains("monthly_budgets") && !text.contains("<table") && !text.contains("| ---"), "{text}");
    }
}

#[test]
fn a_record_that_contradicts_itself_has_the_worse_verdict() {
    let mut report = samples::done();
    report.sequences[0].verdict = crate::model::record::Verdict::Differs;
    let mut off = samples::done();
    off.detached[0].back = false;
    for report in [report, off] {
        let text = terminal(&[report], Style { colour: false, width: 100, all: false });
        assert!(text.contains("\nDiffers. 1 check found a difference: "), "{text}");
    }
}

#[test]
fn a_run_whose_contents_were_not_compared_is_not_called_verified() {
    let mut report = samples::done();
    report.checks.retain(|c| c.check != crate::model::record::CheckKind::Content);
    let text = terminal(&[report], Style { colour: false, width: 100, all: false });
    assert!(text.contains("\nDone, contents not compared. ") && !text.contains("verified"), "{text}");
}

/// Changes every text of a report that people read, and nothing else: each message is replaced by capitals.
fn reworded(report: &Report) -> Report {
    let mut report = report.clone();
    let reword = |text: &mut String| *text = format!("REWORDED {}", text.len());
    for warning in &mut report.warnings {
        reword(&mut warning.message);
    }
    for check in &mut report.checks {
        check.why.iter_mut().chain(&mut check.expected).chain(&mut check.found).for_each(reword);
    }
    for refusal in &mut report.refusals {
        reword(&mut refusal.reason);
        reword(&mut refusal.advice);
    }
    report.faults.iter_mut().for_each(|fault| reword(&mut fault.message));
    report.retries.iter_mut().for_each(|retry| reword(&mut retry.why));
    report.left.iter_mut().for_each(|left| reword(&mut left.reason));
    report
}

#[test]
fn no_wording_decides_the_verdict_the_items_or_the_sections() {
    let mut rolled_back = Report { command: crate::model::record::CommandKind::Rollback, ..samples::done() };
    rolled_back.warnings.push(crate::model::record::Warning::stays("owner", "other rows refer to it"));
    let stays = headline::headline(&rolled_back).sentence;
    assert!(stays.contains("Still there: owner"), "{stays}");
    let all = samples::all().into_iter().flat_map(|(_, reports)| reports);
    for report in all.chain([rolled_back]) {
        let other = reworded(&report);
        assert_ne!(report, other);
        assert_eq!(headline::headline(&report), headline::headline(&other));
        assert_eq!(summary::ended(&report), summary::ended(&other));
        assert_eq!(summary::Proof::of(&report), summary::Proof::of(&other));
        assert_eq!(action_items::items(&report), action_items::items(&other));
        let ids = |report: &Report| sections::document(report).iter().map(|s| s.id).collect::<Vec<_>>();
        assert_eq!(ids(&report), ids(&other));
    }
}
