//! The probe of one column: converts every value as the cutover would, and tries the modifiers that could help the values that
//! are refused.

use std::collections::{BTreeMap, BTreeSet};

use super::candidates::{CandidateModifier, PlausibleNumbers, WrittenModifier, candidates, year};
use super::time_form::{TimeForm, TimeForms};
use crate::convert::{Converter, Settled, UuidOrder};
use crate::model::cell::{Cell, Raw};
use crate::model::fault::{Loss, LossSet, Reason};
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::rules::{Rules, Zone};

/// Distinct refused texts that are kept, for the labels of an enum and the words of a boolean.
const LABELS_KEPT: usize = 50;

/// Bytes of the longest text that may be a label. PostgreSQL's own labels have at most 63.
const LABEL_BYTES: usize = 200;

/// The storage classes of values that need different modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueClass {
    /// Integers and doubles, and the digits of one in a text, if the type is one of times.
    Number = 0,
    /// Other text than the empty string.
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
    written: WrittenModifier,
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
    pub written: WrittenModifier,
    /// The values that it reads, by [`ValueClass`].
    pub accepted: [u64; 3],
}

/// Values by SQLite's storage class, without NULLs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoredClasses {
    /// Integers.
    pub integers: u64,
    /// Doubles.
    pub reals: u64,
    /// Those of them that are infinite.
    pub infinite: u64,
    /// Texts.
    pub texts: u64,
    /// Blobs.
    pub blobs: u64,
}

impl StoredClasses {
    fn count(&mut self, raw: Raw<'_>) {
        match raw {
            Raw::Null => {}
            Raw::Integer(_) => self.integers += 1,
            Raw::Real(number) => {
                self.reals += 1;
                self.infinite += u64::from(number.is_infinite());
            }
            Raw::Text(_) => self.texts += 1,
            Raw::Blob(_) => self.blobs += 1,
        }
    }

    fn merge(&mut self, other: StoredClasses) {
        self.integers += other.integers;
        self.reals += other.reals;
        self.infinite += other.infinite;
        self.texts += other.texts;
        self.blobs += other.blobs;
    }
}

/// The values of one source column, as a column of the target would receive them. It contains no value but texts that may be
/// labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ColumnProfile {
    /// NULLs.
    pub nulls: u64,
    /// Other values.
    pub values: u64,
    /// Those values by storage class.
    pub stored: StoredClasses,
    /// Refused values by the reason. Empty strings that are refused are not among them.
    pub reasons: BTreeMap<Reason, u64>,
    /// Refused values, by class.
    pub refused: [u64; 3],
    /// Empty strings that are refused.
    pub empty: u64,
    /// Times that are read only if a zone is stated.
    pub without_zone: u64,
    /// The forms of the times.
    pub forms: TimeForms,
    /// Refused texts that are the digits of a number, in a column of times.
    pub digits: u64,
    /// Blobs with the digits of an integer that the column holds.
    pub digit_blobs: u64,
    /// Doubles that the column, or one of the modifiers, would store as a shorter number.
    pub rounded: u64,
    /// The evidence for the byte order of a column of UUIDs.
    pub order: UuidOrder,
    /// The modifiers that were tried.
    pub tried: Vec<TriedModifier>,
    /// Refused texts of a column of an enum or of integers. `None`: they are too many, too long, or not UTF-8.
    pub labels: Option<BTreeSet<String>>,
    /// The first and the last year of refused numbers, by the modifier of their time unit.
    pub years: BTreeMap<WrittenModifier, (i32, i32)>,
}

impl ColumnProfile {
    /// Returns true if every value can be loaded without a modifier. Times without a zone count as such.
    pub fn is_plain(&self) -> bool {
        self.empty == 0 && self.refused == [0; 3]
    }

    /// Texts that the column holds as they are.
    pub fn plain_texts(&self) -> u64 {
        let others = self.empty + self.refused[ValueClass::Text as usize] + self.digits + self.without_zone;
        self.stored.texts.saturating_sub(others)
    }

    /// Adds the profile of further rows.
    pub fn merge(&mut self, other: ColumnProfile) {
        self.nulls += other.nulls;
        self.values += other.values;
        self.stored.merge(other.stored);
        self.empty += other.empty;
        self.without_zone += other.without_zone;
        self.forms.merge(other.forms);
        self.digits += other.digits;
        self.digit_blobs += other.digit_blobs;
        self.rounded += other.rounded;
        self.order.merge(&other.order);
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
    kind: ProbedKind,
    profile: ColumnProfile,
}

/// The kinds of types whose values need a closer look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ProbedKind {
    Uuid,
    Enum,
    Integer,
    /// Dates, timestamps and intervals: a modifier may read numbers.
    Time,
    Other,
}

impl ProbedKind {
    fn of(kind: &Kind) -> ProbedKind {
        match kind {
            Kind::Uuid => ProbedKind::Uuid,
            Kind::Enum { .. } => ProbedKind::Enum,
            Kind::Int2 | Kind::Int4 | Kind::Int8 => ProbedKind::Integer,
            Kind::Date | Kind::Timestamp { .. } | Kind::Timestamptz { .. } => ProbedKind::Time,
            Kind::Interval { .. } | Kind::IntervalOf { .. } => ProbedKind::Time,
            _ => ProbedKind::Other,
        }
    }
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
        let kind = ProbedKind::of(&kind.kind);
        let keeps_labels = matches!(kind, ProbedKind::Enum | ProbedKind::Integer);
        let profile = ColumnProfile { labels: keeps_labels.then(BTreeSet::new), ..ColumnProfile::default() };
        Some(Probe { plain, zoned, attempts, kind, profile })
    }

    /// Reads one value.
    pub fn read(&mut self, raw: Raw<'_>) {
        if raw == Raw::Null {
            self.profile.nulls += 1;
            return;
        }
        self.profile.values += 1;
        self.profile.stored.count(raw);
        if self.kind == ProbedKind::Time {
            self.profile.forms.add(if let Raw::Text(text) = raw { TimeForm::of(text) } else { None });
        }
        let mut losses = LossSet::default();
        match self.plain.convert(raw, &mut losses) {
            Err(reason) => self.refused(raw, reason),
            Ok(_) if self.kind == ProbedKind::Uuid => self.profile.order.note(raw),
            Ok(_) => self.profile.rounded += u64::from(losses.contains(Loss::FloatNoise)),
        }
    }

    #[cold]
    fn refused(&mut self, raw: Raw<'_>, reason: Reason) {
        let profile = &mut self.profile;
        let number = number(raw).or_else(|| digits(raw).filter(|_| self.kind == ProbedKind::Time));
        let class = match raw {
            Raw::Text([]) => {
                profile.empty += 1;
                return;
            }
            Raw::Blob(_) => ValueClass::Blob,
            _ if number.is_some() => ValueClass::Number,
            _ => ValueClass::Text,
        };
        if reason == Reason::NoZone && self.zoned.convert(raw, &mut LossSet::default()).is_ok() {
            profile.without_zone += 1;
            return;
        }
        profile.refused[class as usize] += 1;
        *profile.reasons.entry(reason).or_default() += 1;
        match (raw, self.kind) {
            (Raw::Text(_), _) if class == ValueClass::Number => profile.digits += 1,
            (Raw::Blob(bytes), ProbedKind::Integer) => {
                let is_read = self.plain.convert(Raw::Text(bytes), &mut LossSet::default()).is_ok();
                profile.digit_blobs += u64::from(is_read);
            }
            _ => {}
        }
        let mut is_rounded = false;
        for attempt in &mut self.attempts {
            let is_plausible = match (attempt.numbers, number) {
                (Some(range), Some(number)) => range.fits(number),
                (None, Some(_)) => false,
                (_, None) => attempt.numbers.is_none(),
            };
            let mut losses = LossSet::default();
            if !is_plausible || attempt.converter.convert(raw, &mut losses).is_err() {
                continue;
            }
            is_rounded |= losses.contains(Loss::FloatNoise);
            attempt.accepted[class as usize] += 1;
            if let Some(year) = number.and_then(|number| year(number, attempt.numbers)) {
                let span = profile.years.entry(attempt.written.clone()).or_insert((year, year));
                *span = (span.0.min(year), span.1.max(year));
            }
        }
        profile.rounded += u64::from(is_rounded);
        if matches!(self.kind, ProbedKind::Enum | ProbedKind::Integer) {
            keep_label(&mut profile.labels, raw);
        }
    }

    /// Returns a value as the column would hold it, by the first modifier that reads it. `None`: none does.
    pub fn converted<'a>(&'a self, raw: Raw<'a>) -> Option<Cell<'a>> {
        let trials = self.attempts.iter().map(|attempt| (&attempt.converter, attempt.numbers));
        let plain = [&self.plain, &self.zoned].map(|converter| (converter, None));
        let is_read = |numbers: Option<PlausibleNumbers>| match (numbers, number(raw)) {
            (Some(range), Some(number)) => range.fits(number),
            _ => true,
        };
        let fitting = plain.into_iter().chain(trials).filter(|(_, numbers)| is_read(*numbers));
        fitting.filter_map(|(converter, _)| converter.convert(raw, &mut LossSet::default()).ok()).next()
    }

    /// Returns the profile of the values that were read.
    pub fn profile(self) -> ColumnProfile {
        let tried = self.attempts.into_iter().map(|a| TriedModifier { written: a.written, accepted: a.accepted });
        ColumnProfile { tried: tried.collect(), ..self.profile }
    }
}

/// Keeps a refused text of a column of an enum or of integers.
fn keep_label(labels: &mut Option<BTreeSet<String>>, raw: Raw<'_>) {
    let text = match raw {
        Raw::Text(bytes) if bytes.len() <= LABEL_BYTES => std::str::from_utf8(bytes).ok().map(str::to_owned),
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

/// Returns the number whose digits a text is: a column of TEXT affinity stores a number so.
fn digits(raw: Raw<'_>) -> Option<f64> {
    let Raw::Text(bytes) = raw else { return None };
    let text = bytes.trim_ascii();
    let unsigned = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    if !unsigned.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profiled(kind: Kind, values: &[Raw<'_>]) -> ColumnProfile {
        let mut probe = Probe::new(&ColumnType::new(kind, 0, "test")).expect("a converter");
        values.iter().for_each(|raw| probe.read(*raw));
        probe.profile()
    }

    fn accepts_all(profile: &ColumnProfile, class: ValueClass) -> Vec<String> {
        let refused = profile.refused[class as usize];
        let all = profile.tried.iter().filter(|tried| tried.accepted[class as usize] == refused);
        all.map(|tried| tried.written.to_string()).collect()
    }

    fn years(profile: &ColumnProfile, written: &str) -> (i32, i32) {
        let (_, years) = profile.years.iter().find(|(modifier, _)| modifier.to_string() == written).expect("years");
        *years
    }

    #[test]
    fn digits_in_texts_are_numbers_of_a_time_unit() {
        let values = [Raw::Text(b"1600000000"), Raw::Text(b" 1700000000.5"), Raw::Integer(1_650_000_000)];
        let profile = profiled(Kind::Timestamptz { precision: 6 }, &values);
        assert_eq!(accepts_all(&profile, ValueClass::Number), ["epoch = \"s\""]);
        assert_eq!((profile.refused, profile.digits), ([3, 0, 0], 2));
        // The digits of a day count nothing, as a text or as a number.
        for day in [Raw::Text(b"20240131"), Raw::Integer(20_240_131)] {
            let profile = profiled(Kind::Timestamp { precision: 6 }, &[day, Raw::Text(b"1600000000")]);
            assert!(accepts_all(&profile, ValueClass::Number).is_empty());
        }
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
            assert_eq!(years(&profile, unit).0, 2020);
        }
        let profile = profiled(timestamp(), &[Raw::Real(2_459_000.5)]);
        assert_eq!(accepts_all(&profile, ValueClass::Number), ["epoch = \"julian\""]);
        assert_eq!(years(&profile, "epoch = \"julian\""), (2020, 2020));
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
