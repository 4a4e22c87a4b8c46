//! The modifiers that could help refused values of a type, and the numbers that are plausible in each time unit.

use std::fmt;

use super::render::string;
use crate::model::pgtype::Kind;
use crate::model::rules::{Epoch, PackedNumbers, Rules, Unit};

/// Numbers that are plausible in a time unit, regardless of sign. `to` is excluded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlausibleNumbers {
    from: f64,
    to: f64,
}

/// Seconds since 1970, from March 1973 to February 2103. No number is in this range in two time units.
const PLAUSIBLE_SECONDS: PlausibleNumbers = PlausibleNumbers { from: 1e8, to: 4.2e9 };

/// Numbers of any size.
const EVERY_NUMBER: PlausibleNumbers = PlausibleNumbers { from: 0.0, to: f64::INFINITY };

impl PlausibleNumbers {
    fn contains(self, number: f64) -> bool {
        number.abs() >= self.from && number.abs() < self.to
    }

    /// The numbers of a time unit from 1973 to 2103.
    fn of_unit(per_second: f64) -> PlausibleNumbers {
        PlausibleNumbers { from: PLAUSIBLE_SECONDS.from * per_second, to: PLAUSIBLE_SECONDS.to * per_second }
    }

    /// Returns true if a number is plausible, or nearer to 1970 and plausible in no other time unit.
    pub fn fits(self, number: f64) -> bool {
        let has_unit = || {
            PLAUSIBLE_DAYS.contains(number)
                || EPOCHS.iter().any(|(_, _, per_second)| PlausibleNumbers::of_unit(*per_second).contains(number))
        };
        let is_near_1970 = || number.abs() < self.from && !has_unit() && !is_written_day(number);
        self.contains(number) || (self != PLAUSIBLE_DAYS && is_near_1970())
    }
}

/// Returns true for the digits of a day from 1900 to 2100, such as 20240131: they are a date and count nothing.
fn is_written_day(number: f64) -> bool {
    let part = |divisor: f64, modulus: f64| (number / divisor).trunc() % modulus;
    (1.9e7..2.101e7).contains(&number)
        && number.fract() == 0.0
        && (1.0..=12.0).contains(&part(100.0, 100.0))
        && (1.0..=31.0).contains(&part(1.0, 100.0))
}

/// Julian days from 1858 to 2132.
const PLAUSIBLE_DAYS: PlausibleNumbers = PlausibleNumbers { from: 2.4e6, to: 2.5e6 };

/// The Julian day of 1970-01-01 00:00, and the seconds of a year in the Gregorian calendar.
const JULIAN_1970: f64 = 2_440_587.5;
const YEAR: f64 = 31_556_952.0;

/// 1970-01-01 in days since 2000-01-01.
const DAY_1970: i32 = -10_957;

/// Time units of numbers: the word in a mapping, the meaning, the units of a second.
const EPOCHS: [(&str, Epoch, f64); 5] = [
    ("s", Epoch::Seconds, 1.0),
    ("ms", Epoch::Millis, 1e3),
    ("us", Epoch::Micros, 1e6),
    ("ns", Epoch::Nanos, 1e9),
    ("julian", Epoch::Julian, 0.0),
];

/// Forms of dates other than ISO 8601. The day and the month of many dates are distinct only if a value is above 12.
const DATES: [&str; 8] =
    ["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%d %b %Y", "%b %d, %Y"];

/// Endings of a form of dates that make it a form of timestamps.
const CLOCKS: [&str; 3] = ["", " %H:%M:%S", " %H:%M"];

/// The forms of times of day as Rails writes them: with a day that means nothing.
const TIMES_OF_RAILS: [&str; 2] = ["2000-01-01 %H:%M:%S", "2000-01-01 %H:%M:%S.%f"];

/// Returns the year of a number whose plausible range belongs to one time unit.
pub fn year(number: f64, plausible: Option<PlausibleNumbers>) -> Option<i32> {
    let range = plausible.filter(|range| *range != EVERY_NUMBER)?;
    let seconds = if range == PLAUSIBLE_DAYS {
        (number - JULIAN_1970) * 86_400.0
    } else {
        number / (range.from / PLAUSIBLE_SECONDS.from)
    };
    (number != 0.0).then_some((1970.0 + seconds / YEAR).floor() as i32)
}

/// A modifier as a mapping writes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WrittenModifier {
    /// Its key.
    pub key: &'static str,
    /// Its value, as TOML.
    pub value: String,
}

impl WrittenModifier {
    /// Returns the unit that it gives to numbers. `None`: it gives them none.
    pub fn epoch(&self) -> Option<Epoch> {
        let word = self.value.trim_matches('"');
        EPOCHS.into_iter().find(|(own, _, _)| self.key == "epoch" && *own == word).map(|(_, epoch, _)| epoch)
    }

    /// From its key and its value.
    pub fn new(key: &'static str, value: impl Into<String>) -> WrittenModifier {
        WrittenModifier { key, value: value.into() }
    }
}

impl fmt::Display for WrittenModifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.key, self.value)
    }
}

/// A modifier to try.
pub struct CandidateModifier {
    /// The modifier as a mapping writes it.
    pub written: WrittenModifier,
    /// Its meaning.
    pub rules: Rules,
    /// The plausible numbers, regardless of sign. `None`: the modifier does not read numbers.
    pub numbers: Option<PlausibleNumbers>,
}

impl CandidateModifier {
    fn new(key: &'static str, value: &str, rules: Rules) -> CandidateModifier {
        CandidateModifier { written: WrittenModifier::new(key, value), rules, numbers: None }
    }

    /// The modifier with a word as its value.
    fn word(key: &'static str, word: &str, rules: Rules) -> CandidateModifier {
        CandidateModifier::new(key, &string(word), rules)
    }
}

/// Returns the modifiers that could help values of a type.
pub fn candidates(kind: &Kind) -> Vec<CandidateModifier> {
    let rules = Rules::default;
    let mut found = Vec::new();
    if !matches!(kind, Kind::Text | Kind::Varchar { .. } | Kind::Char { .. } | Kind::Citext | Kind::Bytea) {
        found.push(CandidateModifier::new("trim", "true", Rules { trim: true, ..rules() }));
    }
    match kind {
        Kind::Date | Kind::Timestamp { .. } | Kind::Timestamptz { .. } => {
            for (word, epoch, per_second) in EPOCHS {
                let numbers = match epoch {
                    Epoch::Julian => PLAUSIBLE_DAYS,
                    _ => PlausibleNumbers::of_unit(per_second),
                };
                let rules = Rules { epoch: Some(epoch), ..rules() };
                let modifier = CandidateModifier::word("epoch", word, rules);
                found.push(CandidateModifier { numbers: Some(numbers), ..modifier });
            }
            let clocks = if *kind == Kind::Date { &CLOCKS[..1] } else { &CLOCKS[..] };
            for format in DATES.iter().flat_map(|date| clocks.iter().map(move |clock| format!("{date}{clock}"))) {
                let rules = Rules { format: vec![format.clone()], ..rules() };
                found.push(CandidateModifier::word("format", &format, rules));
            }
        }
        Kind::Time { .. } => {
            let value = format!("[{}]", TIMES_OF_RAILS.map(string).join(", "));
            let rules = Rules { format: TIMES_OF_RAILS.map(str::to_owned).to_vec(), ..rules() };
            found.push(CandidateModifier::new("format", &value, rules));
        }
        Kind::Interval { .. } | Kind::IntervalOf { .. } => {
            let rules_of_1970 = Rules { since: Some(DAY_1970), ..rules() };
            found.push(CandidateModifier::word("since", "1970-01-01", rules_of_1970));
            for (word, unit) in [("s", Unit::Seconds), ("ms", Unit::Millis), ("us", Unit::Micros)] {
                let rules = Rules { unit: Some(unit), ..rules() };
                let modifier = CandidateModifier::word("unit", word, rules);
                found.push(CandidateModifier { numbers: Some(EVERY_NUMBER), ..modifier });
            }
        }
        Kind::Array(element) => {
            let words: &[&str] = match element.kind {
                Kind::Float4 => &["f32le"],
                Kind::Float8 => &["f64le", "f32le"],
                _ => &[],
            };
            for word in words {
                let rules = Rules { packed: PackedNumbers::of(word), ..rules() };
                found.push(CandidateModifier::word("array", word, rules));
            }
            found.push(CandidateModifier::word("array", "csv", Rules { array_csv: true, ..rules() }));
        }
        Kind::Text | Kind::Varchar { .. } | Kind::Char { .. } | Kind::Citext | Kind::Json | Kind::Jsonb => {
            found.push(CandidateModifier::word("blob", "utf8", Rules { blob_as_text: true, ..rules() }));
        }
        _ => {}
    }
    found
}
