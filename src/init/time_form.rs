//! The written form of times: SQLite compares and computes them as texts.

/// The form of a time as a text. Two texts of one form are in the order of their times, and differ if their times differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeForm {
    /// The character between date and time. `None`: the text is a date.
    pub separator: Option<char>,
    /// True if seconds are written.
    pub has_seconds: bool,
    /// The digits of the fraction of a second.
    pub fraction: usize,
    /// True if a `Z` follows.
    pub is_utc: bool,
}

/// The forms of the times of a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeForms {
    /// The column has no value.
    #[default]
    Unseen,
    /// All values are texts of this form.
    One(TimeForm),
    /// Some value has another form, or is no text.
    Several,
}

impl TimeForms {
    /// Adds the form of a value. `None`: it has no such form.
    pub fn add(&mut self, form: Option<TimeForm>) {
        self.merge(form.map_or(TimeForms::Several, TimeForms::One));
    }

    /// Adds the forms of further values.
    pub fn merge(&mut self, other: TimeForms) {
        *self = match (*self, other) {
            (TimeForms::Unseen, one) | (one, TimeForms::Unseen) => one,
            (TimeForms::One(one), TimeForms::One(other)) if one == other => TimeForms::One(one),
            _ => TimeForms::Several,
        };
    }
}

impl TimeForm {
    /// A date without a time.
    pub const DATE: TimeForm = TimeForm { separator: None, has_seconds: false, fraction: 0, is_utc: false };

    /// Returns the form of a text: `YYYY-MM-DD`, and `HH:MM`, `HH:MM:SS` or a fraction of a second, and `Z`. The calendar is not
    /// judged. Hours end before 24 and seconds before 60, so that no two texts of a form are the same time.
    pub fn of(text: &[u8]) -> Option<TimeForm> {
        let rest = digits(text, "dddd-dd-dd")?;
        let Some((separator, rest)) = rest.split_first() else { return Some(TimeForm::DATE) };
        if ![b' ', b'T'].contains(separator) {
            return None;
        }
        let mut form = TimeForm { separator: Some(char::from(*separator)), ..TimeForm::DATE };
        let mut after = digits(rest, "dd:dd").filter(|_| rest < b"24".as_slice() && rest[3] < b'6')?;
        if let Some(seconds) = after.strip_prefix(b":") {
            after = digits(seconds, "dd").filter(|_| seconds[0] < b'6')?;
            form.has_seconds = true;
            if let Some(fraction) = after.strip_prefix(b".") {
                form.fraction = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
                after = fraction.get(form.fraction..).filter(|_| (1..=6).contains(&form.fraction))?;
            }
        }
        form.is_utc = after == b"Z";
        (after.is_empty() || form.is_utc).then_some(form)
    }
}

/// Returns the rest of a text after a pattern, in which `d` is any digit.
fn digits<'t>(text: &'t [u8], pattern: &str) -> Option<&'t [u8]> {
    let (first, rest) = text.split_at_checked(pattern.len())?;
    let is_it = |(byte, wanted): (&u8, u8)| if wanted == b'd' { byte.is_ascii_digit() } else { *byte == wanted };
    first.iter().zip(pattern.bytes()).all(is_it).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_has_the_order_of_its_times() {
        let form = |text: &str| TimeForm::of(text.as_bytes());
        let full = TimeForm { separator: Some(' '), has_seconds: true, fraction: 0, is_utc: false };
        assert_eq!(form("2024-01-02"), Some(TimeForm::DATE));
        assert_eq!(form("2024-01-02 03:04:05"), Some(full));
        assert_eq!(
            form("2024-01-02T23:59:59.123456Z").map(|form| (form.separator, form.fraction, form.is_utc)),
            Some((Some('T'), 6, true))
        );
        assert_eq!(form("2024-01-02 03:04").map(|form| form.has_seconds), Some(false));
        for other in [
            "",
            "2024-1-2",
            "2024-01-02 ",
            "2024-01-02 24:00:00",
            "2024-01-02 03:04:60",
            "2024-01-02 03:60",
            "2024-01-02 03:04:05+01:00",
            "2024-01-02 03:04:05.",
            "2024-01-02 03:04:05.1234567",
            "x024-01-02",
            "2024-01-02 03:04:05 Z",
            "-024-01-02",
        ] {
            assert_eq!(form(other), None, "{other}");
        }
        let mut forms = TimeForms::default();
        forms.add(Some(full));
        forms.merge(TimeForms::Unseen);
        assert_eq!(forms, TimeForms::One(full));
        forms.add(Some(TimeForm::DATE));
        assert_eq!(forms, TimeForms::Several);
    }
}
