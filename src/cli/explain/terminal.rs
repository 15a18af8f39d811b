//! The maps in a terminal, or in plain text.

use std::ffi::OsStr;
use std::io::{self, Write};

use anstyle::Style;
use mobilenet::explain::ClassMap;
use mobilenet::figures::{overlay, shared_range};

use super::Answer;
use crate::cli::environment;
use crate::cli::stdout::Stdout;
use crate::cli::terminal::{Terminal, printable, printable_name, truncate};

/// Columns and lines that a picture takes at most.
const COLUMNS: usize = 80;
const LINES: usize = 32;
/// Columns where there is no terminal.
const PLAIN_COLUMNS: usize = 60;
/// What speaks more and more for a class.
const RAMP: [char; 10] = [' ', '.', ':', '-', '=', '+', '*', '#', '%', '@'];

/// Writes the name of a picture, and each class with its map.
pub fn write(name: &OsStr, answer: &Answer, terminal: Terminal) -> io::Result<()> {
    let text = render(name, answer, terminal, environment::is_true_colour());
    let mut out = Stdout::new();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn render(name: &OsStr, answer: &Answer, terminal: Terminal, any_colour: bool) -> String {
    let room = terminal.width.unwrap_or(usize::MAX);
    let name = printable_name(name);
    let mut lines = vec![terminal.paint(Style::new().bold(), &name)];
    let say = |lines: &mut Vec<String>, line: &str| lines.push(truncate(line, room));
    if let Some(remark) = answer.remark() {
        say(&mut lines, &format!("  {remark}"));
    }
    let maps: Vec<&ClassMap> = answer.classes.iter().map(|(_, map)| map).collect();
    let range = shared_range(&maps);
    let columns = terminal.width.unwrap_or(PLAIN_COLUMNS).min(COLUMNS);
    let size = fitted(answer, columns);
    for (class, map) in &answer.classes {
        let label = printable(&class.label);
        say(&mut lines, &format!("  {:.4}  {label}", map.score));
        let (low, high) = map.range();
        let mean = map.values.iter().sum::<f32>() / map.values.len() as f32;
        let (logit, bias) = (map.logit, map.bias);
        say(
            &mut lines,
            &format!(
                "  logit {logit:.2}: mean {mean:.2} (from {low:.2} to {high:.2}), bias {bias:.2}"
            ),
        );
        if terminal.colour {
            blocks(&mut lines, answer, map, range, size, any_colour)
        } else {
            plain(&mut lines, answer, map, range, size)
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Columns and lines for a picture; a line is as high as two columns are wide.
fn fitted(answer: &Answer, columns: usize) -> (usize, usize) {
    let picture = &answer.picture;
    let shape = f64::from(picture.height()) / f64::from(picture.width());
    let columns = (columns as f64).min(2.0 * LINES as f64 / shape).round();
    let lines = (columns * shape / 2.0).round();
    (
        columns.max(1.0) as usize,
        lines.clamp(1.0, LINES as f64) as usize,
    )
}

/// The picture with its map in half blocks, each of two pixels one above the other.
fn blocks(
    lines: &mut Vec<String>,
    answer: &Answer,
    map: &ClassMap,
    range: (f32, f32),
    (columns, rows): (usize, usize),
    any_colour: bool,
) {
    let size = (columns, 2 * rows);
    let drawn = overlay(&answer.picture, answer.region, map, range, size);
    let code = |[r, g, b]: [u8; 3]| {
        if any_colour {
            format!("2;{r};{g};{b}")
        } else {
            format!("5;{}", palette([r, g, b]))
        }
    };
    for line in 0..rows as u32 {
        let mut text = String::new();
        let mut last = String::new();
        for column in 0..columns as u32 {
            let pixel = |row: u32| code(drawn.get_pixel(column, 2 * line + row).0);
            let colours = format!("\x1b[38;{};48;{}m", pixel(0), pixel(1));
            if colours != last {
                text.push_str(&colours);
                last = colours;
            }
            text.push('▀');
        }
        text.push_str("\x1b[0m");
        lines.push(text);
    }
}

/// The map alone in characters, darker ink for more; a dot is what the network did not see.
fn plain(
    lines: &mut Vec<String>,
    answer: &Answer,
    map: &ClassMap,
    (low, high): (f32, f32),
    (columns, rows): (usize, usize),
) {
    let (width, height) = answer.picture.dimensions();
    let scale = (
        columns as f64 / f64::from(width),
        rows as f64 / f64::from(height),
    );
    let region = answer.region.scaled(scale);
    for line in map.spread(region, (columns, rows)).chunks(columns) {
        let character = |value: &Option<f32>| match value {
            Some(value) => {
                let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
                RAMP[(share * (RAMP.len() - 1) as f32).round() as usize]
            }
            None => '·',
        };
        let line: String = line.iter().map(character).collect();
        lines.push(line.trim_end().to_owned());
    }
}

/// The nearest of a terminal's 256 colours: of its cube of 6 by 6 by 6, or of its greys.
fn palette(colour: [u8; 3]) -> u8 {
    const LEVELS: [i32; 6] = [0, 95, 135, 175, 215, 255];
    let nearest = |part: u8| {
        let distance = |&i: &usize| (LEVELS[i] - i32::from(part)).abs();
        (0..LEVELS.len()).min_by_key(distance).unwrap_or(0)
    };
    let off = |candidate: [i32; 3]| -> i32 {
        let parts = candidate.iter().zip(colour);
        parts.map(|(a, b)| (a - i32::from(b)).pow(2)).sum()
    };
    let cube = colour.map(nearest);
    let mean = colour.iter().map(|&part| i32::from(part)).sum::<i32>() / 3;
    let grey = ((mean - 3) / 10).clamp(0, 23);
    if off([8 + 10 * grey; 3]) < off(cube.map(|level| LEVELS[level])) {
        232 + grey as u8
    } else {
        (16 + 36 * cube[0] + 6 * cube[1] + cube[2]) as u8
    }
}

#[cfg(test)]
mod tests {
    use mobilenet::labels::Class;
    use mobilenet::pixels::{Region, RgbImage};

    use super::*;
    use crate::cli::terminal::columns;

    fn answer(width: u32, height: u32, label: &str) -> Answer {
        let map = ClassMap {
            rows: 2,
            columns: 2,
            values: vec![-1.5, 0.0, 8.0, 1_234_567.0],
            bias: -0.25,
            logit: 308_643.0,
            score: 0.75,
        };
        let class = Class {
            index: 0,
            wnid: None,
            label: label.into(),
        };
        Answer {
            picture: RgbImage::new(width, height),
            region: Region {
                left: 0.0,
                top: 0.0,
                width: f64::from(width) / 2.0,
                height: f64::from(height),
            },
            classes: vec![(class.clone(), map.clone()), (class, map)],
            rejected: Some(0.01),
            preview: false,
        }
    }

    /// What is seen of a line.
    fn visible(line: &str) -> String {
        let mut parts = line.split('\x1b');
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| {
            text + part.split_once('m').map_or("", |(_, rest)| rest)
        })
    }

    #[test]
    fn lines_fit_the_terminal_whatever_the_picture_is_like() {
        let label = "a label that is a good deal longer than any terminal is wide, and goes on";
        for (width, height) in [(1, 1), (30, 20), (400, 3), (3, 400), (640, 480)] {
            let answer = answer(width, height, label);
            for columns_wide in [30, 60, 200] {
                for colour in [false, true] {
                    let terminal = Terminal {
                        width: Some(columns_wide),
                        colour,
                    };
                    let text = render(OsStr::new("a.jpg"), &answer, terminal, columns_wide == 60);
                    let lines: Vec<String> = text.lines().map(visible).collect();
                    assert!(lines.iter().all(|l| columns(l) <= columns_wide), "{text}");
                    assert!(lines.len() <= 2 + 2 * (2 + LINES), "{text}");
                    assert!(text.ends_with('\n'));
                }
            }
        }
    }

    #[test]
    fn without_colour_there_is_no_escape_sequence() {
        let answer = answer(40, 40, "a\x1b[31m");
        let text = render(OsStr::new("a\x1b.jpg"), &answer, Terminal::none(), true);
        assert!(!text.contains('\x1b'), "{text}");
        // The right half was not seen; the least is blank, the most the darkest.
        let map: Vec<&str> = text.lines().skip(4).take(32).collect();
        assert!(
            map[0].starts_with("     ") && map[0].ends_with("·····"),
            "{text}"
        );
        assert!(map.iter().any(|line| line.contains('@')), "{text}");
    }

    #[test]
    fn the_nearest_of_256_colours() {
        for (colour, number) in [
            ([0, 0, 0], 16),
            ([255, 255, 255], 231),
            ([255, 0, 0], 196),
            ([94, 136, 174], 67),
            ([129, 128, 127], 244),
            ([8, 8, 8], 232),
            ([240, 240, 240], 255),
        ] {
            assert_eq!(palette(colour), number, "{colour:?}");
        }
    }
}
