//! Expressions whose value differs with each call: the current time and random bytes, as the default of a column.

use super::sorts::Refused;
use super::tree::{BinaryOperator, SqlExpr};
use crate::model::pgtype::Kind;
use crate::model::rules::Epoch;
use crate::schema::names::text_literal;

/// The current time in UTC, without an offset.
const UTC: &str = "now() AT TIME ZONE 'UTC'";

/// The forms of a whole date and time, as the engine reads them into a column of such times.
const WHOLE: [&str; 8] = [
    "YYYY-MM-DD HH24:MI:SS",
    "YYYY-MM-DD HH24:MI:SS.MS",
    "YYYY-MM-DD HH24:MI:SS\"Z\"",
    "YYYY-MM-DD HH24:MI:SS.MS\"Z\"",
    "YYYY-MM-DD\"T\"HH24:MI:SS",
    "YYYY-MM-DD\"T\"HH24:MI:SS.MS",
    "YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"",
    "YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"",
];

/// The form of a date.
const DAY: &str = "YYYY-MM-DD";

/// Factors of seconds that make a unit of time: seconds, milliseconds, microseconds, nanoseconds.
const UNITS: [i64; 4] = [1, 1_000, 1_000_000, 1_000_000_000];

/// The seconds since 1970.
const SECONDS: &str = "floor(extract(epoch from now()))::bigint";

/// A moment that the expression returns: the form of its value.
enum CurrentTime {
    /// A text, by the format of `to_char`.
    Written(String),
    /// Seconds since 1970, times a factor.
    Seconds(i64),
    /// The Julian day.
    Julian,
}

/// Returns the default for a column of a type. `None` if the expression is neither the current time nor random.
///
/// # Errors
/// The reason why a column of the type cannot have it.
pub fn current_default(expression: &SqlExpr, kind: &Kind) -> Result<Option<String>, Refused> {
    if let Some((digits, is_lower)) = random_digits(expression) {
        return random(digits, is_lower, kind).map(Some);
    }
    let Some(found) = current(expression)? else { return Ok(None) };
    // A part of the time, such as the day, is another moment than the time itself.
    let is_whole = match &found {
        CurrentTime::Written(form) => WHOLE.contains(&form.as_str()),
        CurrentTime::Seconds(factor) => UNITS.contains(factor),
        CurrentTime::Julian => true,
    };
    let sql = match (&found, kind) {
        (_, Kind::Timestamptz { .. }) if is_whole => Some("now()".to_owned()),
        (_, Kind::Timestamp { .. }) if is_whole => Some(format!("({UTC})")),
        (CurrentTime::Written(form), Kind::Timestamptz { .. }) if form == DAY => {
            Some(format!("(date_trunc('day', {UTC}) AT TIME ZONE 'UTC')"))
        }
        (CurrentTime::Written(form), Kind::Timestamp { .. }) if form == DAY => {
            Some(format!("date_trunc('day', {UTC})"))
        }
        (CurrentTime::Written(form), Kind::Text) => Some(format!("to_char({UTC}, {})", text_literal(form))),
        (CurrentTime::Written(form), Kind::Date) if form == DAY => Some(format!("({UTC})::date")),
        (CurrentTime::Written(form), Kind::Time { .. }) if form == "HH24:MI:SS" => Some(format!("({UTC})::time(0)")),
        (CurrentTime::Seconds(1), Kind::Int8) => Some(SECONDS.to_owned()),
        (CurrentTime::Seconds(factor), Kind::Int8) if is_whole => Some(format!("{SECONDS} * {factor}")),
        (CurrentTime::Julian, Kind::Float8) => {
            Some("(extract(epoch from now())::float8 / 86400 + 2440587.5)".to_owned())
        }
        _ => None,
    };
    sql.map(Some).ok_or_else(|| "the current time has another form in a column of this type".to_owned())
}

/// Returns the unit of the current time as a number. `None`: the expression is something else.
pub fn current_epoch(expression: &SqlExpr) -> Option<Epoch> {
    match current(expression).ok()?? {
        CurrentTime::Seconds(1) => Some(Epoch::Seconds),
        CurrentTime::Seconds(1_000) => Some(Epoch::Millis),
        CurrentTime::Seconds(1_000_000) => Some(Epoch::Micros),
        CurrentTime::Seconds(1_000_000_000) => Some(Epoch::Nanos),
        CurrentTime::Julian => Some(Epoch::Julian),
        CurrentTime::Seconds(_) | CurrentTime::Written(_) => None,
    }
}

fn current(expression: &SqlExpr) -> Result<Option<CurrentTime>, Refused> {
    let written = |form: &str| Ok(Some(CurrentTime::Written(form.to_owned())));
    match expression {
        SqlExpr::Binary(BinaryOperator::Multiply, left, right) => match (current(left)?, right.as_ref()) {
            (Some(CurrentTime::Seconds(1)), SqlExpr::Integer(factor)) => Ok(Some(CurrentTime::Seconds(*factor))),
            _ => Ok(None),
        },
        SqlExpr::Cast(inner, to) if to.contains("INT") => {
            Ok(current(inner)?.filter(|found| matches!(found, CurrentTime::Seconds(_))))
        }
        SqlExpr::Call(function, arguments) => {
            let texts: Option<Vec<&str>> = arguments
                .iter()
                .map(|one| if let SqlExpr::Text(text) = one { Some(text.as_str()) } else { None })
                .collect();
            match (function.as_str(), texts.as_deref()) {
                ("datetime" | "date" | "time", Some(["now", "localtime"])) => {
                    Err("it is the time of the zone of the machine".to_owned())
                }
                ("datetime", Some([] | ["now"])) => written("YYYY-MM-DD HH24:MI:SS"),
                ("date", Some([] | ["now"])) => written(DAY),
                ("time", Some([] | ["now"])) => written("HH24:MI:SS"),
                ("unixepoch", Some([] | ["now"])) | ("strftime", Some(["%s"] | ["%s", "now"])) => {
                    Ok(Some(CurrentTime::Seconds(1)))
                }
                ("julianday", Some([] | ["now"])) => Ok(Some(CurrentTime::Julian)),
                ("strftime", Some([format] | [format, "now"])) => Ok(Some(CurrentTime::Written(form(format)?))),
                _ => Ok(None),
            }
        }
        _ => Ok(None),
    }
}

/// Returns the format of `to_char` for one of `strftime`.
fn form(format: &str) -> Result<String, Refused> {
    let mut out = String::new();
    let mut characters = format.chars();
    while let Some(c) = characters.next() {
        if c != '%' {
            let is_mark = "-: .,/".contains(c);
            if !is_mark && !c.is_ascii_alphanumeric() {
                return Err(format!("strftime with the character {c} is not translated"));
            }
            out.push_str(&if is_mark { c.to_string() } else { format!("\"{c}\"") });
            continue;
        }
        out.push_str(match characters.next() {
            Some('Y') => "YYYY",
            Some('m') => "MM",
            Some('d') => "DD",
            Some('H') => "HH24",
            Some('M') => "MI",
            Some('S') => "SS",
            Some('f') => "SS.MS",
            _ => return Err("a part of the format of strftime is not translated".to_owned()),
        });
    }
    Ok(out)
}

/// Returns the number of hexadecimal digits of `hex(randomblob(n))`, and if they are small letters.
fn random_digits(expression: &SqlExpr) -> Option<(i64, bool)> {
    let call = |expression: &SqlExpr, wanted: &str| match expression {
        SqlExpr::Call(function, arguments) if function == wanted => arguments.first().cloned(),
        _ => None,
    };
    let (inner, is_lower) = match call(expression, "lower") {
        Some(inner) => (inner, true),
        None => (expression.clone(), false),
    };
    match call(&call(&inner, "hex")?, "randomblob")? {
        SqlExpr::Integer(bytes) => Some((bytes.saturating_mul(2), is_lower)),
        _ => None,
    }
}

fn random(digits: i64, is_lower: bool, kind: &Kind) -> Result<String, Refused> {
    if !(2..=32).contains(&digits) {
        return Err("it has more random digits than a UUID".to_owned());
    }
    match kind {
        Kind::Uuid if digits == 32 => Ok("gen_random_uuid()".to_owned()),
        Kind::Text => {
            let all = "replace(gen_random_uuid()::text, '-', '')".to_owned();
            let some = if digits == 32 { all } else { format!("left({all}, {digits})") };
            Ok(if is_lower { some } else { format!("upper({some})") })
        }
        _ => Err("random digits are a text".to_owned()),
    }
}
