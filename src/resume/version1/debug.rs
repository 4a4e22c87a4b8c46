//! The words and brackets of Rust's `Debug`, for the texts of form 1. Strings and numbers alone are left to `Debug` itself.

pub fn text(string: &str) -> String {
    format!("{string:?}")
}

pub fn texts(strings: &[String]) -> String {
    list(strings.iter().map(|string| text(string)))
}

pub fn option(written: Option<String>) -> String {
    written.map_or_else(|| "None".to_owned(), |some| variant("Some", [some]))
}

pub fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

/// Writes a tuple, or a variant that holds one.
pub fn variant<const N: usize>(name: &str, items: [String; N]) -> String {
    format!("{name}({})", items.join(", "))
}

pub fn record<const N: usize>(name: &str, fields: [(&str, String); N]) -> String {
    let fields = fields.map(|(field, value)| format!("{field}: {value}"));
    format!("{name} {{ {} }}", fields.join(", "))
}
