//! The compiled tables of time zones, compared with those of the crate chrono-tz.
//!
//! After an update of that crate: `MIGRATE_GOLDEN=write cargo test zone_tables`, then build again.

use std::fmt::Write;
use std::fs;

use chrono::{DateTime, LocalResult, NaiveDateTime, Offset, TimeZone};
use chrono_tz::{TZ_VARIANTS, Tz};
use migrate::model::named_zone::NamedZone;

use crate::support::repo;

/// A period of one offset: the second of its beginning, and the seconds east of UTC.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Period {
    start: i64,
    east: i64,
}

impl Period {
    /// The period as `zones.bin` has it.
    fn bytes(self) -> [u8; 8] {
        ((self.start << 20) + (1 << 19) + self.east).to_le_bytes()
    }
}

/// 1800-01-01, when every zone still had its local mean time.
const FIRST: i64 = -5_364_662_400;

/// 2100-01-02. The last year of the tables is 2099, in every zone.
const LAST: i64 = 4_102_531_200;

/// Seconds between two samples: two days. The two closest changes of any zone are 3.98 days apart.
const STEP: i64 = 2 * 86_400;

fn at(second: i64) -> NaiveDateTime {
    DateTime::from_timestamp(second, 0).expect("a second of these centuries").naive_utc()
}

fn east(zone: Tz, second: i64) -> i64 {
    i64::from(zone.offset_from_utc_datetime(&at(second)).fix().local_minus_utc())
}

/// The periods of a zone as chrono-tz has them. The first one has no beginning.
fn periods(zone: Tz) -> Vec<Period> {
    let mut found = vec![Period { start: i64::MIN >> 20, east: east(zone, FIRST) }];
    let mut before = found[0].east;
    for second in (FIRST..=LAST).step_by(STEP as usize).skip(1) {
        let now = east(zone, second);
        if now != before {
            let (mut old, mut new) = (second - STEP, second);
            while new - old > 1 {
                let middle = old + (new - old) / 2;
                if east(zone, middle) == before { old = middle } else { new = middle }
            }
            found.push(Period { start: new, east: now });
            before = now;
        }
    }
    found
}

#[test]
fn the_zone_tables_are_those_of_chrono_tz() {
    let mut zones: Vec<Tz> = TZ_VARIANTS.to_vec();
    zones.sort_by_key(|zone| zone.name());
    let (mut names, mut all) = (String::new(), Vec::<Period>::new());
    let mut known: Vec<(usize, Vec<Period>)> = Vec::new();
    for zone in zones {
        let own = periods(zone);
        // Many names are those of one zone.
        let first = known.iter().find(|(_, other)| *other == own).map_or_else(|| all.len(), |(first, _)| *first);
        writeln!(names, "{} {first} {}", zone.name(), own.len()).expect("a string");
        if first == all.len() {
            all.extend(&own);
            known.push((first, own));
        }
    }
    let bytes: Vec<u8> = all.into_iter().flat_map(Period::bytes).collect();
    let files = [("src/model/zones.txt", names.into_bytes()), ("src/model/zones.bin", bytes)];
    for (path, found) in files {
        if std::env::var_os("MIGRATE_GOLDEN").is_some_and(|v| v == "write") {
            fs::write(repo(path), &found).expect("a table of zones");
        }
        assert!(fs::read(repo(path)).expect("a table of zones") == found, "{path} differs from chrono-tz");
    }
}

/// The largest and the smallest offset at which a local time exists; `None` in a gap.
fn local(zone: Tz, second: i64) -> Option<[i64; 2]> {
    let of = |offset: <Tz as TimeZone>::Offset| i64::from(offset.fix().local_minus_utc());
    match zone.offset_from_local_datetime(&at(second)) {
        LocalResult::None => None,
        LocalResult::Single(only) => Some([of(only); 2]),
        LocalResult::Ambiguous(a, b) => Some([of(a).max(of(b)), of(a).min(of(b))]),
    }
}

#[test]
fn every_zone_is_read_as_chrono_tz_reads_it_around_each_change() {
    for zone in TZ_VARIANTS {
        let own = NamedZone::find(zone.name()).unwrap_or_else(|| panic!("{zone} is missing"));
        let own_local = |second: i64| {
            let offsets: Vec<i64> = own.offsets_at_local(second).collect();
            offsets.iter().max().zip(offsets.iter().min()).map(|(most, least)| [*most, *least])
        };
        let mut before = own.offset_at(i64::MIN / 2);
        for change in periods(zone).into_iter().skip(1).chain([Period { start: LAST, east: east(zone, LAST) }]) {
            let Period { start, east: after } = change;
            for second in [start - 1, start, start + 1, start - 86_400] {
                assert_eq!(own.offset_at(second), east(zone, second), "{zone} at {second} UTC");
            }
            let (first, last) = (start + before.min(after), start + before.max(after));
            for second in [first - 1, first, first + 1, (first + last) / 2, last - 1, last, last + 1, last + 86_400] {
                assert_eq!(own_local(second), local(zone, second), "{zone} at {second} local");
            }
            before = after;
        }
        assert_eq!(own_local(FIRST), local(zone, FIRST), "{zone}");
    }
}
