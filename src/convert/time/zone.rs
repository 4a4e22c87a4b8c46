//! Conversion between local times and UTC: fixed offsets and the zones of the tz database.
//!
//! A local time that a zone skips is a fault. A local time that occurs twice needs a rule of the mapping. The caller
//! decides on the zone of a value.

use crate::model::fault::Reason;
use crate::model::named_zone::NamedZone;
use crate::model::rules::{Overlap, Zone};
use crate::wire::calendar;

/// Returns the seconds that a zone is east of UTC at an instant of UTC.
pub(super) fn at_instant(zone: Zone, day: i64, second: i64) -> Option<i64> {
    match zone {
        Zone::Fixed(offset) => Some(i64::from(offset)),
        Zone::Named(named) => Some(named.offset_at(moment(named, day, second)?)),
    }
}

/// Returns the seconds that a zone is east of UTC at a local time.
pub(super) fn at_local(zone: Zone, day: i64, second: i64, overlap: Option<Overlap>) -> Result<i64, Reason> {
    let named = match zone {
        Zone::Fixed(offset) => return Ok(i64::from(offset)),
        Zone::Named(named) => named,
    };
    let local = moment(named, day, second).ok_or(Reason::OutOfRange)?;
    let mut offsets = named.offsets_at_local(local);
    let first = offsets.next().ok_or(Reason::TimeGap)?;
    match (offsets.next(), overlap) {
        (None, _) => Ok(first),
        (Some(_), None) => Err(Reason::TimeOverlap),
        // The earlier instant has the larger offset.
        (Some(second), Some(Overlap::Earlier)) => Ok(first.max(second)),
        (Some(second), Some(Overlap::Later)) => Ok(first.min(second)),
    }
}

// The compiled tables end with 2099. The rules in force then apply to all later years.
const LAST_YEAR: i64 = 2099;

/// Returns a day and a second in seconds since 1970. A year after the end of the tables is replaced by one of
/// the last 28 with the same calendar, in which every rule falls on the same days.
fn moment(zone: NamedZone, day: i64, second: i64) -> Option<i64> {
    let (year, month, of_month) = calendar::date(day);
    // A year that does not fit 32 bits is in no range of a type, and its seconds might not fit 64.
    i32::try_from(year).ok()?;
    let day = if year > LAST_YEAR { calendar::day(twin(zone, year)?, month, of_month)? } else { day };
    (0..86_400).contains(&second).then(|| (day - calendar::UNIX_DAY) * 86_400 + second)
}

fn twin(zone: NamedZone, year: i64) -> Option<i64> {
    let same = |other: &i64| {
        calendar::is_leap(*other) == calendar::is_leap(year)
            && calendar::day(*other, 1, 1).map(calendar::weekday) == calendar::day(year, 1, 1).map(calendar::weekday)
    };
    // Morocco's clocks depend on the moon, by a table that ends in 2087. After that the offset is constant.
    let moon = matches!(zone.name(), "Africa/Casablanca" | "Africa/El_Aaiun");
    let first = if moon { 2088 } else { LAST_YEAR - 27 };
    (first..=LAST_YEAR).find(same).or_else(|| (first..=LAST_YEAR).find(|other| calendar::is_leap(*other)))
}
