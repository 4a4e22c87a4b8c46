//! Functions of dates and comparisons of times, for columns whose times all have one written form.

use super::columns::Scope;
use super::sorts::{Refused, Translated, UniformTime, ValueSort};
use super::tree::{BinaryOperator, SqlExpr};
use crate::init::TimeForm;
use crate::model::pgtype::Kind;
use crate::schema::names::text_literal;

/// Days by which a modifier moves a time at most, so that no year before 0 is reached.
const MOST_DAYS: i64 = 366;

/// Digits of a fraction of a second with which SQLite computes.
const FRACTION: usize = 3;

impl Scope {
    /// Returns a function of dates.
    pub fn function_of_times(&self, function: &str, arguments: &[SqlExpr]) -> Result<Translated, Refused> {
        let refused = || format!("the function {function} is not translated for these values");
        let (format, arguments) = match (function, arguments) {
            ("strftime", [SqlExpr::Text(format), rest @ ..]) => (format.as_str(), rest),
            ("strftime", _) => return Err("its format is no literal".to_owned()),
            (_, all) => ("", all),
        };
        let [time, modifiers @ ..] = arguments else { return Err(refused()) };
        let value = self.translate(time)?;
        let moment = value.moment.as_ref().filter(|_| value.sort == ValueSort::Moment).ok_or_else(refused)?;
        if moment.form.fraction > FRACTION {
            return Err("SQLite rounds its fractions of a second".to_owned());
        }
        let parts = TimeParts::new(&value.sql, moment).moved(modifiers)?;
        let found = match function {
            "date" => Translated::atom(parts.written("%Y-%m-%d")?, ValueSort::Text),
            "time" => Translated::atom(parts.written("%H:%M:%S")?, ValueSort::Text),
            "datetime" => Translated::atom(parts.written("%Y-%m-%d %H:%M:%S")?, ValueSort::Text),
            "strftime" => {
                let digits = parts.number(format);
                let text = Translated::atom(parts.written(format)?, ValueSort::Text);
                Translated { digits, ..text }
            }
            "unixepoch" => Translated::atom(parts.seconds(), ValueSort::Integer),
            "julianday" => Translated::atom(parts.julian(), ValueSort::Real),
            _ => return Err(refused()),
        };
        Ok(found.of(&[&value]))
    }
}

/// The parts of a time, as immutable expressions over a timestamp.
struct TimeParts {
    /// The timestamp in UTC, in brackets or an atom.
    at: String,
    /// The times that SQLite divides into their parts after modifiers have moved them, so that they may leave the years from 1 to
    /// 9999: those before `start of`, and the last one.
    moved: Vec<String>,
}

impl TimeParts {
    fn new(sql: &str, moment: &UniformTime) -> TimeParts {
        let at = match moment.kind {
            Kind::Timestamp { .. } => sql.to_owned(),
            Kind::Timestamptz { .. } => format!("({sql} AT TIME ZONE 'UTC')"),
            _ => format!("{sql}::timestamp"),
        };
        TimeParts { at, moved: Vec::new() }
    }

    fn moved(mut self, modifiers: &[SqlExpr]) -> Result<TimeParts, Refused> {
        let (mut days, mut is_moved) = (0, false);
        for modifier in modifiers {
            let SqlExpr::Text(modifier) = modifier else { return Err("a modifier of it is no literal".to_owned()) };
            let modifier = modifier.to_ascii_lowercase();
            if let Some(unit) =
                modifier.strip_prefix("start of ").filter(|unit| ["day", "month", "year"].contains(unit))
            {
                self.moved.extend(std::mem::take(&mut is_moved).then(|| self.at.clone()));
                self.at = format!("date_trunc('{unit}', {})", self.at);
                continue;
            }
            let step = step(&modifier).ok_or_else(|| format!("the modifier {modifier} is not translated"))?;
            days += step.days;
            if days > MOST_DAYS {
                return Err(format!("its modifiers move a time by more than {MOST_DAYS} days"));
            }
            self.at = format!("({} + interval '{}')", self.at, step.interval);
            is_moved = true;
        }
        self.moved.extend(is_moved.then(|| self.at.clone()));
        Ok(self)
    }

    /// SQLite has no time after the year 9999, except between two modifiers that move it.
    fn within(&self, sql: String) -> String {
        let limits = self.moved.iter().map(|at| format!("{at} < '10000-01-01'::timestamp"));
        let limits: Vec<String> = limits.collect();
        if limits.is_empty() { sql } else { format!("CASE WHEN {} THEN {sql} END", limits.join(" AND ")) }
    }

    fn field(&self, field: &str) -> String {
        format!("extract({field} from {})", self.at)
    }

    /// The year before 1 is 0 in SQLite.
    fn year(&self) -> String {
        let year = format!("{}::int", self.field("year"));
        if self.moved.is_empty() { year } else { format!("greatest({year}, 0)") }
    }

    fn milliseconds(&self) -> String {
        format!("round(({} * 1000)::numeric)::bigint", self.field("epoch"))
    }

    fn seconds(&self) -> String {
        self.within(format!("floor({})::bigint", self.field("epoch")))
    }

    fn julian(&self) -> String {
        self.within(format!("(({} + 210866760000000)::float8 / 86400000)", self.milliseconds()))
    }

    /// A part with leading zeros.
    fn padded(number: &str, width: usize) -> String {
        format!("lpad({number}::text, {width}, '0')")
    }

    /// Returns a time in a format of `strftime`.
    fn written(&self, format: &str) -> Result<String, Refused> {
        let mut parts: Vec<String> = Vec::new();
        let mut literal = String::new();
        let mut characters = format.chars();
        while let Some(c) = characters.next() {
            if c != '%' {
                literal.push(c);
                continue;
            }
            let whole = |field: &str| format!("{}::int", self.field(field));
            let second = format!("floor({})::int", self.field("second"));
            let part = match characters.next() {
                Some('Y') => TimeParts::padded(&self.year(), 4),
                Some('m') => TimeParts::padded(&whole("month"), 2),
                Some('d') => TimeParts::padded(&whole("day"), 2),
                Some('H') => TimeParts::padded(&whole("hour"), 2),
                Some('M') => TimeParts::padded(&whole("minute"), 2),
                Some('S') => TimeParts::padded(&second, 2),
                Some('f') => format!("lpad(round({}::numeric, 3)::text, 6, '0')", self.field("second")),
                Some('j') => TimeParts::padded(&whole("doy"), 3),
                Some('w') => format!("{}::text", whole("dow")),
                Some('s') => format!("(floor({})::bigint)::text", self.field("epoch")),
                Some('%') => {
                    literal.push('%');
                    continue;
                }
                _ => return Err("a part of the format of strftime is not translated".to_owned()),
            };
            if !literal.is_empty() {
                parts.push(text_literal(&std::mem::take(&mut literal)));
            }
            parts.push(part);
        }
        if parts.is_empty() {
            return Err("the format of strftime has no part".to_owned());
        }
        if !literal.is_empty() {
            parts.push(text_literal(&literal));
        }
        let sql = self.within(format!("({})", parts.join(" || ")));
        Ok(format!("({sql})"))
    }

    /// Returns the integer that a format of one part writes.
    fn number(&self, format: &str) -> Option<String> {
        let whole = |field: &str| format!("{}::int::bigint", self.field(field));
        let sql = match format {
            "%Y" => format!("{}::bigint", self.year()),
            "%m" => whole("month"),
            "%d" => whole("day"),
            "%H" => whole("hour"),
            "%M" => whole("minute"),
            "%S" => format!("floor({})::bigint", self.field("second")),
            "%j" => whole("doy"),
            "%w" => whole("dow"),
            "%s" => format!("floor({})::bigint", self.field("epoch")),
            _ => return None,
        };
        Some(format!("({})", self.within(sql)))
    }
}

/// A modifier that moves a time.
struct TimeStep {
    interval: String,
    /// The days that it moves the time at most.
    days: i64,
}

/// Reads a modifier such as `+7 days`.
fn step(modifier: &str) -> Option<TimeStep> {
    let (number, unit) = modifier.split_once(' ')?;
    let digits = number.strip_prefix(['+', '-']).unwrap_or(number);
    if digits.is_empty() || digits.len() > 9 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount: i64 = digits.parse().ok()?;
    let unit = unit.strip_suffix('s').unwrap_or(unit);
    let of_a_day = match unit {
        "day" => 1,
        "hour" => 24,
        "minute" => 1_440,
        "second" => 86_400,
        _ => return None,
    };
    let sign = if number.starts_with('-') { "-" } else { "" };
    Some(TimeStep { interval: format!("{sign}{amount} {unit}"), days: (amount + of_a_day - 1) / of_a_day })
}

/// Returns a comparison between a time and a literal text.
///
/// # Errors
/// If the text is no time that has the order of the column's texts.
pub fn with_literal_time(operator: BinaryOperator, time: &Translated, literal: &str) -> Result<Translated, Refused> {
    use BinaryOperator::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    let moment = time.moment.as_ref().ok_or("its form is not known")?;
    let other = || format!("the text {} has another form than the times", text_literal(literal));
    let form = TimeForm::of(literal.as_bytes()).filter(|_| is_of_calendar(literal)).ok_or_else(other)?;
    // A date precedes every longer text that begins with it.
    let operator = match operator {
        operator if form == moment.form => operator,
        Less | LessOrEqual if form == TimeForm::DATE => Less,
        Greater | GreaterOrEqual if form == TimeForm::DATE => GreaterOrEqual,
        _ => return Err(other()),
    };
    let word = match operator {
        Equal => "=",
        NotEqual => "<>",
        Less => "<",
        LessOrEqual => "<=",
        Greater => ">",
        GreaterOrEqual => ">=",
        _ => return Err(other()),
    };
    let literal = match moment.kind {
        Kind::Timestamp { .. } => format!("'{literal}'::timestamp"),
        // The form of a date has no zone.
        Kind::Timestamptz { .. } if form == TimeForm::DATE => format!("'{literal}T00:00:00Z'::timestamptz"),
        Kind::Timestamptz { .. } => format!("'{literal}'::timestamptz"),
        _ => format!("'{literal}'::date"),
    };
    Ok(Translated::wide(format!("{} {word} {literal}", time.operand()), ValueSort::Truth).of(&[time]))
}

/// Returns the operator of the same comparison with its operands exchanged.
pub fn mirrored(operator: BinaryOperator) -> BinaryOperator {
    match operator {
        BinaryOperator::Less => BinaryOperator::Greater,
        BinaryOperator::LessOrEqual => BinaryOperator::GreaterOrEqual,
        BinaryOperator::Greater => BinaryOperator::Less,
        BinaryOperator::GreaterOrEqual => BinaryOperator::LessOrEqual,
        other => other,
    }
}

/// Returns true if the text begins with a day of the calendar from year 1 on.
fn is_of_calendar(text: &str) -> bool {
    let part = |from: usize, to: usize| text.get(from..to).and_then(|digits| digits.parse::<u32>().ok());
    let (Some(year), Some(month), Some(day)) = (part(0, 4), part(5, 7), part(8, 10)) else { return false };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 => 28 + u32::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    year > 0 && (1..=last).contains(&day)
}
