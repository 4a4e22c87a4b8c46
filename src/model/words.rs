//! The words of a name, to compare names of databases that spell them in different ways.

/// Returns the words of a name in lower case: `APIKey_id` is api, key, id.
pub fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (n, letter) in letters.iter().enumerate() {
        let before = n.checked_sub(1).and_then(|n| letters.get(n));
        let after = letters.get(n + 1);
        let is_new = letter.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase() || before.is_numeric() || after.is_some_and(|c| c.is_lowercase())
            });
        if is_new || !letter.is_alphanumeric() {
            words.push(String::new());
        }
        if letter.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Returns the words of a name without anything between them.
pub fn joined(name: &str) -> String {
    words(name).concat()
}

/// Returns the words of a name, the last one in the singular.
pub fn singular_words(name: &str) -> Vec<String> {
    singular_end(&words(name))
}

/// Returns the same words, the last one in the singular.
pub fn singular_end(words: &[String]) -> Vec<String> {
    let mut words = words.to_vec();
    if let Some(last) = words.last_mut() {
        *last = singular(last);
    }
    words
}

fn singular(word: &str) -> String {
    let cut = |ending: &str, instead: &str| word.strip_suffix(ending).map(|stem| format!("{stem}{instead}"));
    if word.len() < 4 || word == "news" || word.ends_with("ss") || word.ends_with("us") || word.ends_with("is") {
        return word.to_owned();
    }
    let found = match word {
        "people" => Some("person".to_owned()),
        "children" => Some("child".to_owned()),
        "analyses" => Some("analysis".to_owned()),
        _ if word.ends_with("ies") => cut("ies", "y"),
        _ if ["ches", "shes", "sses", "uses", "xes", "zes"].iter().any(|ending| word.ends_with(ending)) => {
            cut("es", "")
        }
        _ => cut("s", ""),
    };
    found.unwrap_or_else(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_at_capitals_and_marks() {
        for (name, expected) in [
            ("createdAt", "created at"),
            ("APIKey_id", "api key id"),
            ("user-ID", "user id"),
            ("HTTP2Port", "http2 port"),
            ("__EFMigrationsHistory", "ef migrations history"),
        ] {
            assert_eq!(words(name).join(" "), expected, "{name}");
        }
    }

    #[test]
    fn the_last_word_gets_its_singular() {
        for (plural, one) in [
            ("users", "user"),
            ("blog_categories", "blog category"),
            ("statuses", "status"),
            ("boxes", "box"),
            ("people", "person"),
            ("news", "news"),
            ("address", "address"),
            ("analysis", "analysis"),
            ("gas", "gas"),
        ] {
            assert_eq!(singular_words(plural).join(" "), one, "{plural}");
        }
    }
}
