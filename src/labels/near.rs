//! Names that look like a word.

/// As many near names are worth reading.
pub(super) const MAX_SUGGESTIONS: usize = 5;

/// No name is half as long, and looking for one takes time.
pub(super) const MAX_LENGTH: usize = 200;

/// A word as it is compared: in lower case, its parts a space apart.
pub(super) fn folded(name: &str) -> String {
    let parts = name.split(|c: char| c.is_whitespace() || c == '_' || c == '-');
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    parts.join(" ").to_lowercase()
}

/// How far a name is from a word, both [`folded`]: the keystrokes between them where they are
/// few, then one more for a name that has the word in it; `None` for any other name.
pub(super) fn distance(known: &str, word: &str) -> Option<usize> {
    let length = word.chars().count();
    let limit = (length + 1) / 4;
    // Lengths first: a distance takes time, and is not less than their difference.
    let keystrokes = match known.chars().count().abs_diff(length) <= limit {
        true => strsim::osa_distance(known, word),
        false => usize::MAX,
    };
    let is_part = || !word.is_empty() && known.split(' ').any(|part| part == word);
    match keystrokes <= limit {
        true => Some(keystrokes),
        false => is_part().then_some(limit + 1),
    }
}
