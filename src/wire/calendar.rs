//! The proleptic Gregorian calendar over all of PostgreSQL's range, in days since 2000-01-01.
//!
//! Years are astronomical: 0 is 1 BC, -43 is 44 BC. The functions know no zones and do not depend on the range of a date
//! library.

/// Microseconds in a day.
pub const DAY: i64 = 86_400_000_000;
/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;
/// The first day in PostgreSQL's range, 4714-11-24 BC.
pub const FIRST_DAY: i64 = -2_451_545;
/// The last day of a `date`, 5874897-12-31.
pub const LAST_DAY: i64 = 2_145_031_948;
/// The last day of a `timestamp`, 294276-12-31.
pub const LAST_STAMP_DAY: i64 = 106_751_982;
/// The day 1970-01-01.
pub const UNIX_DAY: i64 = -10_957;

// 2000-01-01 counted from 0000-03-01, where the calendar's 400-year cycle starts.
const EPOCH: i64 = 730_425;
const CYCLE: i64 = 146_097;

/// Returns true if a year has a 29 February.
pub fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: u32) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Returns the day of a date; `None` if the calendar does not have the date.
pub fn day(year: i64, month: u32, day: u32) -> Option<i64> {
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    // Years that start in March put the leap day last (the algorithm is H. Hinnant's `days_from_civil`).
    let year = if month <= 2 { year - 1 } else { year };
    let cycle = year.div_euclid(400);
    let of_cycle = year.rem_euclid(400);
    let of_year = (153 * i64::from(if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + i64::from(day) - 1;
    Some(cycle * CYCLE + of_cycle * 365 + of_cycle / 4 - of_cycle / 100 + of_year - EPOCH)
}

/// Returns year, month and day of a day.
pub fn date(day: i64) -> (i64, u32, u32) {
    let from_march = day + EPOCH;
    let cycle = from_march.div_euclid(CYCLE);
    let of_cycle = from_march.rem_euclid(CYCLE);
    let year = (of_cycle - of_cycle / 1460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let of_year = of_cycle - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = (of_year - (153 * month + 2) / 5 + 1) as u32;
    let month = if month < 10 { month + 3 } else { month - 9 } as u32;
    (cycle * 400 + year + i64::from(month <= 2), month, day)
}

/// Returns the day of the week, 0 for Sunday.
pub fn weekday(day: i64) -> i64 {
    // 2000-01-01 was a Saturday.
    (day + 6).rem_euclid(7)
}
