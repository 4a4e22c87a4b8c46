//! Text for reports: grouped numbers, names that are shortened in the middle, sentences that are broken into lines.
//!
//! Every function is pure. Widths are in terminal columns.

use std::borrow::Cow;

/// A count with a comma at every third digit: `1,234,567`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 row`, `7,152 rows`.
pub fn count(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(n), if n == 1 { one } else { many })
}

/// One of two phrases, with the count in place of `#`: `phrase(1, "# check says Same", "# checks say Same")`.
pub fn phrase(n: u64, one: &str, many: &str) -> String {
    (if n == 1 { one } else { many }).replace('#', &grouped(n))
}

/// Seconds with two decimals below ten and one below a thousand. A value that is no time is `-`.
pub fn seconds(s: f64) -> String {
    match s {
        s if !s.is_finite() || s < 0.0 => "-".to_owned(),
        s if s < 10.0 => format!("{s:.2}"),
        s if s < 1000.0 => format!("{s:.1}"),
        s => grouped(s.round() as u64),
    }
}

/// Rows per second. `-` if the time is too short for a meaningful number.
pub fn rate(rows: u64, s: f64) -> String {
    // Below a millisecond the clock and the scheduler decide the number, not the work.
    if rows == 0 || !s.is_finite() || s < 0.001 { "-".to_owned() } else { grouped((rows as f64 / s).round() as u64) }
}

/// `transactions, users and 3 more`.
pub fn some_of<S: AsRef<str>>(names: &[S], most: usize) -> String {
    let shown: Vec<&str> = names.iter().take(most).map(AsRef::as_ref).collect();
    match names.len().saturating_sub(shown.len()) {
        0 => shown.join(", "),
        left => format!("{} and {} more", shown.join(", "), grouped(left as u64)),
    }
}

/// The text as one sentence: without blanks around it, and with a full stop unless a mark or a semicolon ends it.
pub fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() || text.ends_with(['.', '!', '?', ';']) { text.to_owned() } else { format!("{text}.") }
}

/// The text without characters that control a terminal or change the reading direction, because a name from a database
/// may contain an escape sequence. Line breaks and tabs become blanks. Other such characters become their code point,
/// such as `\u{1b}`.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            c if is_hostile(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Characters of a line that is printed. A longer line has an ellipsis in its middle. A server or a file may send names and
/// messages of any length.
const LONGEST_LINE: usize = 4_000;

/// A text of several lines, each [`printable`] and of limited length. For everything that is printed.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    let is_long = |line: &str| line.len() > LONGEST_LINE && line.chars().nth(LONGEST_LINE).is_some();
    if !text.chars().any(|c| c != '\n' && is_hostile(c)) && !text.lines().any(is_long) {
        return Cow::Borrowed(text);
    }
    let line = |line: &str| {
        let line = printable(line);
        if is_long(&line) { elided(&line, LONGEST_LINE) } else { line.into_owned() }
    };
    Cow::Owned(text.split('\n').map(line).collect::<Vec<_>>().join("\n"))
}

/// A text that may be printed: nothing in it controls a terminal but the colours of this program.
pub struct Screen(String);

impl Screen {
    /// A text of any origin.
    pub fn of(text: &str) -> Screen {
        Screen(printable_lines(text).into_owned())
    }

    /// JSON.
    pub fn json(json: String) -> Screen {
        Screen(printable_json(json))
    }

    /// A text whose renderer made every part [`printable`] that it took from a name or a message.
    pub fn drawn(text: String) -> Screen {
        Screen(text)
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// Characters of another program's message that are kept.
const LONGEST_MESSAGE: usize = 2_000;

/// A message of a server with its middle left out if it is long. The server decides its length.
pub fn message(text: &str) -> Cow<'_, str> {
    // A character has at least one byte.
    if text.len() <= LONGEST_MESSAGE || text.chars().nth(LONGEST_MESSAGE).is_none() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(elided(text, LONGEST_MESSAGE))
}

/// The text with the number of characters that its middle lacks, so that `most` characters remain.
fn elided(text: &str, most: usize) -> String {
    let left_out = text.chars().count().saturating_sub(most);
    let head: String = text.chars().take(most - most / 4).collect();
    let tail: String = text.chars().skip(most - most / 4 + left_out).collect();
    format!("{head} … {} characters … {tail}", grouped(left_out as u64))
}

/// JSON text in which the characters that [`printable`] replaces are escaped. Its values do not change: such characters
/// occur only inside strings.
pub fn printable_json(json: String) -> String {
    let is_raw = |c: char| !matches!(c, '\n' | '\t' | '\r') && is_hostile(c);
    if !json.chars().any(is_raw) {
        return json;
    }
    let mut out = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        if is_raw(c) {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    out
}

/// Returns true for a character that controls a terminal, changes the reading direction, or is there without being seen.
pub fn is_hostile(c: char) -> bool {
    c.is_control() || is_invisible(c)
}

/// Returns true for marks of the reading direction, separators of lines and paragraphs, characters without width, and tags.
/// Combining marks and variation selectors belong to the character before them.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// The columns that the text occupies on a terminal.
pub fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// Zero for combining marks, two for East Asian wide characters and most emoji. Approximate, by whole blocks.
fn char_width(c: char) -> usize {
    match c as u32 {
        0x0300..=0x036f | 0x1ab0..=0x1aff | 0x200b..=0x200d | 0x20d0..=0x20ff | 0xfe00..=0xfe0f | 0xfe20..=0xfe2f => 0,
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60 => 2,
        0xffe0..=0xffe6 | 0x1f300..=0x1f64f | 0x1f680..=0x1f6ff | 0x1f900..=0x1f9ff | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// The text in at most `most` columns. An ellipsis replaces its middle, because names differ at both ends.
pub fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    if width(text) <= most {
        return Cow::Borrowed(text);
    }
    let room = most.saturating_sub(1);
    let head = within(text.chars(), room - room / 2);
    let tail = within(text.chars().rev(), room - width(&head));
    let tail: String = tail.chars().rev().collect();
    Cow::Owned(format!("{head}…{tail}"))
}

fn within(chars: impl Iterator<Item = char>, most: usize) -> String {
    let mut used = 0;
    chars
        .take_while(|c| {
            used += char_width(*c);
            used <= most
        })
        .collect()
}

/// The text in lines, broken at blanks. The first line has at most `first` columns, the others at most `rest`. A word
/// that is longer than a line is broken at its end.
pub fn wrapped(text: &str, first: usize, rest: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let mut word = word.to_owned();
        loop {
            let room = if lines.is_empty() { first } else { rest }.max(1);
            let used = width(&line);
            if used + usize::from(used > 0) + width(&word) <= room {
                if used > 0 {
                    line.push(' ');
                }
                line.push_str(&word);
                break;
            }
            if used > 0 {
                lines.push(std::mem::take(&mut line));
                continue;
            }
            let piece = within(word.chars(), room);
            // A character that is wider than the line gets a line of its own.
            let cut = if piece.is_empty() { word.chars().next().map_or(0, char::len_utf8) } else { piece.len() };
            lines.push(word[..cut].to_owned());
            word = word[cut..].to_owned();
            if word.is_empty() {
                break;
            }
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// The text with every line that is wider than `most` columns broken at blanks, and what continues it indented. A word stays
/// whole, and so does a command in backquotes that fits a line. For a terminal, which would break a line within a name.
pub fn broken(text: &str, most: usize) -> String {
    text.split('\n').map(|line| broken_line(line, most)).collect::<Vec<_>>().join("\n")
}

fn broken_line(line: &str, most: usize) -> String {
    if width(line) <= most {
        return line.to_owned();
    }
    let indent = line.len() - line.trim_start_matches(' ').len();
    let continued = format!("\n{}", " ".repeat(indent + 2));
    let (mut out, mut used) = (String::new(), 0);
    for word in spaced_words(line, most.saturating_sub(indent + 4)) {
        let is_first = out[out.rfind('\n').map_or(0, |at| at + 1)..].trim().is_empty();
        if is_first || used + width(&word) <= most {
            used += width(&word);
            out.push_str(&word);
        } else {
            let word = word.trim_start_matches(' ');
            used = indent + 2 + width(word);
            out.push_str(&continued);
            out.push_str(word);
        }
    }
    out
}

/// The words of a line, each with the blanks before it. A part in backquotes of at most `kept` columns is within one word.
fn spaced_words(line: &str, kept: usize) -> Vec<String> {
    let mut words = vec![String::new()];
    for (at, part) in line.split('`').enumerate() {
        let is_kept = at % 2 == 1 && width(part) <= kept;
        let quote = if at > 0 { "`" } else { "" };
        for c in quote.chars().chain(part.chars()) {
            match words.last_mut() {
                Some(word) if is_kept || c != ' ' || word.trim().is_empty() || word.ends_with(' ') => word.push(c),
                _ => words.push(c.to_string()),
            }
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_rounded() {
        let seen: Vec<String> = [0, 7, 999, 1_000, 7_152, 1_234_567, u64::MAX].into_iter().map(grouped).collect();
        assert_eq!(seen, ["0", "7", "999", "1,000", "7,152", "1,234,567", "18,446,744,073,709,551,615"]);
        assert_eq!((count(1, "row", "rows"), count(0, "row", "rows")), ("1 row".to_owned(), "0 rows".to_owned()));
        let times = [0.0, 0.004, 9.99, 10.0, 999.9, 5_400.4, f64::NAN, -1.0, f64::INFINITY].map(seconds);
        assert_eq!(times, ["0.00", "0.00", "9.99", "10.0", "999.9", "5,400", "-", "-", "-"]);
        assert_eq!([rate(0, 1.0), rate(10, 0.0), rate(10, f64::NAN), rate(300, 0.1)], ["-", "-", "-", "3,000"]);
    }

    #[test]
    fn control_characters_are_shown_as_code_points() {
        assert_eq!(printable("a\u{1b}[31mb\nc"), "a\\u{1b}[31mb c");
        assert_eq!(printable("x\u{202e}y"), "x\\u{202e}y");
        assert_eq!(printable("\u{9b}1m"), "\\u{9b}1m");
        assert_eq!(printable("zero\u{200b}width\u{e0041}"), "zero\\u{200b}width\\u{e0041}");
        assert!(matches!(printable("Überweisung 税 ❤\u{fe0f}"), Cow::Borrowed(_)));
    }

    #[test]
    fn printed_lines_are_free_of_controls_and_of_limited_length() {
        assert!(matches!(printable_lines("one\ntwo\n"), Cow::Borrowed(_)));
        assert_eq!(printable_lines("one\u{1b}[2J\ntwo\r\n"), "one\\u{1b}[2J\ntwo \n");
        let long = format!("begin{}end\nshort", "x".repeat(100_000));
        let lines: Vec<String> = printable_lines(&long).lines().map(str::to_owned).collect();
        assert!(lines[0].starts_with("begin") && lines[0].ends_with("end") && lines[0].contains("96,008 characters"));
        assert!(lines[0].chars().count() < LONGEST_LINE + 50 && lines[1] == "short");
    }

    #[test]
    fn json_keeps_its_values_without_a_raw_control_character() {
        let hostile = "a\u{1b}b\u{7f}c\u{9b}d\u{202e}e\u{200b}f\u{e0041}g\n\"\\";
        let json = printable_json(serde_json::to_string_pretty(&[hostile]).unwrap_or_default());
        assert!(!json.chars().any(|c| c != '\n' && is_hostile(c)), "{json}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&json).unwrap_or_default(), [hostile]);
    }

    #[test]
    fn long_names_lose_their_middle() {
        assert_eq!(shortened("budget_subcategory_templates", 13), "budget…plates");
        assert_eq!(shortened("users", 5), "users");
        for most in 1..12 {
            assert!(width(&shortened("税税税税税税", most)) <= most);
        }
    }

    #[test]
    fn a_message_is_broken_at_blanks_and_outside_of_its_commands() {
        let text =
            "migrate: target: the ledger has a run of another mapping. See `migrate status -m a.toml` first.\nshort";
        let lines: Vec<String> = broken(text, 66).lines().map(str::to_owned).collect();
        let all = [
            "migrate: target: the ledger has a run of another mapping. See",
            "  `migrate status -m a.toml` first.",
            "short",
        ];
        assert_eq!(lines, all);
        assert_eq!(broken(text, 200), text);
        let aligned = "   id         bigint   a key that is kept";
        assert_eq!(broken(aligned, 32), "   id         bigint   a key\n     that is kept");
        for most in 2..60 {
            // The longest word has 12 letters, and the command 28.
            assert!(broken(text, most).lines().all(|line| width(line) <= most.max(12 + 2)), "{most}");
            assert_eq!(broken(text, most).replace(['\n', ' '], ""), text.replace(['\n', ' '], ""));
        }
    }

    #[test]
    fn wrapped_lines_keep_their_width_and_every_word() {
        let text = "the value is text that is not a number and_one_very_long_word_that_fits_no_line 税税税税税税";
        for most in 2..40 {
            let lines = wrapped(text, most, most + 3);
            assert!(width(&lines[0]) <= most);
            assert!(lines.iter().all(|l| width(l) <= most + 3));
            assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
        }
        assert_eq!(wrapped("", 10, 10), [""]);
    }
}
