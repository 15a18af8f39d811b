//! What is known of the terminal.

use std::ffi::OsStr;
use std::io::{self, IsTerminal};

use unicode_width::UnicodeWidthChar;

/// Columns assumed where the terminal does not tell.
const DEFAULT_WIDTH: usize = 80;

/// How stdout is to be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    /// Its columns, or `None` where stdout is not a terminal.
    pub width: Option<usize>,
    /// Whether escape sequences for colours are welcome.
    pub colour: bool,
}

impl Terminal {
    /// Looks at stdout, `NO_COLOR` and what else says whether colours are welcome.
    pub fn of_stdout() -> Self {
        let stdout = io::stdout();
        let choice = anstream::AutoStream::choice(&stdout);
        let width = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        Self {
            width: stdout
                .is_terminal()
                .then(|| width().unwrap_or(DEFAULT_WIDTH)),
            colour: choice != anstream::ColorChoice::Never,
        }
    }

    /// A file in place of stdout.
    pub fn none() -> Self {
        Self {
            width: None,
            colour: false,
        }
    }

    /// `text` in `style`, where colours are welcome.
    pub fn paint(self, style: anstyle::Style, text: &str) -> String {
        match self.colour {
            true => format!("{style}{text}{style:#}"),
            false => text.to_owned(),
        }
    }
}

/// Text without control characters, and without those that turn its direction, which a file's
/// name or a label may carry to a terminal.
pub fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        let turns = matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        match c.is_control() || turns {
            true => safe.extend(c.escape_default()),
            false => safe.push(c),
        }
    }
    safe
}

/// The same of a file's name.
pub fn printable_name(name: impl AsRef<OsStr>) -> String {
    printable(&name.as_ref().to_string_lossy())
}

/// Columns that a text takes.
pub fn columns(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

/// `text` in at most `width` columns, an ellipsis at its end where some was left out.
pub fn truncate(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used + 1 > width {
            break;
        }
        kept.push(c);
    }
    kept.push('…');
    kept
}

/// `text` in exactly `width` columns, cut or with spaces behind it.
pub fn padded(text: &str, width: usize) -> String {
    let text = truncate(text, width);
    let gap = " ".repeat(width.saturating_sub(columns(&text)));
    text + &gap
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_by_columns_not_by_bytes() {
        assert_eq!(truncate("tabby, tabby cat", 20), "tabby, tabby cat");
        assert_eq!(truncate("tabby, tabby cat", 8), "tabby, …");
        assert_eq!(truncate("日本語の猫", 5), "日本…");
    }

    #[test]
    fn control_characters_are_spelt_out() {
        assert_eq!(printable("a\x1b[31mb\n"), "a\\u{1b}[31mb\\n");
        assert_eq!(printable("a\u{202e}gpj.b"), "a\\u{202e}gpj.b");
    }
}
