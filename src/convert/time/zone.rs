//! Conversion between local times and UTC: fixed offsets and the zones of the tz database.
//!
//! A local time that a zone skips is a fault. A local time that occurs twice needs a rule of the mapping. The caller
//! decides on the zone of a value.

use crate::model::fault::Reason;
use crate::model::rules::{Overlap, Zone};
use crate::wire::calendar;
use chrono::{LocalResult, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone};
use chrono_tz::Tz;

/// Returns the seconds that a zone is east of UTC at an instant of UTC.
pub(super) fn at_instant(zone: Zone, day: i64, second: i64) -> Option<i64> {
    match zone {
        Zone::Fixed(offset) => Some(i64::from(offset)),
        Zone::Named(tz) => {
            let utc = moment(tz, day, second)?;
            Some(i64::from(tz.offset_from_utc_datetime(&utc).fix().local_minus_utc()))
        }
    }
}

/// Returns the seconds that a zone is east of UTC at a local time.
pub(super) fn at_local(zone: Zone, day: i64, second: i64, overlap: Option<Overlap>) -> Result<i64, Reason> {
    let tz = match zone {
        Zone::Fixed(offset) => return Ok(i64::from(offset)),
        Zone::Named(tz) => tz,
    };
    let local = moment(tz, day, second).ok_or(Reason::OutOfRange)?;
    let east = |offset: <Tz as TimeZone>::Offset| i64::from(offset.fix().local_minus_utc());
    match (tz.offset_from_local_datetime(&local), overlap) {
        (LocalResult::Single(offset), _) => Ok(east(offset)),
        (LocalResult::None, _) => Err(Reason::TimeGap),
        (LocalResult::Ambiguous(_, _), None) => Err(Reason::TimeOverlap),
        // The earlier instant has the larger offset.
        (LocalResult::Ambiguous(a, b), Some(Overlap::Earlier)) => Ok(east(a).max(east(b))),
        (LocalResult::Ambiguous(a, b), Some(Overlap::Later)) => Ok(east(a).min(east(b))),
    }
}

// The compiled tables end with 2099. The rules in force then apply to all later years.
const LAST_YEAR: i64 = 2099;

/// Returns a day and a second as a value of the date library. A year after the end of the tables is replaced by one of
/// the last 28 with the same calendar, in which every rule falls on the same days.
fn moment(tz: Tz, day: i64, second: i64) -> Option<NaiveDateTime> {
    let (year, month, of_month) = calendar::date(day);
    let year = if year > LAST_YEAR { twin(tz, year)? } else { year };
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, of_month)?;
    let time = NaiveTime::from_num_seconds_from_midnight_opt(u32::try_from(second).ok()?, 0)?;
    Some(NaiveDateTime::new(date, time))
}

fn twin(tz: Tz, year: i64) -> Option<i64> {
    let same = |other: &i64| {
        calendar::is_leap(*other) == calendar::is_leap(year)
            && calendar::day(*other, 1, 1).map(calendar::weekday) == calendar::day(year, 1, 1).map(calendar::weekday)
    };
    // Morocco's clocks depend on the moon, by a table that ends in 2087. After that the offset is constant.
    let moon = matches!(tz, Tz::Africa__Casablanca | Tz::Africa__El_Aaiun);
    let first = if moon { 2088 } else { LAST_YEAR - 27 };
    (first..=LAST_YEAR).find(same).or_else(|| (first..=LAST_YEAR).find(|other| calendar::is_leap(*other)))
}
