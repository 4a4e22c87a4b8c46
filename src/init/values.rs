//! The line of one column: its source column and the modifiers that all of its values prove.

use super::candidates::WrittenModifier;
use super::draft::{DraftLine, Ground};
use super::names::{NameMatch, NamePair};
use super::probe::{ColumnProfile, TriedModifier, ValueClass};
use super::render::string;
use crate::model::fault::Reason;
use crate::model::ident::quoted;
use crate::model::pgtype::Kind;
use crate::model::rules::UuidBytes;
use crate::model::schema::TargetColumn;
use crate::model::words::joined;
use crate::text::{count, grouped};

/// Reasons that a question lists.
const REASONS: usize = 3;

/// Pairs of words that mean true and false.
const BOOLEANS: [(&str, &str); 5] = [("t", "f"), ("true", "false"), ("y", "n"), ("yes", "no"), ("on", "off")];

/// Modifiers and the evidence for each.
#[derive(Default)]
struct Proven {
    modifiers: Vec<WrittenModifier>,
    evidence: Vec<String>,
    /// The classes of refused values that no modifier reads, or several do.
    open: Vec<String>,
}

impl Proven {
    /// Adds a modifier that some values prove. Two values of one key are an open question.
    fn add(&mut self, modifier: WrittenModifier, evidence: String) {
        match self.modifiers.iter().find(|known| known.key == modifier.key) {
            Some(known) if *known != modifier => {
                self.open.push(format!("{evidence} need {modifier}, and others {known} (write sql = \"...\")"));
            }
            Some(_) => self.evidence.push(evidence),
            None => {
                self.modifiers.push(modifier);
                self.evidence.push(evidence);
            }
        }
    }
}

/// The facts that decide a line in addition to the values.
#[derive(Clone, Copy, Default)]
pub struct ValueContext {
    /// True if a question may list refused texts of an enum.
    pub shows_values: bool,
    /// True if Django made the source: it writes durations in microseconds.
    pub is_django: bool,
    /// The byte order that the UUIDs of all columns prove.
    pub order: Option<UuidBytes>,
}

/// The proof that a column holds every value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnProof {
    /// It holds every value as it is.
    Plain,
    /// It holds every value by modifiers, as a mapping writes them.
    Modified(String),
    /// Nothing proves that it holds every value.
    Open,
}

/// Returns the proof for a column that a source column of the same name feeds.
pub fn proof(column: &TargetColumn, profile: &ColumnProfile) -> ColumnProof {
    let pair = NamePair { source: column.name.clone(), target: column.name.clone(), by: NameMatch::Equal };
    match line(&pair, column, profile, ValueContext::default()) {
        None => ColumnProof::Plain,
        Some(line) if line.ground == Ground::Question => ColumnProof::Open,
        Some(line) => ColumnProof::Modified(line.value),
    }
}

/// Returns the line of a column. `None` if it needs none.
pub fn line(
    pair: &NamePair,
    column: &TargetColumn,
    profile: &ColumnProfile,
    context: ValueContext,
) -> Option<DraftLine> {
    let mut proven = Proven::default();
    if profile.empty > 0 {
        let empty = WrittenModifier::new("null_if", "[\"\"]");
        proven.add(empty, format!("{}: empty", share(profile.empty, profile)));
    }
    let nulls = profile.nulls + profile.empty;
    if profile.digit_blobs > 0 && profile.digit_blobs == profile.values && !(column.not_null && nulls > 0) {
        return Some(digits_in_blobs(pair, profile));
    }
    for class in ValueClass::ALL {
        if profile.refused[class as usize] > 0 {
            prove(&mut proven, column, ClassProfile { profile, class, context });
        }
    }
    prove_order(&mut proven, profile, context);
    if column.not_null && nulls > 0 {
        let all = count(profile.nulls + profile.values, "value", "values");
        let of = if profile.empty > 0 { "NULL or empty" } else { "NULL" };
        proven
            .open
            .push(format!("{} of {all}: {of}, and the column is NOT NULL (write if_null = ...)", grouped(nulls)));
    }
    let renamed = pair.by > NameMatch::Case;
    if !proven.open.is_empty() {
        let texts = profile.labels.iter().filter(|_| context.shows_values).flatten().map(|text| string(text));
        let texts: Vec<String> = texts.collect();
        if !texts.is_empty() {
            proven.open.push(format!("the values: {}", texts.join(", ")));
        }
        return Some(question(pair, &proven, renamed));
    }
    if renamed {
        proven.evidence.insert(0, format!("the names {}", pair.by.reason()));
    }
    let why = proven.evidence.join("; ");
    let line = match (renamed, proven.modifiers.is_empty()) {
        (false, true) => return None,
        (true, true) if pair.by == NameMatch::Reference => DraftLine::inferred(&pair.target, string(&pair.source), why),
        (true, true) => DraftLine::certain(&pair.target, string(&pair.source), why),
        (_, false) => {
            let from = renamed.then(|| format!("from = {}", string(&pair.source)));
            let modifiers = proven.modifiers.iter().map(WrittenModifier::to_string);
            let all: Vec<String> = from.into_iter().chain(modifiers).collect();
            DraftLine::inferred(&pair.target, format!("{{ {} }}", all.join(", ")), why)
        }
    };
    Some(line)
}

/// The line of integers that the source stores as blobs of their digits, as Drizzle does. SQLite reads their bytes as text.
fn digits_in_blobs(pair: &NamePair, profile: &ColumnProfile) -> DraftLine {
    let sql = string(&format!("CAST({} AS TEXT)", quoted(&pair.source)));
    let why = format!("{}: digits in blobs", share(profile.digit_blobs, profile));
    DraftLine::inferred(&pair.target, format!("{{ sql = {sql} }}"), why)
}

/// Finds the byte order of UUIDs that are blobs. The order of RFC 4122 needs no line if the run finds the same proof.
fn prove_order(proven: &mut Proven, profile: &ColumnProfile, context: ValueContext) {
    let order = &profile.order;
    if order.blobs == 0 {
        return;
    }
    let blobs = format!("{}: blobs of 16 bytes", share(order.blobs, profile));
    let dotnet = || WrittenModifier::new("bytes", "\"dotnet\"");
    match (order.only(), context.order) {
        (Some(UuidBytes::Rfc), _) => {}
        (Some(UuidBytes::Dotnet), _) => proven.add(dotnet(), format!("{blobs} with versions in the byte order of .NET")),
        (None, Some(UuidBytes::Rfc)) if order.can_be(UuidBytes::Rfc) => {}
        (None, Some(UuidBytes::Dotnet)) if order.can_be(UuidBytes::Dotnet) => {
            proven.add(dotnet(), format!("{blobs} that can be of .NET, whose byte order other columns prove"));
        }
        _ => proven.open.push(format!(
            "{blobs} do not prove their byte order (write bytes = \"rfc\" for that of the text, as most libraries store them, or \
             bytes = \"dotnet\" for Guids of .NET)"
        )),
    }
}

/// A number of values among all that are not NULL: `3 of 7,152 values`.
fn share(part: u64, profile: &ColumnProfile) -> String {
    format!("{} of {}", grouped(part), count(profile.values, "value", "values"))
}

/// The values of one class in a column.
#[derive(Clone, Copy)]
struct ClassProfile<'a> {
    profile: &'a ColumnProfile,
    class: ValueClass,
    context: ValueContext,
}

impl ClassProfile<'_> {
    fn noun(&self) -> &'static str {
        match self.class {
            ValueClass::Number if self.profile.digits == self.profile.refused[0] => "digits in texts",
            ValueClass::Number if self.profile.digits > 0 => "numbers, and digits in texts",
            class => class.noun(),
        }
    }
}

/// Finds the modifier for the refused values of a class.
fn prove(proven: &mut Proven, column: &TargetColumn, values: ClassProfile<'_>) {
    let ClassProfile { profile, class, context } = values;
    let refused = profile.refused[class as usize];
    let reads_all = |tried: &&TriedModifier| tried.accepted[class as usize] == refused;
    let all: Vec<&WrittenModifier> = profile.tried.iter().filter(reads_all).map(|tried| &tried.written).collect();
    let evidence = format!("{}: {}", share(refused, profile), values.noun());
    if class != ValueClass::Blob
        && let Some(map) = labels(column, profile)
    {
        proven.add(map, format!("{evidence}, each spelled like one label"));
        return;
    }
    if class == ValueClass::Text
        && let Some(map) = booleans(column, profile)
    {
        if map.is_proved {
            proven.add(map.modifier, format!("{evidence}, one word for true and one for false"));
        } else {
            proven.open.push(format!("{evidence} that may be words for true or false (write {})", map.modifier));
        }
        return;
    }
    let microseconds = WrittenModifier::new("unit", "\"us\"");
    if context.is_django && class == ValueClass::Number && all.contains(&&microseconds) {
        proven.add(microseconds, format!("{evidence}; Django writes microseconds"));
        return;
    }
    match all.as_slice() {
        [one] => {
            let years =
                profile.years.get(one).map_or_else(String::new, |(first, last)| format!(", years {first} to {last}"));
            proven.add((*one).clone(), format!("{evidence}{years}"));
        }
        [] => proven.open.push(refusals(profile)),
        [first, ..] if first.key == "trim" => {
            proven.add((*first).clone(), format!("{evidence} with white space at an end"));
        }
        several => {
            let several: Vec<String> = several.iter().map(|modifier| modifier.to_string()).collect();
            proven.open.push(format!("{evidence} with several readings (write {})", several.join(", or ")));
        }
    }
    proven.open.dedup();
}

/// Words for true and false in a column of integers.
struct BooleanWords {
    modifier: WrittenModifier,
    /// True if every value is one of two words, one for true and one for false.
    is_proved: bool,
}

/// Returns the map of words for true and false to 1 and 0. `None` if a refused text is another word.
fn booleans(column: &TargetColumn, profile: &ColumnProfile) -> Option<BooleanWords> {
    if !matches!(column.kind.kind, Kind::Int2 | Kind::Int4 | Kind::Int8) {
        return None;
    }
    let texts = profile.labels.as_ref().filter(|texts| !texts.is_empty())?;
    let is_one = |text: &String, word: &str| text.eq_ignore_ascii_case(word);
    let (yes, no) = BOOLEANS.iter().find(|(yes, no)| texts.iter().all(|text| is_one(text, yes) || is_one(text, no)))?;
    let entry = |text: &String| format!("{} = {}", string(text), u8::from(is_one(text, yes)));
    let entries: Vec<String> = texts.iter().map(entry).collect();
    let is_pair = texts.len() == 2 && [yes, no].iter().all(|word| texts.iter().any(|text| is_one(text, word)));
    let is_proved = is_pair && profile.refused[ValueClass::Text as usize] + profile.empty == profile.values;
    Some(BooleanWords { modifier: WrittenModifier::new("map", format!("{{ {} }}", entries.join(", "))), is_proved })
}

/// Returns the reasons for which values are refused, each with its way out.
fn refusals(profile: &ColumnProfile) -> String {
    let mut reasons: Vec<(u64, _)> = profile.reasons.iter().map(|(reason, count)| (*count, *reason)).collect();
    reasons.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let more = reasons.len().saturating_sub(REASONS);
    let one = |(values, reason): &(u64, Reason)| {
        format!("{}: {} (write {})", share(*values, profile), reason.word(), reason.advice())
    };
    let mut text = reasons.iter().take(REASONS).map(one).collect::<Vec<_>>().join("; ");
    if more > 0 {
        text.push_str(&format!("; and {} more", count(more as u64, "reason", "reasons")));
    }
    text
}

/// Returns `map = { ... }` for texts that are labels in another spelling. `None` unless each text is like exactly one label, and
/// no two of them are like the same label.
fn labels(column: &TargetColumn, profile: &ColumnProfile) -> Option<WrittenModifier> {
    let Kind::Enum { labels } = &column.kind.kind else { return None };
    let texts = profile.labels.as_ref().filter(|texts| !texts.is_empty())?;
    let mut entries: Vec<(&str, &str)> = Vec::new();
    for text in texts {
        let mut alike = labels.iter().filter(|label| joined(label) == joined(text));
        let (label, None) = (alike.next()?, alike.next()) else { return None };
        if entries.iter().any(|(_, taken)| taken == label) {
            return None;
        }
        entries.push((text, label));
    }
    let written = entries.iter().map(|(text, label)| format!("{} = {}", string(text), string(label)));
    Some(WrittenModifier::new("map", format!("{{ {} }}", written.collect::<Vec<_>>().join(", "))))
}

fn question(pair: &NamePair, proven: &Proven, renamed: bool) -> DraftLine {
    let mut text = proven.open.join("; ");
    let mut known: Vec<String> = proven.modifiers.iter().map(WrittenModifier::to_string).collect();
    if renamed {
        known.insert(0, format!("from = {}", string(&pair.source)));
    }
    if !known.is_empty() {
        text.push_str(&format!(". Proved: {}", known.join(", ")));
    }
    DraftLine::question(&pair.target, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::probe::Probe;
    use crate::model::cell::Raw;
    use crate::model::pgtype::ColumnType;

    fn column(kind: Kind, not_null: bool) -> TargetColumn {
        let kind = ColumnType::new(kind, 0, "test");
        let (has_default, generated, sequence, draws, drawn_in_partitions) = (false, false, None, None, Vec::new());
        TargetColumn {
            name: "c".to_owned(),
            kind,
            not_null,
            has_default,
            generated,
            sequence,
            draws,
            drawn_in_partitions,
        }
    }

    fn line_of(source: &str, column: &TargetColumn, values: &[Raw<'_>]) -> Option<DraftLine> {
        let mut probe = Probe::new(&column.kind).expect("a converter");
        values.iter().for_each(|raw| probe.read(*raw));
        let by = if source == "c" { NameMatch::Equal } else { NameMatch::Words };
        let pair = NamePair { source: source.to_owned(), target: "c".to_owned(), by };
        line(&pair, column, &probe.profile(), ValueContext::default())
    }

    #[test]
    fn a_column_of_the_same_name_whose_values_fit_needs_no_line() {
        assert_eq!(line_of("c", &column(Kind::Int8, true), &[Raw::Integer(1)]), None);
    }

    #[test]
    fn several_proven_modifiers_are_one_line_with_their_evidence() {
        let timestamp = column(Kind::Timestamptz { precision: 6 }, false);
        let values = [Raw::Text(b""), Raw::Integer(1_700_000_000_000), Raw::Null];
        let line = line_of("C_", &timestamp, &values).expect("a line");
        assert_eq!(line.value, "{ from = \"C_\", null_if = [\"\"], epoch = \"ms\" }");
        assert_eq!(
            line.why,
            "the names have the same words; 1 of 2 values: empty; 1 of 2 values: numbers, years 2023 to 2023"
        );
        assert_eq!(line.ground, Ground::Inferred);
    }

    #[test]
    fn labels_in_another_spelling_are_mapped_only_one_to_one() {
        let labels = vec!["UNDER_REVIEW".to_owned(), "DONE".to_owned()];
        let status = column(Kind::Enum { labels }, false);
        let line = line_of("c", &status, &[Raw::Text(b"Under Review"), Raw::Text(b"DONE")]).expect("a line");
        assert_eq!(line.value, "{ map = { \"Under Review\" = \"UNDER_REVIEW\" } }");
        let line = line_of("c", &status, &[Raw::Text(b"Under Review"), Raw::Text(b"under-review")]).expect("a line");
        assert_eq!(line.ground, Ground::Question);
        assert!(!line.value.contains("Review"), "{}", line.value);
    }

    #[test]
    fn losses_and_nulls_in_required_columns_are_questions_without_values() {
        let amount = column(Kind::Numeric { limit: Some((10, 2)) }, false);
        let line = line_of("c", &amount, &[Raw::Text(b"secret"), Raw::Real(1.2345)]).expect("a line");
        assert_eq!(line.ground, Ground::Question);
        assert!(line.value.contains("round = true") && !line.value.contains("secret"), "{}", line.value);
        let line = line_of("c", &column(Kind::Int4, true), &[Raw::Null, Raw::Integer(3)]).expect("a line");
        assert_eq!(line.value, "1 of 2 values: NULL, and the column is NOT NULL (write if_null = ...)");
    }
}
