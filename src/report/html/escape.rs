//! Text of a record, escaped for the page.

use crate::text::printable;

/// A name. It may be broken after a dot or an underscore.
pub fn name(of: &str) -> String {
    format!("<span class=\"name\">{}</span>", breakable(of))
}

/// Text that may be broken after a dot or an underscore.
pub fn breakable(of: &str) -> String {
    text(of).replace('_', "_<wbr>").replace('.', ".<wbr>")
}

/// Sentences with names between backticks.
pub fn prose(of: &str) -> String {
    let escaped = text(of);
    if escaped.matches('`').count() % 2 == 1 {
        return escaped;
    }
    let pieces = escaped.split('`').enumerate();
    pieces.map(|(at, piece)| if at % 2 == 1 { format!("<code>{piece}</code>") } else { piece.to_owned() }).collect()
}

/// Escapes text of a record for the page, in elements and in attributes.
pub fn text(of: &str) -> String {
    let of = printable(of);
    let mut out = String::with_capacity(of.len());
    for c in of.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
