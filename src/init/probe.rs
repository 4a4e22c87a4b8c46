//! The probe of one column: converts every value as the cutover would, and tries the modifiers that could help the values that
//! are refused.

use std::collections::{BTreeMap, BTreeSet};

use crate::convert::{Converter, Settled};
use crate::model::cell::Raw;
use crate::model::fault::{LossSet, Reason};
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::rules::{Epoch, PackedNumbers, Rules, Unit, Zone};

/// Numbers that are plausible in a time unit, regardless of sign. `to` is excluded.
#[derive(Clone, Copy, Debug, PartialEq)]
struct PlausibleNumbers {
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
    fn fits(self, number: f64) -> bool {
        let has_unit = || {
            PLAUSIBLE_DAYS.contains(number)
                || EPOCHS.iter().any(|(_, _, per_second)| PlausibleNumbers::of_unit(*per_second).contains(number))
        };
        self.contains(number) || (self != PLAUSIBLE_DAYS && number.abs() < self.from && !has_unit())
    }
}

/// Julian days from 1858 to 2132.
const PLAUSIBLE_DAYS: PlausibleNumbers = PlausibleNumbers { from: 2.4e6, to: 2.5e6 };

/// The Julian day of 1970-01-01 00:00, and the seconds of a year in the Gregorian calendar.
const JULIAN_1970: f64 = 2_440_587.5;
const YEAR: f64 = 31_556_952.0;

/// 1970-01-01 in days since 2000-01-01.
const DAY_1970: i32 = -10_957;

/// Distinct refused texts that are kept, for the labels of an enum.
const LABELS_KEPT: usize = 50;

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

/// The storage classes of values that need different modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueClass {
    /// Integers and doubles.
    Number = 0,
    /// Text other than the empty string.
    Text = 1,
    /// Blobs.
    Blob = 2,
}

impl ValueClass {
    /// Every class.
    pub const ALL: [ValueClass; 3] = [ValueClass::Number, ValueClass::Text, ValueClass::Blob];

    /// Returns the plural noun.
    pub fn noun(self) -> &'static str {
        match self {
            ValueClass::Number => "numbers",
            ValueClass::Text => "texts",
            ValueClass::Blob => "blobs",
        }
    }
}

/// A modifier that could help refused values.
#[derive(Clone)]
struct ModifierTrial {
    /// The modifier as a mapping writes it.
    written: String,
    converter: Converter,
    /// The plausible numbers, regardless of sign. `None`: the modifier does not read numbers.
    numbers: Option<PlausibleNumbers>,
    /// The values that it reads, by class.
    accepted: [u64; 3],
}

/// A modifier and the number of refused values of each class that it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriedModifier {
    /// The modifier as a mapping writes it, such as `epoch = "ms"`.
    pub written: String,
    /// The values that it reads, by [`ValueClass`].
    pub accepted: [u64; 3],
}

/// The values of one source column, as a column of the target would receive them. It contains no value but texts that may be
/// labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ColumnProfile {
    /// NULLs.
    pub nulls: u64,
    /// Other values.
    pub values: u64,
    /// Refused values by the reason. Empty strings that are refused are not among them.
    pub reasons: BTreeMap<Reason, u64>,
    /// Refused values, by [`ValueClass`].
    pub refused: [u64; 3],
    /// Empty strings that are refused.
    pub empty: u64,
    /// Times that are read only if a zone is stated.
    pub without_zone: u64,
    /// The modifiers that were tried.
    pub tried: Vec<TriedModifier>,
    /// Refused texts of an enum's column. `None`: they are too many, or not UTF-8.
    pub labels: Option<BTreeSet<String>>,
    /// The first and the last year of refused numbers, by the modifier of their time unit.
    pub years: BTreeMap<String, (i32, i32)>,
}

impl ColumnProfile {
    /// Returns true if every value can be loaded without a modifier. Times without a zone count as such.
    pub fn is_plain(&self) -> bool {
        self.empty == 0 && self.refused == [0; 3]
    }

    /// Adds the profile of further rows.
    pub fn merge(&mut self, other: ColumnProfile) {
        self.nulls += other.nulls;
        self.values += other.values;
        self.empty += other.empty;
        self.without_zone += other.without_zone;
        other.reasons.into_iter().for_each(|(reason, count)| *self.reasons.entry(reason).or_default() += count);
        add(&mut self.refused, other.refused);
        for (mine, others) in self.tried.iter_mut().zip(&other.tried) {
            add(&mut mine.accepted, others.accepted);
        }
        self.labels = match (self.labels.take(), other.labels) {
            (Some(mut mine), Some(others)) => {
                mine.extend(others);
                Some(mine).filter(|all| all.len() <= LABELS_KEPT)
            }
            _ => None,
        };
        for (modifier, (first, last)) in other.years {
            let span = self.years.entry(modifier).or_insert((first, last));
            *span = (span.0.min(first), span.1.max(last));
        }
    }
}

fn add(sums: &mut [u64; 3], others: [u64; 3]) {
    sums.iter_mut().zip(others).for_each(|(sum, other)| *sum += other);
}

/// Profiles the values of one column.
#[derive(Clone)]
pub struct Probe {
    plain: Converter,
    zoned: Converter,
    attempts: Vec<ModifierTrial>,
    keeps_labels: bool,
    profile: ColumnProfile,
}

impl Probe {
    /// Returns a probe of values for a column of this type. `None` if the type has no converter without a mapping.
    pub fn new(kind: &ColumnType) -> Option<Probe> {
        let settled = Settled::default();
        let utc = Rules { zone: Some(Zone::Fixed(0)), ..Rules::default() };
        let plain = Converter::new(kind, &Rules::default(), &settled).ok()?;
        let zoned = Converter::new(kind, &utc, &settled).ok()?;
        let attempt = |candidate: CandidateModifier| {
            let CandidateModifier { written, rules, numbers } = candidate;
            let converter = Converter::new(kind, &Rules { zone: utc.zone, ..rules }, &settled).ok()?;
            Some(ModifierTrial { written, converter, numbers, accepted: [0; 3] })
        };
        let attempts = candidates(&kind.kind).into_iter().filter_map(attempt).collect();
        let keeps_labels = matches!(kind.kind, Kind::Enum { .. });
        let profile = ColumnProfile { labels: keeps_labels.then(BTreeSet::new), ..ColumnProfile::default() };
        Some(Probe { plain, zoned, attempts, keeps_labels, profile })
    }

    /// Reads one value.
    pub fn read(&mut self, raw: Raw<'_>) {
        if raw == Raw::Null {
            self.profile.nulls += 1;
            return;
        }
        self.profile.values += 1;
        let Err(reason) = self.plain.convert(raw, &mut LossSet::default()) else { return };
        self.refused(raw, reason);
    }

    #[cold]
    fn refused(&mut self, raw: Raw<'_>, reason: Reason) {
        let profile = &mut self.profile;
        let class = match raw {
            Raw::Text([]) => {
                profile.empty += 1;
                return;
            }
            Raw::Integer(_) | Raw::Real(_) | Raw::Null => ValueClass::Number,
            Raw::Text(_) => ValueClass::Text,
            Raw::Blob(_) => ValueClass::Blob,
        } as usize;
        if reason == Reason::NoZone && self.zoned.convert(raw, &mut LossSet::default()).is_ok() {
            profile.without_zone += 1;
            return;
        }
        profile.refused[class] += 1;
        *profile.reasons.entry(reason).or_default() += 1;
        for attempt in &mut self.attempts {
            let is_plausible = match (attempt.numbers, number(raw)) {
                (Some(range), Some(number)) => range.fits(number),
                (None, Some(_)) => false,
                (_, None) => attempt.numbers.is_none(),
            };
            if !is_plausible || attempt.converter.convert(raw, &mut LossSet::default()).is_err() {
                continue;
            }
            attempt.accepted[class] += 1;
            if let Some(year) = number(raw).and_then(|number| year(number, attempt.numbers)) {
                let span = profile.years.entry(attempt.written.clone()).or_insert((year, year));
                *span = (span.0.min(year), span.1.max(year));
            }
        }
        if self.keeps_labels {
            keep_label(&mut profile.labels, raw);
        }
    }

    /// Returns the profile of the values that were read.
    pub fn profile(self) -> ColumnProfile {
        let tried = self.attempts.into_iter().map(|a| TriedModifier { written: a.written, accepted: a.accepted });
        ColumnProfile { tried: tried.collect(), ..self.profile }
    }
}

/// Keeps a refused text of an enum's column.
fn keep_label(labels: &mut Option<BTreeSet<String>>, raw: Raw<'_>) {
    let text = match raw {
        Raw::Text(bytes) => std::str::from_utf8(bytes).ok().map(str::to_owned),
        Raw::Integer(number) => Some(number.to_string()),
        _ => None,
    };
    *labels = match (labels.take(), text) {
        (Some(mut all), Some(text)) => {
            all.insert(text);
            Some(all).filter(|all| all.len() <= LABELS_KEPT)
        }
        _ => None,
    };
}

fn number(raw: Raw<'_>) -> Option<f64> {
    match raw {
        Raw::Integer(number) => Some(number as f64),
        Raw::Real(number) => Some(number),
        _ => None,
    }
}

/// Returns the year of a number whose plausible range belongs to one time unit.
fn year(number: f64, plausible: Option<PlausibleNumbers>) -> Option<i32> {
    let range = plausible.filter(|range| *range != EVERY_NUMBER)?;
    let seconds = if range == PLAUSIBLE_DAYS {
        (number - JULIAN_1970) * 86_400.0
    } else {
        number / (range.from / PLAUSIBLE_SECONDS.from)
    };
    (number != 0.0).then_some((1970.0 + seconds / YEAR).floor() as i32)
}

/// A modifier to try.
struct CandidateModifier {
    written: String,
    rules: Rules,
    numbers: Option<PlausibleNumbers>,
}

impl CandidateModifier {
    fn new(written: impl Into<String>, rules: Rules) -> CandidateModifier {
        CandidateModifier { written: written.into(), rules, numbers: None }
    }
}

/// Returns the modifiers that could help values of a type.
fn candidates(kind: &Kind) -> Vec<CandidateModifier> {
    let rules = Rules::default;
    let mut found = Vec::new();
    if !matches!(kind, Kind::Text | Kind::Varchar { .. } | Kind::Char { .. } | Kind::Citext | Kind::Bytea) {
        found.push(CandidateModifier::new("trim = true", Rules { trim: true, ..rules() }));
    }
    match kind {
        Kind::Date | Kind::Timestamp { .. } | Kind::Timestamptz { .. } => {
            for (word, epoch, per_second) in EPOCHS {
                let numbers = match epoch {
                    Epoch::Julian => PLAUSIBLE_DAYS,
                    _ => PlausibleNumbers::of_unit(per_second),
                };
                let rules = Rules { epoch: Some(epoch), ..rules() };
                found.push(CandidateModifier { written: format!("epoch = \"{word}\""), rules, numbers: Some(numbers) });
            }
            let clocks = if *kind == Kind::Date { &CLOCKS[..1] } else { &CLOCKS[..] };
            for format in DATES.iter().flat_map(|date| clocks.iter().map(move |clock| format!("{date}{clock}"))) {
                let written = format!("format = \"{format}\"");
                found.push(CandidateModifier::new(written, Rules { format: vec![format], ..rules() }));
            }
        }
        Kind::Interval { .. } | Kind::IntervalOf { .. } => {
            let rules_of_1970 = Rules { since: Some(DAY_1970), ..rules() };
            found.push(CandidateModifier::new("since = \"1970-01-01\"", rules_of_1970));
            for (word, unit) in [("s", Unit::Seconds), ("ms", Unit::Millis), ("us", Unit::Micros)] {
                let rules = Rules { unit: Some(unit), ..rules() };
                found.push(CandidateModifier {
                    written: format!("unit = \"{word}\""),
                    rules,
                    numbers: Some(EVERY_NUMBER),
                });
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
                found.push(CandidateModifier::new(format!("array = \"{word}\""), rules));
            }
            found.push(CandidateModifier::new("array = \"csv\"", Rules { array_csv: true, ..rules() }));
        }
        Kind::Text | Kind::Varchar { .. } | Kind::Char { .. } | Kind::Citext | Kind::Json | Kind::Jsonb => {
            found.push(CandidateModifier::new("blob = \"utf8\"", Rules { blob_as_text: true, ..rules() }));
        }
        _ => {}
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profiled(kind: Kind, values: &[Raw<'_>]) -> ColumnProfile {
        let mut probe = Probe::new(&ColumnType::new(kind, 0, "test")).expect("a converter");
        values.iter().for_each(|raw| probe.read(*raw));
        probe.profile()
    }

    fn accepts_all(profile: &ColumnProfile, class: ValueClass) -> Vec<&str> {
        let refused = profile.refused[class as usize];
        let all = profile.tried.iter().filter(|tried| tried.accepted[class as usize] == refused);
        all.map(|tried| tried.written.as_str()).collect()
    }

    #[test]
    fn the_time_unit_of_numbers_is_the_only_one_that_is_plausible() {
        let timestamp = || Kind::Timestamptz { precision: 6 };
        for (numbers, unit) in [
            ([1_600_000_000, 1_700_000_000], "epoch = \"s\""),
            ([1_600_000_000_000, 0], "epoch = \"ms\""),
            ([1_600_000_000_000_000, 1_700_000_000_000_000], "epoch = \"us\""),
        ] {
            let profile = profiled(timestamp(), &numbers.map(Raw::Integer));
            assert_eq!(accepts_all(&profile, ValueClass::Number), [unit]);
            assert_eq!(profile.years[unit].0, 2020);
        }
        let profile = profiled(timestamp(), &[Raw::Real(2_459_000.5)]);
        assert_eq!(accepts_all(&profile, ValueClass::Number), ["epoch = \"julian\""]);
        assert_eq!(profile.years["epoch = \"julian\""], (2020, 2020));
        let profile = profiled(timestamp(), &[Raw::Integer(1_600_000_000), Raw::Integer(1_600_000_000_000)]);
        assert!(accepts_all(&profile, ValueClass::Number).is_empty());
        let near_1970 = profiled(timestamp(), &[Raw::Integer(-5), Raw::Integer(1_600_000_000_000)]);
        assert_eq!(accepts_all(&near_1970, ValueClass::Number), ["epoch = \"ms\""]);
        let undecided = profiled(timestamp(), &[Raw::Integer(5)]);
        assert!(accepts_all(&undecided, ValueClass::Number).len() > 1);
    }

    #[test]
    fn a_form_of_dates_is_found_only_if_a_value_tells_day_and_month_apart() {
        let both = profiled(Kind::Date, &[Raw::Text(b"01/02/2020")]);
        assert_eq!(accepts_all(&both, ValueClass::Text).len(), 2);
        let one = profiled(Kind::Date, &[Raw::Text(b"01/02/2020"), Raw::Text(b"31/12/2020")]);
        assert_eq!(accepts_all(&one, ValueClass::Text), ["format = \"%d/%m/%Y\""]);
    }

    #[test]
    fn empty_strings_nulls_and_times_without_a_zone_are_counted_apart() {
        let values = [Raw::Text(b""), Raw::Null, Raw::Text(b"2020-01-02 03:04:05"), Raw::Text(b"2020-01-02T03:04:05Z")];
        let profile = profiled(Kind::Timestamptz { precision: 6 }, &values);
        assert_eq!((profile.nulls, profile.values, profile.empty, profile.without_zone), (1, 3, 1, 1));
        assert_eq!(profile.refused, [0; 3]);
    }

    #[test]
    fn profiles_of_two_ranges_are_one_profile() {
        let values = [Raw::Integer(1_600_000_000), Raw::Text(b"x"), Raw::Null, Raw::Integer(1_700_000_000)];
        let kind = || Kind::Timestamp { precision: 6 };
        let mut first = profiled(kind(), &values[..2]);
        first.merge(profiled(kind(), &values[2..]));
        assert_eq!(first, profiled(kind(), &values));
    }
}
