//! The promises of `migrate guide versions`: words on which programs rely are still there.

use migrate::exit::Exit;
use migrate::model::fault::Reason;
use migrate::model::record::{CheckKind, CommandKind};

/// The reasons of version 0.1. A word may be added here and never removed or changed.
const REASONS: &str = "null not-a-number not-integral out-of-range precision-overflow excess-scale not-finite not-a-boolean \
    blob-in-text blob not-utf8 nul-in-text too-long unknown-label not-in-map not-a-date not-a-time \
    no-such-date number-in-time time-in-date date-in-time offset-in-timestamp no-zone time-gap time-overlap \
    excess-precision leap-second special-time not-an-interval interval-fields number-in-interval not-a-uuid \
    number-in-uuid invalid-json nul-in-json lone-surrogate json-number blob-in-json not-an-inet not-a-range \
    not-an-hstore not-a-tsvector repeated-key not-an-array ragged-array not-for-server too-large too-deep \
    not-in-encoding empty-string no-variable bad-format bad-default sql-failed orphan parent-refused \
    parent-later lookup-missing lookup-ambiguous no-owner duplicate check-failed exclusion-failed \
    no-partition trigger-refused trigger-swallowed index-row-too-large row-too-large server-refused";

#[test]
fn a_reason_or_a_status_that_a_program_relies_on_is_never_renamed() {
    let known: Vec<&str> = Reason::ALL.iter().map(|reason| reason.word()).collect();
    for word in REASONS.split_whitespace() {
        assert!(known.contains(&word), "{word} is promised and not there");
    }
    let statuses = [(0, "Done"), (1, "Bug"), (2, "Usage"), (3, "Refused"), (4, "Stopped"), (5, "Differs")];
    for (code, name) in statuses.into_iter().chain([(6, "Quarantined"), (130, "Interrupted")]) {
        assert!(Exit::BY_RANK.iter().any(|exit| exit.code() == code && format!("{exit:?}") == name), "{code} {name}");
    }
    for word in ["rows", "content", "computed", "sequences", "constraints", "owners", "others", "source"] {
        assert!(CheckKind::of(word).is_some(), "{word}");
    }
    for word in ["migrate", "rehearse", "verify", "plan", "status", "rollback"] {
        assert!(CommandKind::of(word).is_some(), "{word}");
    }
}
