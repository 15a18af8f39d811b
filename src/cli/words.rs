//! The system's words for what went wrong, the same wherever they come from.

use std::io;

use mobilenet::error::in_words;

/// How Rust begins the number behind the system's words.
const NUMBER: &str = " (os error ";

/// What an error says, with the system's words in the house's style.
pub fn of(error: &io::Error) -> String {
    // Other code puts names of its own around the system's error, temporary ones for instance.
    let within = error.get_ref().and_then(|outer| outer.source());
    let within = within.and_then(|within| within.downcast_ref::<io::Error>());
    match within.unwrap_or(error) {
        system if system.raw_os_error().is_some() => in_words(system),
        _ => plain(&error.to_string()),
    }
}

/// A message in which other code has put the system's words as Rust prints them.
pub fn plain(text: &str) -> String {
    let Some((before, after)) = text.split_once(NUMBER) else {
        return text.to_owned();
    };
    let number = after.split_once(')');
    let number = number.and_then(|(number, rest)| Some((number.parse::<i32>().ok()?, rest)));
    let Some((number, rest)) = number else {
        return text.to_owned();
    };
    let error = io::Error::from_raw_os_error(number);
    let printed = error.to_string();
    let phrase = printed.split_once(NUMBER).map_or("", |(phrase, _)| phrase);
    let rest = plain(rest);
    match before.strip_suffix(phrase) {
        Some(before) => format!("{before}{}{rest}", in_words(&error)),
        None => format!("{before}{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_words_are_in_one_style() {
        let full = io::Error::from_raw_os_error(28);
        let number = format!("{full}");
        assert!(number.contains("os error 28"));
        let plain_words = of(&full);
        assert!(!plain_words.contains("os error") && !plain_words.starts_with('N'));
        let text = format!("a.csv: {full}; b.csv: {full}!");
        let expected = format!("a.csv: {plain_words}; b.csv: {plain_words}!");
        assert_eq!(plain(&text), expected);
        assert_eq!(plain("a (os error x)"), "a (os error x)");
        assert_eq!(plain("nothing"), "nothing");
    }
}
