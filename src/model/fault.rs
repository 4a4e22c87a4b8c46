//! The reasons why a value or a row cannot be loaded: what each means and what to write in the mapping.
//!
//! One table of facts, from which the README's list is printed. A fault never holds a value, only its class and length.

use super::cell::StorageClass;
use super::key::Key;

/// Declares [`Reason`]; each reason has its stable word, its meaning and its remedy.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $says:literal, $advice:literal;)*) => {
        /// A stable reason. The word is part of the report's contract: new words may be added, none changes its meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason { $( #[doc = $says] $name, )* }

        impl Reason {
            /// All reasons, in the order of the README's list.
            pub const ALL: &'static [Reason] = &[$(Reason::$name),*];

            /// Returns the kebab-case word that reports use.
            pub fn word(self) -> &'static str {
                match self { $(Reason::$name => $word),* }
            }

            /// Returns what is wrong with the value, as the rest of a sentence that begins with "the value".
            pub fn says(self) -> &'static str {
                match self { $(Reason::$name => $says),* }
            }

            /// Returns the mapping entry, or the action, that solves it.
            pub fn advice(self) -> &'static str {
                match self { $(Reason::$name => $advice),* }
            }
        }
    };
}

reasons! {
    NullInNotNull = "null", "is NULL and the column is NOT NULL", "if_null = ...";
    NotANumber = "not-a-number", "is text that is not a number", "if_bad = ..., or null_if = [...], or map = { ... }";
    NotIntegral = "not-integral", "has a fraction and the column holds integers", "round = true, or a numeric column";
    OutOfRange = "out-of-range", "is outside the range of the type", "a wider column";
    PrecisionOverflow = "precision-overflow", "has more digits before the point than the column", "a wider column";
    ExcessScale = "excess-scale", "has more decimals than the column", "round = true";
    NotFinite = "not-finite", "is an infinity or NaN, which the column does not hold", "sql = \"...\" that says what it means";
    NotABoolean = "not-a-boolean", "is not a boolean: 0, 1, or one of PostgreSQL's words", "map = { ... }, or if_bad = ...";
    BlobInText = "blob-in-text", "is a blob and the column is text", "blob = \"utf8\"";
    BlobInValue = "blob", "is a blob and the column's type has no reading of bytes", "sql = \"...\" that says what it means";
    NotUtf8 = "not-utf8", "is text whose bytes are not UTF-8", "charset = \"windows-1252\"";
    NulInText = "nul-in-text", "holds a NUL character, which PostgreSQL's text cannot", "strip_nul = true";
    TooLong = "too-long", "is longer than the column", "truncate = true, or a wider column";
    UnknownLabel = "unknown-label", "is not a label of the enum", "map = { ... }";
    NotInMap = "not-in-map", "is not in the column's map, whose else is a fault", "one more entry in map";
    NotADate = "not-a-date", "is not a date that can be read", "format = \"...\", or if_bad = ...";
    NotATime = "not-a-time", "is not a time that can be read", "format = \"...\", or if_bad = ...";
    NoSuchDate = "no-such-date", "names a date or time that does not exist", "if_bad = ...";
    NumberInTime = "number-in-time", "is a number in a date or time column", "epoch = \"s\", \"ms\", \"us\", \"ns\" or \"julian\"";
    TimeInDate = "time-in-date", "has a time of day and the column is a date", "truncate = true";
    DateInTime = "date-in-time", "has a date and the column is a time of day", "truncate = true";
    OffsetInTimestamp = "offset-in-timestamp", "has an offset and the column has none", "offset = \"zone\" or offset = \"drop\"";
    NoZone = "no-zone", "has no offset, the column needs one, and no zone is stated", "zone = \"UTC\" in [source] or at the column";
    TimeGap = "time-gap", "is a local time that the zone skipped", "another zone";
    TimeOverlap = "time-overlap", "is a local time that occurred twice", "overlap = \"earlier\" or \"later\"";
    ExcessPrecision = "excess-precision", "has more digits of a second than the column", "round = true";
    LeapSecond = "leap-second", "has a second 60, which PostgreSQL would turn into the next minute", "sql = \"...\" that says what it means";
    SpecialTime = "special-time", "is a word such as now or today, whose meaning depends on when it is read", "value = { now = true }";
    NotAnInterval = "not-an-interval", "is not an interval that can be read", "if_bad = ...";
    IntervalFields = "interval-fields", "has parts below the smallest field that the column's interval holds", "a column of interval without fields";
    NumberInInterval = "number-in-interval", "is a number in an interval column", "unit = \"s\", \"ms\" or \"us\"";
    NotAUuid = "not-a-uuid", "is not a UUID", "if_bad = ..., or null_if = [...]";
    NumberInUuid = "number-in-uuid", "is a number in a uuid column: the source's UUID column has NUMERIC affinity and turned it into one", "sql = \"printf('%032d', ...)\" where the digits are known";
    InvalidJson = "invalid-json", "is not JSON", "null_if = [\"\"], or if_bad = ...";
    NulInJson = "nul-in-json", "is JSON with \\u0000, which jsonb cannot hold", "strip_nul = true";
    LoneSurrogate = "lone-surrogate", "is JSON with half a surrogate pair, which jsonb cannot hold", "a json column";
    JsonNumber = "json-number", "is JSON with a number outside numeric's range", "a json column";
    BlobInJson = "blob-in-json", "is a blob and the column is JSON", "blob = \"utf8\", or sql = \"json(...)\" for SQLite's own JSONB";
    NotAnInet = "not-an-inet", "is not a network address", "if_bad = ...";
    NotARange = "not-a-range", "is not a range", "if_bad = ...";
    NotAnHstore = "not-an-hstore", "is not an hstore", "if_bad = ...";
    NotATsvector = "not-a-tsvector", "is not a tsvector", "if_bad = ...";
    RepeatedKey = "repeated-key", "names a key twice, and the server would silently keep one", "sql = \"...\" that says which";
    NotAnArray = "not-an-array", "is neither a JSON array nor a PostgreSQL array literal", "array = \"csv\"";
    RaggedArray = "ragged-array", "is an array whose rows differ in length", "sql = \"...\" that says what it means";
    NotForServer = "not-for-server", "is of a storage class that has no text for this type", "sql = \"...\" that gives its text";
    TooLarge = "too-large", "is larger, alone or with its row, than 1,000,000,000 bytes, or than its type holds", "omit the column";
    TooDeep = "too-deep", "holds JSON that is nested deeper than the server's stack allows", "a larger max_stack_depth on the server";
    NotInEncoding = "not-in-encoding", "has a character that the encoding of the target's database lacks", "a database whose encoding is UTF8";
    EmptyString = "empty-string", "is an empty string in a column that is not text", "null_if = [\"\"]";
    NoVariable = "no-variable", "is to come from a variable of the environment that is not set", "set the variable";
    BadFormat = "bad-format", "is not a format of dates and times that can be read", "strftime's letters, such as \"%d/%m/%Y\"";
    IfBadIsFault = "bad-default", "was to be replaced by a value that does not fit either", "another value in the mapping";
    SqlFailed = "sql-failed", "could not be computed: SQLite refused the expression for this row", "sql = \"...\" that covers this row";
    Orphan = "orphan", "refers to a row that does not exist", "if_orphan = { null = true }, or if_orphan = { drop = true }, which leaves the row out";
    OrphanDropped = "orphan-dropped", "refers to a row that is not loaded, and the mapping leaves such rows out", "the row that it refers to, or if_orphan = { null = true }";
    ParentRefused = "parent-refused", "refers to a row that was itself refused", "solve the parent's fault";
    ParentLater = "parent-later", "refers to a row of its own table that comes too far after it", "--batch-bytes larger, or --detach always";
    UnknownType = "unknown-type", "is an id of a type that `refers` does not list", "one more type in refers, with its table or false";
    NotAnId = "not-an-id", "is text that is not an integer, and refers to rows whose ids change", "null_if = [...], or sql = \"...\"";
    LookupMissing = "lookup-missing", "was found by no step of the lookup", "missing = \"owner\" or missing = \"null\"";
    LookupAmbiguous = "lookup-ambiguous", "was found with several answers", "ambiguous = \"next\"";
    NoOwner = "no-owner", "is stamped and no owner is known", "[owner] with match";
    Duplicate = "duplicate", "has a key that another row has already", "solve it in the source, or sql = \"...\" for another key";
    Differs = "differs", "differs from the row of the target that has its key", "existing = { ..., differ = \"source\" } or differ = \"target\"";
    OtherOwner = "other-owner", "has the key of a row that belongs to another owner", "solve it in the source";
    CheckFailed = "check-failed", "fails a CHECK constraint", "solve it in the source";
    ExclusionFailed = "exclusion-failed", "collides with another row under an exclusion constraint", "solve it in the source";
    NoPartition = "no-partition", "belongs to no partition of the table", "a partition for it";
    TriggerRefused = "trigger-refused", "was refused by a trigger", "triggers = \"off\"";
    TriggerSwallowed = "trigger-swallowed", "was swallowed by a trigger", "triggers = \"off\"";
    IndexRowTooLarge = "index-row-too-large", "is too large for an index", "an index over a hash of it";
    RowTooLarge = "row-too-large", "makes the row larger than a page", "fewer or narrower columns";
    ServerRefused = "server-refused", "was refused by the server", "see its SQLSTATE";
}

impl serde::Serialize for Reason {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.word())
    }
}

impl<'de> serde::Deserialize<'de> for Reason {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Reason, D::Error> {
        let word = String::deserialize(from)?;
        let found = Reason::ALL.iter().find(|r| r.word() == word);
        found.copied().ok_or_else(|| serde::de::Error::custom(format!("unknown reason `{word}`")))
    }
}

/// A loss that the mapping allowed and that happened, or a harmless change that is counted too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Loss {
    /// `strip_nul` removed a character.
    StripNul,
    /// `if_bad` replaced text that could not be read.
    IfBad,
    /// `round` rounded a value.
    Round,
    /// `truncate` cut a value.
    Truncate,
    /// `if_orphan` replaced a reference.
    IfOrphan,
    /// `if_orphan = { drop = true }` left a row out.
    DropOrphan,
    /// Not a loss: floating-point noise beyond the target's scale was dropped.
    FloatNoise,
    /// Not a loss: a double became the `real` with the same shortest text.
    Real,
    /// Not a loss: 24:00:00 became the next day's start.
    EndOfDay,
    /// A `jsonb` had one key twice; the last value is kept, as PostgreSQL does for every `jsonb`.
    DuplicateKeys,
    /// A `json` contains `\u0000` or half a surrogate pair, which `jsonb` and `text` of the server do not read.
    NotForJsonb,
    /// Not a loss: `jsonb` writes a number with other digits, such as -0.0 as 0.0 or 1e20 as 1 and 20 zeros.
    JsonDigits,
    /// The target's server reads the local time as another instant: its time zone data differ from those of this program.
    ZoneData,
    /// The target's value was kept, and the source's differs.
    Kept,
    /// The source's value was written over the target's, which the ledger keeps.
    WrittenOver,
}

impl Loss {
    /// All losses and changes.
    pub const ALL: [Loss; 15] = [
        Loss::StripNul,
        Loss::IfBad,
        Loss::Round,
        Loss::Truncate,
        Loss::IfOrphan,
        Loss::DropOrphan,
        Loss::FloatNoise,
        Loss::Real,
        Loss::EndOfDay,
        Loss::DuplicateKeys,
        Loss::NotForJsonb,
        Loss::JsonDigits,
        Loss::ZoneData,
        Loss::Kept,
        Loss::WrittenOver,
    ];

    /// Returns the modifier's name as a mapping writes it, or the name of a built-in change.
    pub fn word(self) -> &'static str {
        match self {
            Loss::StripNul => "strip_nul",
            Loss::IfBad => "if_bad",
            Loss::Round => "round",
            Loss::Truncate => "truncate",
            Loss::IfOrphan => "if_orphan",
            Loss::DropOrphan => "drop",
            Loss::FloatNoise => "float-noise",
            Loss::Real => "double-as-real",
            Loss::EndOfDay => "24:00:00",
            Loss::DuplicateKeys => "duplicate-json-keys",
            Loss::NotForJsonb => "not-for-jsonb",
            Loss::JsonDigits => "json-digits",
            Loss::ZoneData => "time-zone-data",
            Loss::Kept => "kept-target",
            Loss::WrittenOver => "written-over",
        }
    }

    /// Returns true for a loss that no line of a mapping allows: the type of the column makes it.
    pub fn is_made_by_the_type(self) -> bool {
        self == Loss::DuplicateKeys
    }

    /// Returns true if information was lost as the mapping or the target's type allows, false if the value changed without loss.
    pub fn is_loss(self) -> bool {
        !matches!(
            self,
            Loss::FloatNoise | Loss::Real | Loss::EndOfDay | Loss::NotForJsonb | Loss::JsonDigits | Loss::WrittenOver
        )
    }
}

/// The set of losses of one value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LossSet(u16);

impl LossSet {
    /// Adds one loss.
    pub fn add(&mut self, loss: Loss) {
        self.0 |= 1 << loss as u16;
    }

    /// Returns true if the set has no loss.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns true if the set has this loss.
    pub fn contains(self, loss: Loss) -> bool {
        self.0 & (1 << loss as u16) != 0
    }

    /// Returns the losses of the set.
    pub fn iter(self) -> impl Iterator<Item = Loss> {
        Loss::ALL.into_iter().filter(move |loss| self.contains(*loss))
    }
}

/// The facts about a column that decide which ways out of its faults work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ColumnFacts {
    /// The column is NOT NULL.
    pub not_null: bool,
    /// No row of the column has a value that fits.
    pub all_at_fault: bool,
    /// The server refused the row for a value that no column of the load is known to have sent.
    pub is_of_server: bool,
}

/// One row that cannot be loaded as it is, and the cell at fault.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The load's name.
    pub load: String,
    /// The row's rowid, its key, or its ordinal in the relation. A key that is not a rowid is a value and shown only on
    /// request.
    pub at: Key,
    /// The target's column; `None` for a fault of the whole row.
    pub column: Option<String>,
    /// The source column's declared type.
    pub declared: Option<String>,
    /// Storage class of the value.
    pub class: Option<StorageClass>,
    /// Length of the value in bytes.
    pub bytes: Option<usize>,
    /// The target column's type.
    pub target_type: Option<String>,
    /// The reason.
    pub reason: Reason,
    /// The server's constraint or SQLSTATE, the position in the value, or what the column accepts. Never a value.
    pub detail: Option<String>,
    /// The constraint that refused the row.
    pub constraint: Option<String>,
    /// The refused row that this row refers to: its load and its key.
    pub parent: Option<(String, Key)>,
    /// A hash of the row's content; `None` if it could not be computed.
    pub seen: Option<u64>,
    /// The facts about the column on which the way out depends.
    pub facts: ColumnFacts,
}

impl Fault {
    /// Returns a fault of a whole row, without details.
    pub fn of(load: &str, at: &Key, reason: Reason) -> Fault {
        Fault {
            load: load.to_owned(),
            at: at.clone(),
            column: None,
            declared: None,
            class: None,
            bytes: None,
            target_type: None,
            reason,
            detail: None,
            constraint: None,
            parent: None,
            seen: None,
            facts: ColumnFacts::default(),
        }
    }
}
