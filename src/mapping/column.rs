//! One column of a load as the mapping writes it: its feed and its modifiers.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::refers::{RefersKey, RefersRule};
use super::value::{OrphanRule, WrittenValue};

/// One entry of `[load.NAME.columns]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MappedColumn {
    /// The written feed; `None`: the source's column of the same name feeds the column.
    pub feed: Option<FeedRule>,
    /// The modifiers written for this column.
    pub modifiers: Modifiers,
    /// The statement about the rows to which the column refers without a foreign key. `None`: the mapping has none.
    pub refers: Option<RefersRule>,
}

/// The origin of a column's value.
#[derive(Clone, Debug, PartialEq)]
pub enum FeedRule {
    /// A column of the load's relation.
    From(String),
    /// An expression that SQLite evaluates over the row.
    Sql(String),
    /// A constant.
    Value(WrittenValue),
    /// An environment variable.
    Env {
        /// The variable's name.
        name: String,
        /// The column is omitted if the variable is not set.
        optional: bool,
    },
    /// The owner's key.
    Owner,
    /// A value found in a table of the target by the steps of a lookup.
    Lookup(LookupRule),
    /// Nothing: the target's default fills the column; a serial column gets an issued id.
    Omit,
}

/// A lookup in the target.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct LookupRule {
    /// The target's table.
    pub table: String,
    /// The column whose value is taken.
    pub take: String,
    /// The ways to find it, tried in order.
    pub steps: Vec<StepRule>,
    /// The treatment of several distinct answers: `next` (the default) or `fault`.
    pub ambiguous: Option<String>,
    /// The value used if no step finds a row.
    pub missing: Option<MissingRule>,
    /// A miss is normal, so the report does not list it.
    #[serde(default)]
    pub quiet: bool,
    /// The SQL of the reference that the lookup follows, if it was not written but derived from `existing = "match"`.
    #[serde(skip)]
    pub reference: Option<String>,
}

/// One way to find a row.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct StepRule {
    /// PostgreSQL's side: one or more expressions over the table.
    pub target: OneOrMore,
    /// SQLite's side: as many expressions over the row as `target` has.
    pub source: OneOrMore,
    /// Compare without regard to ASCII case.
    #[serde(default)]
    pub nocase: bool,
}

/// A text or a list of texts.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub struct OneOrMore(pub Vec<String>);

impl TryFrom<toml::Value> for OneOrMore {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<OneOrMore, String> {
        match value {
            toml::Value::String(one) => Ok(OneOrMore(vec![one])),
            toml::Value::Array(several) if !several.is_empty() => {
                let texts = several.into_iter().map(|v| v.as_str().map(str::to_owned)).collect::<Option<_>>();
                texts.map(OneOrMore).ok_or_else(|| "a list of texts is expected".to_owned())
            }
            _ => Err("a text or a list of texts is expected".to_owned()),
        }
    }
}

/// The value used if a lookup finds nothing.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub enum MissingRule {
    /// The owner.
    Owner,
    /// NULL.
    Null,
    /// A fault, the default.
    Fault,
    /// A constant.
    Value(WrittenValue),
}

impl TryFrom<toml::Value> for MissingRule {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<MissingRule, String> {
        let expected = || "missing is \"owner\", \"null\", \"fault\" or { value = ... }".to_owned();
        match &value {
            toml::Value::String(word) => match word.as_str() {
                "owner" => Ok(MissingRule::Owner),
                "null" => Ok(MissingRule::Null),
                "fault" => Ok(MissingRule::Fault),
                _ => Err(expected()),
            },
            toml::Value::Table(table) if table.len() == 1 => {
                let inner = table.get("value").cloned().ok_or_else(expected)?;
                WrittenValue::try_from(inner).map(MissingRule::Value)
            }
            _ => Err(expected()),
        }
    }
}

/// A modifier that is set, or that `{ fault = true }` removes from the inherited ones.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "toml::Value", bound = "T: DeserializeOwned")]
pub enum Switch<T> {
    /// Set to a value.
    Set(T),
    /// Removed.
    Off,
}

impl<T: DeserializeOwned> TryFrom<toml::Value> for Switch<T> {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<Switch<T>, String> {
        let off = value.as_table().is_some_and(|t| t.len() == 1 && t.get("fault") == Some(&toml::Value::Boolean(true)));
        if off { Ok(Switch::Off) } else { T::deserialize(value).map(Switch::Set).map_err(|e| e.message().to_owned()) }
    }
}

/// Declares [`Modifiers`] once: the keys, their types, and how two levels merge.
macro_rules! modifiers {
    ($($(#[$doc:meta])* $name:ident : $kind:ty,)*) => {
        /// The modifiers of one level, as written.
        #[derive(Clone, Debug, Default, PartialEq, Deserialize)]
        pub struct Modifiers {
            $( $(#[$doc])* pub $name: Option<Switch<$kind>>, )*
            /// The value used for a value that `map` does not contain.
            #[serde(rename = "else")]
            pub map_else: Option<Switch<WrittenValue>>,
        }

        impl Modifiers {
            /// Returns these modifiers, completed by those of a lower-ranking level.
            pub fn over(&self, lower: &Modifiers) -> Modifiers {
                Modifiers {
                    $( $name: self.$name.clone().or_else(|| lower.$name.clone()), )*
                    map_else: self.map_else.clone().or_else(|| lower.map_else.clone()),
                }
            }

            /// Returns the names of the modifiers that are written.
            pub fn written(&self) -> Vec<&'static str> {
                let mut names = Vec::new();
                $( if self.$name.is_some() { names.push(stringify!($name)); } )*
                if self.map_else.is_some() { names.push("else"); }
                names
            }
        }
    };
}

modifiers! {
    /// A legacy character set.
    charset: String,
    /// `"utf8"`: a blob is text.
    blob: String,
    /// Remove NUL characters.
    strip_nul: bool,
    /// Remove white space at both ends.
    trim: bool,
    /// Texts that become NULL.
    null_if: Vec<String>,
    /// Replacements by the value's text.
    map: BTreeMap<String, WrittenValue>,
    /// The unit of a number in a date or time column.
    epoch: String,
    /// More textual forms of a date or time.
    format: OneOrMore,
    /// `"zone"` or `"drop"`.
    offset: String,
    /// `"earlier"` or `"later"`.
    overlap: String,
    /// The zone of times without an offset.
    zone: String,
    /// The unit of a number in an interval column.
    unit: String,
    /// The date that means no time in an interval column.
    since: String,
    /// `"rfc"` or `"dotnet"`: the order of 16 bytes in a UUID column.
    bytes: String,
    /// `"csv"`: comma-separated text is an array.
    array: String,
    /// Replaces text that cannot be read as the column's type.
    if_bad: WrittenValue,
    /// Round excess decimals or digits of a second.
    round: bool,
    /// Cut text that is too long.
    truncate: bool,
    /// Replaces a reference without a parent, or leaves its row out.
    if_orphan: OrphanRule,
    /// Replaces NULL as the last step.
    if_null: WrittenValue,
}

/// The keys of a column's feed, next to its modifiers.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct FeedKeys {
    pub from: Option<String>,
    pub sql: Option<String>,
    pub value: Option<WrittenValue>,
    pub env: Option<String>,
    pub optional: Option<bool>,
    pub owner: Option<bool>,
    pub lookup: Option<LookupRule>,
    pub omit: Option<bool>,
    pub refers: Option<RefersKey>,
}

impl FeedKeys {
    /// Returns the feed that is written; `None` if no feed is.
    pub fn feed(&self) -> Result<Option<FeedRule>, String> {
        let mut feeds = Vec::new();
        feeds.extend(self.from.clone().map(FeedRule::From));
        feeds.extend(self.sql.clone().map(FeedRule::Sql));
        feeds.extend(self.value.clone().map(FeedRule::Value));
        feeds.extend(self.env.clone().map(|name| FeedRule::Env { name, optional: self.optional.unwrap_or(false) }));
        feeds.extend(self.lookup.clone().map(FeedRule::Lookup));
        feeds.extend((self.owner == Some(true)).then_some(FeedRule::Owner));
        feeds.extend((self.omit == Some(true)).then_some(FeedRule::Omit));
        if self.owner == Some(false) || self.omit == Some(false) {
            return Err("`owner` and `omit` accept only true".to_owned());
        }
        if self.optional.is_some() && self.env.is_none() {
            return Err("`optional` is valid only next to `env`".to_owned());
        }
        match feeds.len() {
            0 | 1 => Ok(feeds.pop()),
            _ => Err("a column has exactly one of from, sql, value, env, owner, lookup and omit".to_owned()),
        }
    }
}
