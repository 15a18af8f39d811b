//! The maps in a terminal, or in plain text.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};

use mobilenet::explain::ClassMap;
use mobilenet::figures::{overlay, shared_range};
use mobilenet::pixels::Region;

use super::Answer;
use crate::cli::environment;
use crate::cli::terminal::{Terminal, printable, truncate};

/// Columns and lines that a picture takes at most.
const COLUMNS: usize = 80;
const LINES: usize = 32;
/// Columns where there is no terminal.
const PLAIN_COLUMNS: usize = 60;
/// What speaks more and more for a class.
const RAMP: [char; 10] = [' ', '.', ':', '-', '=', '+', '*', '#', '%', '@'];

/// Writes the name of a picture, and each class with its map.
pub fn write(name: &OsStr, answer: &Answer, terminal: Terminal) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let room = terminal.width.unwrap_or(usize::MAX);
    let name = printable(&name.to_string_lossy());
    writeln!(
        out,
        "{}",
        terminal.paint(anstyle::Style::new().bold(), &name)
    )?;
    if let Some(remark) = answer.remark() {
        writeln!(out, "  {}", truncate(&remark, room.saturating_sub(2)))?;
    }
    let maps: Vec<&ClassMap> = answer.classes.iter().map(|(_, map)| map).collect();
    let range = shared_range(&maps);
    let columns = terminal.width.unwrap_or(PLAIN_COLUMNS).min(COLUMNS);
    let size = fitted(answer, columns);
    for (class, map) in &answer.classes {
        let line = format!("  {:.4}  {}", map.score, printable(&class.label));
        writeln!(out, "{}", truncate(&line, room))?;
        let (low, high) = map.range();
        let line = format!(
            "  logit {:.2} = mean of {low:.2} to {high:.2}, bias {:.2}",
            map.logit, map.bias
        );
        writeln!(out, "{}", truncate(&line, room))?;
        let drawn = match (terminal.colour, environment::is_true_colour()) {
            (true, any) => blocks(answer, map, range, size, any),
            (false, _) => plain(answer, map, range, size),
        };
        out.write_all(drawn.as_bytes())?;
    }
    out.flush()
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
    answer: &Answer,
    map: &ClassMap,
    range: (f32, f32),
    (columns, lines): (usize, usize),
    any_colour: bool,
) -> String {
    let size = (columns, 2 * lines);
    let drawn = overlay(&answer.picture, answer.region, map, range, size);
    let code = |[r, g, b]: [u8; 3]| match any_colour {
        true => format!("2;{r};{g};{b}"),
        false => format!("5;{}", palette([r, g, b])),
    };
    let mut text = String::new();
    for line in 0..lines as u32 {
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
        text.push_str("\x1b[0m\n");
    }
    text
}

/// The map alone in characters, darker ink for more; a dot is what the network did not see.
fn plain(
    answer: &Answer,
    map: &ClassMap,
    (low, high): (f32, f32),
    (columns, lines): (usize, usize),
) -> String {
    let (width, height) = answer.picture.dimensions();
    let scale = (
        columns as f64 / f64::from(width),
        lines as f64 / f64::from(height),
    );
    let region = Region {
        left: answer.region.left * scale.0,
        top: answer.region.top * scale.1,
        width: answer.region.width * scale.0,
        height: answer.region.height * scale.1,
    };
    let mut text = String::new();
    for line in map.spread(region, (columns, lines)).chunks(columns) {
        let character = |value: &Option<f32>| match value {
            Some(value) => {
                let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
                RAMP[(share * (RAMP.len() - 1) as f32).round() as usize]
            }
            None => '·',
        };
        let line: String = line.iter().map(character).collect();
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
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
    match off([8 + 10 * grey; 3]) < off(cube.map(|level| LEVELS[level])) {
        true => 232 + grey as u8,
        false => (16 + 36 * cube[0] + 6 * cube[1] + cube[2]) as u8,
    }
}

#[cfg(test)]
mod tests {
    use super::palette;

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
