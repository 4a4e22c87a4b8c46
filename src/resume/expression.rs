//! The expressions of fingerprints: a word, then texts, numbers and other expressions, between parentheses.

/// An expression that is being written.
pub struct Expression(String);

impl Expression {
    /// An expression without items.
    pub fn new(word: &str) -> Expression {
        Expression(format!("({word}"))
    }

    /// Adds a text between double quotes.
    pub fn text(mut self, text: &str) -> Expression {
        self.0.push_str(" \"");
        for c in text.chars() {
            if matches!(c, '"' | '\\') {
                self.0.push('\\');
            }
            self.0.push(c);
        }
        self.0.push('"');
        self
    }

    /// Adds texts in their order.
    pub fn texts(self, texts: &[String]) -> Expression {
        texts.iter().fold(self, |whole, text| whole.text(text))
    }

    /// Adds a number.
    pub fn number(mut self, number: i64) -> Expression {
        self.0.push_str(&format!(" {number}"));
        self
    }

    /// Adds an expression.
    pub fn with(mut self, item: Expression) -> Expression {
        self.0.push(' ');
        self.0.push_str(&item.finished());
        self
    }

    /// Adds expressions in their order.
    pub fn with_all(self, items: impl IntoIterator<Item = Expression>) -> Expression {
        items.into_iter().fold(self, Expression::with)
    }

    /// Adds a flag if it is set.
    pub fn flag(self, word: &str, is_set: bool) -> Expression {
        if is_set { self.with(Expression::new(word)) } else { self }
    }

    /// Returns the written expression.
    pub fn finished(mut self) -> String {
        self.0.push(')');
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Expression;

    #[test]
    fn only_quotes_and_backslashes_are_escaped() {
        let written = Expression::new("a").text("b\"c\\d\n(é)").number(-1).flag("e", false).flag("f", true).finished();
        assert_eq!(written, "(a \"b\\\"c\\\\d\n(é)\" -1 (f))");
    }
}
