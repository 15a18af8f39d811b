//! For people: bars and colours on a terminal, plain and aligned in a pipe.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use mobilenet::Prediction;

use super::{Row, RowWriter};
use crate::cli::terminal::{Terminal, columns, padded, printable, printable_name};

const NAME: Style = Style::new().bold();
const SCORE: Style = AnsiColor::Green.on_default();
const BAR: Style = AnsiColor::Cyan.on_default();
/// The longest bar.
const BAR_WIDTH: usize = 24;
/// `  0.1234  ` before a label.
const SCORE_WIDTH: usize = 10;
const LABEL_WIDTH: usize = 44;

pub struct Text<W> {
    out: W,
    terminal: Terminal,
}

impl<W: Write> Text<W> {
    pub fn new(out: W, terminal: Terminal) -> Self {
        Self { out, terminal }
    }

    fn prediction(&mut self, prediction: &Prediction, label_width: usize) -> io::Result<()> {
        let score = format!("{:.4}", prediction.score);
        let label = printable(&prediction.label);
        let Some(width) = self.terminal.width else {
            return writeln!(self.out, "  {score}  {label}");
        };
        let label = padded(&label, label_width);
        let room = width.saturating_sub(SCORE_WIDTH + label_width + 2);
        let bar = bar(prediction.score, room.min(BAR_WIDTH));
        let score = self.terminal.paint(SCORE, &score);
        let bar = self.terminal.paint(BAR, &bar);
        writeln!(self.out, "  {score}  {label}  {bar}")
    }
}

impl<W: Write> RowWriter<Prediction> for Text<W> {
    fn row(&mut self, row: &Row) -> io::Result<()> {
        // An input that failed is reported on stderr; text has no place for it.
        let Ok(predictions) = row.answer else {
            return Ok(());
        };
        let name = printable_name(row.name);
        let name = self.terminal.paint(NAME, &name);
        writeln!(self.out, "{name}")?;
        let room = self.terminal.width.unwrap_or(usize::MAX);
        let longest = predictions.iter().map(|p| columns(&printable(&p.label)));
        let most = LABEL_WIDTH.min(room.saturating_sub(SCORE_WIDTH + 12).max(8));
        let label_width = longest.max().unwrap_or(0).min(most);
        for prediction in predictions {
            self.prediction(prediction, label_width)?;
        }
        self.out.flush()
    }
}

/// A bar of at most `width` columns, in eighths of one.
fn bar(score: f32, width: usize) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (score.clamp(0.0, 1.0) * width as f32 * 8.0).round() as usize;
    "█".repeat(eighths / 8) + PARTS[eighths % 8]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    fn render(terminal: Terminal, label: &str) -> String {
        let prediction = |score, label: &str| Prediction {
            index: Some(0),
            wnid: None,
            label: label.into(),
            score,
        };
        let predictions = [prediction(0.75, label), prediction(0.25, "crane")];
        let mut out = Vec::new();
        let row = Row {
            name: OsStr::new("a\x1b.jpg"),
            answer: Ok(&predictions),
            provenance: None,
            preview: false,
        };
        Text::new(&mut out, terminal).row(&row).expect("written");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn lines_fit_the_terminal_and_bars_line_up() {
        let label = "a label that is a good deal longer than any terminal is wide";
        for width in [30, 60, 200] {
            let terminal = Terminal {
                width: Some(width),
                colour: false,
            };
            let text = render(terminal, label);
            let lines: Vec<&str> = text.lines().collect();
            assert!(lines.iter().all(|line| columns(line) <= width), "{text}");
            let bars: Vec<_> = lines[1..]
                .iter()
                .map(|l| l.chars().position(|c| c == '█'))
                .collect();
            assert_eq!(bars[0], bars[1], "{text}");
        }
    }

    #[test]
    fn colour_only_where_it_is_welcome() {
        let terminal = |colour| Terminal {
            width: Some(60),
            colour,
        };
        assert!(render(terminal(true), "cat").contains("\x1b[1ma\\u{1b}.jpg\x1b[0m"));
        assert!(!render(terminal(false), "cat").contains('\x1b'));
    }
}
