//! What a reader has to decide on before signing, the gravest first, and what to type next.
//!
//! Each point is one sentence and names the section that has the rows. No point: nothing to decide.

use super::sections::{Tone, only_refusals};
use super::summary::{Job, Proof, Totals, ended, is_loss};
use crate::exit::Exit;
use crate::model::record::{LoadState, Report};
use crate::text::{count, phrase, some_of};

/// One thing to decide on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// How grave it is.
    pub tone: Tone,
    /// The sentence.
    pub text: String,
    /// The section that shows it.
    pub section: &'static str,
}

/// Names in one sentence.
const NAMED: usize = 3;

/// What stands where there is nothing to decide.
pub const NO_POINT: &str = "Nothing: each row went as it was, nothing stayed behind, and each check was made.";

/// The title above the points; none where a report has no room for them.
pub fn points_title(report: &Report) -> Option<&'static str> {
    match (ended(report), Job::of(report)) {
        _ if only_refusals(report) => None,
        (Exit::Done | Exit::Quarantined, Job::Cutover | Job::Verify) => Some("To know before signing"),
        (Exit::Done | Exit::Quarantined, _) => Some("To know"),
        _ if points(report).is_empty() => None,
        _ => Some("To decide"),
    }
}

/// All points of a report.
pub fn points(report: &Report) -> Vec<Point> {
    if only_refusals(report) {
        return Vec::new();
    }
    let found = [
        differences(report),
        not_back(report),
        faults(report),
        losses(report),
        not_checked(report),
        lookups(report),
        left(report),
        ownerless(report),
        skipped(report),
        not_empty(report),
        warnings(report),
        retries(report),
    ];
    let mut points: Vec<Point> = found.into_iter().flatten().collect();
    points.sort_by_key(|p| match p.tone {
        Tone::Bad => 0,
        Tone::Warn => 1,
        Tone::Plain | Tone::Good => 2,
    });
    points
}

fn point(n: u64, tone: Tone, section: &'static str, text: impl FnOnce() -> String) -> Option<Point> {
    (n > 0).then(|| Point { tone, text: text(), section })
}

fn differences(report: &Report) -> Option<Point> {
    let n = Proof::of(report).differs;
    point(n, Tone::Bad, "checks", || phrase(n, "# check found a difference.", "# checks found a difference."))
}

fn not_back(report: &Report) -> Option<Point> {
    let off: Vec<&str> = report.detached.iter().filter(|d| !d.back).map(|d| d.object.as_str()).collect();
    let n = off.len() as u64;
    let one = "# object that was taken off for the load is not back";
    let many = "# objects that were taken off for the load are not back";
    // A run that can go on puts them back then; in any other the target is not what it was.
    let goes_on = matches!(ended(report), Exit::Stopped | Exit::Interrupted);
    let (tone, then) = if goes_on { (Tone::Warn, "; going on puts it back") } else { (Tone::Bad, "") };
    point(n, tone, "detached", || format!("{}{then}: {}.", phrase(n, one, many), some_of(&off, NAMED)))
}

fn faults(report: &Report) -> Option<Point> {
    let n = Totals::of(report).faults;
    let (tone, one, many) = match (ended(report), Job::of(report)) {
        (Exit::Refused | Exit::Stopped | Exit::Interrupted, _) => {
            (Tone::Bad, "# row cannot go as it is.", "# rows cannot go as they are.")
        }
        (_, Job::DryRun) => (Tone::Warn, "# row would be set aside.", "# rows would be set aside."),
        _ => (
            Tone::Warn,
            "# row was set aside and is not in the target.",
            "# rows were set aside and are not in the target.",
        ),
    };
    point(n, tone, "faults", || phrase(n, one, many))
}

fn losses(report: &Report) -> Option<Point> {
    let lost: Vec<_> = report.losses.iter().filter(|l| is_loss(l)).collect();
    let n = lost.iter().map(|l| l.count).sum();
    let places: Vec<String> = lost.iter().map(|l| format!("{}.{} by {}", l.load, l.column, l.modifier)).collect();
    let would = if report.dry_run { ("would lose", "would lose") } else { ("lost", "lost") };
    point(n, Tone::Warn, "losses", || {
        let values = count(n, "value", "values");
        format!("{values} {} something, as the mapping allows: {}.", would.0, some_of(&places, NAMED))
    })
}

fn not_checked(report: &Report) -> Option<Point> {
    let n = Proof::of(report).not_checked;
    point(n, Tone::Warn, "checks", || phrase(n, "# check was not made.", "# checks were not made."))
}

fn lookups(report: &Report) -> Option<Point> {
    let missing: u64 = report.lookups.iter().filter(|l| !l.quiet).map(|l| l.missing).sum();
    let ambiguous: u64 = report.lookups.iter().map(|l| l.ambiguous).sum();
    point(missing + ambiguous, Tone::Warn, "lookups", || {
        let missing = phrase(missing, "# looked-up value was not found", "# looked-up values were not found");
        format!("{missing}, {} several answers.", phrase(ambiguous, "# has", "# have"))
    })
}

fn left(report: &Report) -> Option<Point> {
    let columns = report.left.iter().filter(|l| l.column.is_some()).count() as u64;
    let tables: Vec<_> = report.left.iter().filter(|l| l.column.is_none()).collect();
    let rows = tables.iter().map(|l| l.rows).sum();
    let mut parts = Vec::new();
    if !tables.is_empty() {
        let tables = count(tables.len() as u64, "table", "tables");
        parts.push(format!("{tables} with {}", count(rows, "row", "rows")));
    }
    if columns > 0 {
        parts.push(count(columns, "column", "columns"));
    }
    let verb = if report.dry_run { "would stay" } else { "stayed" };
    point(parts.len() as u64, Tone::Plain, "left", || format!("{} {verb} in the source.", parts.join(" and ")))
}

fn ownerless(report: &Report) -> Option<Point> {
    let n = report.owners.iter().filter(|o| o.owner.is_none()).flat_map(|o| o.rows.values()).sum();
    // Where nobody owns anything, there is nothing to decide.
    let some_owner = report.owners.iter().any(|o| o.owner.is_some());
    point(if some_owner { n } else { 0 }, Tone::Plain, "owners", || {
        phrase(n, "# row has no owner.", "# rows have no owner.")
    })
}

fn skipped(report: &Report) -> Option<Point> {
    let n = Totals::of(report).skipped;
    let one = "# row was skipped, since its key was there already.";
    point(n, Tone::Plain, "loads", || phrase(n, one, "# rows were skipped, since their keys were there already."))
}

fn not_empty(report: &Report) -> Option<Point> {
    let held: Vec<&str> =
        report.loads.iter().filter(|l| l.state == LoadState::NotEmpty).map(|l| l.load.as_str()).collect();
    let n = held.len() as u64;
    let one = "# table held rows already and was left as it was";
    let many = "# tables held rows already and were left as they were";
    point(n, Tone::Plain, "loads", || format!("{}: {}.", phrase(n, one, many), some_of(&held, NAMED)))
}

fn warnings(report: &Report) -> Option<Point> {
    let n = report.warnings.len() as u64;
    point(n, Tone::Plain, "warnings", || phrase(n, "There is # warning.", "There are # warnings."))
}

fn retries(report: &Report) -> Option<Point> {
    let n = report.retries.len() as u64;
    let text = "A connection was lost and made again";
    point(n, Tone::Plain, "retries", || phrase(n, &format!("{text} once."), &format!("{text} # times.")))
}

/// What to type next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// Why.
    pub title: &'static str,
    /// What it does.
    pub words: String,
    /// The command.
    pub command: String,
}

/// How to repeat the check, go on, or look again.
pub fn next(report: &Report) -> Next {
    let source = match report.source.path.as_str() {
        "" => String::new(),
        path => format!(" -s {}", quoted(path)),
    };
    let both = format!("-m MAPPING{source} -t \"$DATABASE_URL\"");
    let named = format!("MAPPING is the file of the mapping {}", report.mapping);
    let target = report.target.as_ref().map_or_else(String::new, |t| format!(", $DATABASE_URL names {t}"));
    let look =
        |title, words: &str, command: String| Next { title, words: format!("{words} {named}{target}."), command };
    match (Job::of(report), ended(report)) {
        (Job::Rehearsal, _) => Next {
            title: "How to repeat it",
            words: format!("This makes a new throw-away PostgreSQL and does the same again. {named}."),
            command: "migrate rehearse -m MAPPING".to_owned(),
        },
        (Job::DryRun, _) | (_, Exit::Refused | Exit::Usage) => look(
            "How to look again",
            "This looks at everything and writes nothing.",
            format!("migrate {both} --dry-run"),
        ),
        (_, Exit::Stopped | Exit::Interrupted | Exit::Bug) => look(
            "How to go on",
            "This goes on after the last row that is in the target.",
            format!("migrate {both} --yes"),
        ),
        _ => look(
            "How to repeat the check",
            "This reads source and target again and writes nothing. It ends with exit code 0 where all is as it was, and 5 \
             where something differs.",
            format!("migrate verify {both}"),
        ),
    }
}

/// A path as a shell takes it.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,".contains(c);
    if path.chars().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', "'\\''")) }
}
