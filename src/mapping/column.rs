//! One column of a load as the mapping writes it: where its value comes from, and its modifiers.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::value::Written;

/// One entry of `[load.NAME.columns]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Column {
    /// Where the value comes from; `None`: from the source's column of the same name.
    pub feed: Option<Feed>,
    /// The modifiers written at this column.
    pub modifiers: Modifiers,
    /// The table that this integer refers to without a foreign key (`ids = "shift"`).
    pub refers: Option<String>,
}

/// Where a column's value comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Feed {
    /// A column of the relation.
    From(String),
    /// An expression that SQLite evaluates over the row.
    Sql(String),
    /// A constant.
    Value(Written),
    /// A variable of the environment.
    Env {
        /// Its name.
        name: String,
        /// Left out when it is not set.
        optional: bool,
    },
    /// The owner's key.
    Owner,
    /// A row of the target, found by steps.
    Lookup(Lookup),
    /// The target's default speaks; a serial column is issued.
    Omit,
}

/// A lookup in the target.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Lookup {
    /// The target's table.
    pub table: String,
    /// The column whose value is taken.
    pub take: String,
    /// The ways to find it, tried in order.
    pub steps: Vec<Step>,
    /// Several distinct answers: `next` (the default) or `fault`.
    pub ambiguous: Option<String>,
    /// No answer.
    pub missing: Option<Missing>,
    /// A miss is normal and is not listed.
    #[serde(default)]
    pub quiet: bool,
}

/// One way to find a row.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Step {
    /// PostgreSQL's side: one expression over the table, or several.
    pub target: OneOrMore,
    /// SQLite's side: as many expressions over the row.
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

/// What stands where a lookup finds nothing.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub enum Missing {
    /// The owner.
    Owner,
    /// NULL.
    Null,
    /// A fault: the default.
    Fault,
    /// A constant.
    Value(Written),
}

impl TryFrom<toml::Value> for Missing {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<Missing, String> {
        let expected = || "missing is \"owner\", \"null\", \"fault\" or { value = ... }".to_owned();
        match &value {
            toml::Value::String(word) => match word.as_str() {
                "owner" => Ok(Missing::Owner),
                "null" => Ok(Missing::Null),
                "fault" => Ok(Missing::Fault),
                _ => Err(expected()),
            },
            toml::Value::Table(table) if table.len() == 1 => {
                let inner = table.get("value").cloned().ok_or_else(expected)?;
                Written::try_from(inner).map(Missing::Value)
            }
            _ => Err(expected()),
        }
    }
}

/// A modifier that is set, or taken away from what was inherited by `{ fault = true }`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "toml::Value", bound = "T: DeserializeOwned")]
pub enum Switch<T> {
    /// Written.
    Set(T),
    /// Taken away.
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
            /// What becomes of a value that `map` does not name.
            #[serde(rename = "else")]
            pub map_else: Option<Switch<Written>>,
        }

        impl Modifiers {
            /// These, completed by those of a level that ranks below.
            pub fn over(&self, lower: &Modifiers) -> Modifiers {
                Modifiers {
                    $( $name: self.$name.clone().or_else(|| lower.$name.clone()), )*
                    map_else: self.map_else.clone().or_else(|| lower.map_else.clone()),
                }
            }

            /// The names of those that are written.
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
    /// Take NUL characters out.
    strip_nul: bool,
    /// Take white space off both ends.
    trim: bool,
    /// Texts that become NULL.
    null_if: Vec<String>,
    /// Replacements.
    map: BTreeMap<String, Written>,
    /// What a number means in a date or time.
    epoch: String,
    /// One more form of a date or time.
    format: String,
    /// `"zone"` or `"drop"`.
    offset: String,
    /// `"earlier"` or `"later"`.
    overlap: String,
    /// The zone of times without an offset.
    zone: String,
    /// What a number means in an interval.
    unit: String,
    /// `"csv"`.
    array: String,
    /// Stands for text that cannot be read.
    if_bad: Written,
    /// Round.
    round: bool,
    /// Cut.
    truncate: bool,
    /// Stands for a reference without a parent.
    if_orphan: Written,
    /// Stands for NULL at the end.
    if_null: Written,
}

/// The keys of a column's feed, beside its modifiers.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct FeedKeys {
    pub from: Option<String>,
    pub sql: Option<String>,
    pub value: Option<Written>,
    pub env: Option<String>,
    pub optional: Option<bool>,
    pub owner: Option<bool>,
    pub lookup: Option<Lookup>,
    pub omit: Option<bool>,
    pub refers: Option<String>,
}

impl FeedKeys {
    /// The one feed that is written, if any.
    pub fn feed(&self) -> Result<Option<Feed>, String> {
        let mut feeds = Vec::new();
        feeds.extend(self.from.clone().map(Feed::From));
        feeds.extend(self.sql.clone().map(Feed::Sql));
        feeds.extend(self.value.clone().map(Feed::Value));
        feeds.extend(self.env.clone().map(|name| Feed::Env { name, optional: self.optional.unwrap_or(false) }));
        feeds.extend(self.lookup.clone().map(Feed::Lookup));
        feeds.extend((self.owner == Some(true)).then_some(Feed::Owner));
        feeds.extend((self.omit == Some(true)).then_some(Feed::Omit));
        if self.owner == Some(false) || self.omit == Some(false) {
            return Err("`owner` and `omit` are written only as true".to_owned());
        }
        if self.optional.is_some() && self.env.is_none() {
            return Err("`optional` goes with `env` alone".to_owned());
        }
        match feeds.len() {
            0 | 1 => Ok(feeds.pop()),
            _ => Err("a column has exactly one of from, sql, value, env, owner, lookup and omit".to_owned()),
        }
    }
}
