//! Confusion matrices.

use image::RgbImage;

use super::axis::Axis;
use super::canvas::{Align, Canvas};
use super::colours::{Colour, GRID, INK, MUTED, colour, ink_on};
use super::text::{self, ASCENT};

const MARGIN: usize = 20;
const TEXT: f32 = 13.0;
/// The longest name of a class, in pixels.
const NAME: f32 = 200.0;
/// The largest matrix; beyond it several classes share a pixel.
const LARGEST: usize = 2000;
/// What a row without a single picture shows.
const NOTHING: Colour = [240, 240, 240];

/// Draws a confusion matrix: a row for each true class, a column for each predicted one, darker
/// the larger the share of the row (by its root, so that few mistakes show too), with the counts in
/// the cells where they fit.
///
/// `counts[true][predicted]`; what is missing counts as 0. Columns may differ from the rows, by
/// one for `unknown` for example. From about a hundred classes on there is no room for names, and
/// the axes have numbers from 0.
pub fn confusion_matrix(rows: &[String], columns: &[String], counts: &[Vec<u64>]) -> RgbImage {
    if rows.is_empty() || columns.is_empty() {
        let mut canvas = Canvas::new(200, 60);
        canvas.text("no classes", TEXT, (100.0, 34.0), Align::Middle, MUTED);
        return canvas.into_image();
    }
    let layout = Layout::new(rows, columns, counts);
    let mut canvas = Canvas::new(layout.size().0, layout.size().1);
    layout.draw_cells(&mut canvas, counts);
    match layout.cell >= 12 {
        true => layout.draw_names(&mut canvas),
        false => layout.draw_numbers(&mut canvas),
    }
    layout.draw_titles(&mut canvas);
    layout.draw_legend(&mut canvas);
    canvas.into_image()
}

/// The colour of a share of a row: white for nothing, nearly black for all of it. By the share's
/// root, because a good classifier's mistakes are small shares, and would be white all over.
fn shade(share: f64) -> Colour {
    colour(1.0 - share.sqrt())
}

/// How the names of columns stand.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Slope {
    Level,
    Slanted,
    Upright,
}

impl Slope {
    /// Degrees by which text turns to the left.
    fn angle(self) -> f32 {
        match self {
            Self::Level => 0.0,
            Self::Slanted => 45.0,
            Self::Upright => 90.0,
        }
    }
}

/// Where everything is.
struct Layout {
    /// Pixels of a cell's side.
    cell: usize,
    /// Classes that share a cell, if there are very many.
    together: usize,
    /// Names cut to the room that they have, or nothing where there is none.
    rows: Vec<String>,
    columns: Vec<String>,
    classes: (usize, usize),
    slope: Slope,
    /// The size of names, and of counts.
    text: f32,
    count_text: f32,
    /// The matrix's corner.
    left: usize,
    top: usize,
}

impl Layout {
    fn new(rows: &[String], columns: &[String], counts: &[Vec<u64>]) -> Self {
        let most = rows.len().max(columns.len());
        let together = most.div_ceil(LARGEST);
        let widest = counts.iter().flatten().copied().max().unwrap_or(0);
        let widest = text::width(&text::grouped(widest), TEXT).ceil() as usize + 10;
        let cell = match most {
            0..=20 => (720 / most).clamp(36, 84).max(widest.min(120)),
            21..=60 => (720 / most).max(20),
            61..=100 => 12,
            _ => (1200 / most).max(1),
        };
        let text = if cell >= 18 { TEXT } else { 10.0 };
        let named = cell >= 12;
        let names = |classes: &[String]| -> Vec<String> {
            let name = |class: &String| text::fitted(&text::spelt_out(class), text, NAME);
            classes.iter().filter(|_| named).map(name).collect()
        };
        let (row_names, column_names) = (names(rows), names(columns));
        let longest = |names: &[String]| {
            let widths = names.iter().map(|name| text::width(name, text));
            widths.fold(0.0, f32::max)
        };
        let slope = match longest(&column_names) {
            longest if longest + 8.0 <= cell as f32 => Slope::Level,
            _ if cell >= 18 => Slope::Slanted,
            _ => Slope::Upright,
        };
        let rise = longest(&column_names) * slope.angle().to_radians().sin();
        // A number at a mark has the same room.
        let beside = if named { longest(&row_names) } else { 40.0 };
        Self {
            cell,
            together,
            classes: (rows.len(), columns.len()),
            rows: row_names,
            columns: column_names,
            slope,
            text,
            count_text: if cell >= 30 { TEXT } else { 9.5 },
            left: MARGIN + 24 + beside.ceil() as usize + 8,
            top: MARGIN + 24 + (rise + text).ceil() as usize + 6,
        }
    }

    /// Rows and columns of cells.
    fn cells(&self) -> (usize, usize) {
        let cells = |classes: usize| classes.div_ceil(self.together);
        (cells(self.classes.0), cells(self.classes.1))
    }

    /// The matrix's width and height.
    fn matrix(&self) -> (usize, usize) {
        let (rows, columns) = self.cells();
        (columns * self.cell, rows * self.cell)
    }

    /// The height of the legend's bar.
    fn bar(&self) -> usize {
        self.matrix().1.clamp(160, 260)
    }

    /// The picture's width and height.
    fn size(&self) -> (usize, usize) {
        let (width, height) = self.matrix();
        // Slanted names lead over the right edge.
        let turn = self.slope.angle().to_radians().cos();
        let names = self.columns.iter().enumerate().map(|(i, name)| {
            let middle = i * self.cell + self.cell / 2;
            middle + (text::width(name, self.text) * turn + self.text).ceil() as usize
        });
        let right = match self.slope {
            Slope::Slanted => names.max().unwrap_or(0).max(width + 100),
            _ => width + 100,
        };
        let below = height.max(self.bar());
        (self.left + right + MARGIN, self.top + below + MARGIN)
    }

    fn draw_cells(&self, canvas: &mut Canvas, counts: &[Vec<u64>]) {
        let (rows, columns) = self.cells();
        let (cell, matrix) = (self.cell, self.matrix());
        for row in 0..rows {
            let sums = self.sums(row, counts);
            let total: f64 = sums.iter().map(|&sum| sum as f64).sum();
            let y = self.top + row * cell;
            for (column, &sum) in sums.iter().enumerate() {
                let x = self.left + column * cell;
                let background = match total > 0.0 {
                    true => shade(sum as f64 / total),
                    false => NOTHING,
                };
                canvas.rectangle((x, y), (cell, cell), background);
                self.draw_count(canvas, (x, y), sum, background);
            }
        }
        if cell >= 12 {
            for row in 1..rows {
                canvas.rectangle((self.left, self.top + row * cell), (matrix.0, 1), GRID);
            }
            for column in 1..columns {
                canvas.rectangle((self.left + column * cell, self.top), (1, matrix.1), GRID);
            }
        }
        canvas.frame((self.left, self.top), matrix, MUTED);
    }

    /// The counts of a row of cells.
    fn sums(&self, row: usize, counts: &[Vec<u64>]) -> Vec<u64> {
        let mut sums = vec![0u64; self.cells().1];
        let rows = counts.iter().take(self.classes.0);
        for counts in rows.skip(row * self.together).take(self.together) {
            for (column, &count) in counts.iter().take(self.classes.1).enumerate() {
                let sum = &mut sums[column / self.together];
                *sum = sum.saturating_add(count);
            }
        }
        sums
    }

    /// A count in the middle of its cell, if it fits.
    fn draw_count(&self, canvas: &mut Canvas, (x, y): (usize, usize), n: u64, below: Colour) {
        let cell = self.cell as f32;
        let written = text::grouped(n);
        // Noughts are told by the colour where there are many.
        let clutter = n == 0 && self.cell < 36;
        if self.cell < 16 || clutter || text::width(&written, self.count_text) + 3.0 > cell {
            return;
        }
        let ink = if n == 0 { MUTED } else { ink_on(below) };
        let base = y as f32 + (cell + self.count_text * ASCENT) / 2.0;
        let at = (x as f32 + cell / 2.0 + 0.5, base);
        canvas.text(&written, self.count_text, at, Align::Middle, ink);
    }

    fn draw_names(&self, canvas: &mut Canvas) {
        let (left, top, cell) = (self.left as f32, self.top as f32, self.cell as f32);
        for (i, name) in self.rows.iter().enumerate() {
            let y = top + cell * (i as f32 + 0.5) + self.text * ASCENT / 2.0;
            canvas.text(name, self.text, (left - 8.0, y), Align::Right, INK);
        }
        for (i, name) in self.columns.iter().enumerate() {
            let x = left + cell * (i as f32 + 0.5);
            let middle = self.text * ASCENT / 2.0;
            match self.slope {
                Slope::Level => {
                    canvas.text(name, self.text, (x, top - 8.0), Align::Middle, INK);
                }
                Slope::Slanted => {
                    let at = (x + middle * 0.4, top - 7.0);
                    canvas.slanted(name, self.text, at, -45.0, INK);
                }
                Slope::Upright => {
                    let at = (x + middle, top - 7.0);
                    canvas.slanted(name, self.text, at, -90.0, INK);
                }
            }
        }
    }

    /// Marks every so many classes.
    fn draw_numbers(&self, canvas: &mut Canvas) {
        let (left, top) = (self.left as f32, self.top as f32);
        let per_class = self.cell as f32 / self.together as f32;
        let marks = |classes: usize, pixels: usize| {
            let most = (pixels / 60).clamp(1, 10);
            let axis = Axis::over([0.0, classes as f64].into_iter(), most);
            let values = axis.marks.into_iter().map(|mark| mark.value);
            let named = values.filter(move |&v| v < classes as f64 && v.fract() == 0.0);
            named.map(|value| value as usize)
        };
        for mark in marks(self.classes.0, self.matrix().1) {
            let y = top + (mark as f32 + 0.5) * per_class;
            canvas.rectangle((self.left - 6, y as usize), (5, 1), MUTED);
            let at = (left - 9.0, y + self.text * ASCENT / 2.0);
            canvas.text(&mark.to_string(), self.text, at, Align::Right, MUTED);
        }
        for mark in marks(self.classes.1, self.matrix().0) {
            let x = left + (mark as f32 + 0.5) * per_class;
            canvas.rectangle((x as usize, self.top - 6), (1, 5), MUTED);
            canvas.text(
                &mark.to_string(),
                self.text,
                (x, top - 9.0),
                Align::Middle,
                MUTED,
            );
        }
    }

    fn draw_titles(&self, canvas: &mut Canvas) {
        let (width, height) = self.matrix();
        let middle = self.left as f32 + width as f32 / 2.0;
        let at = (middle, (MARGIN + 12) as f32);
        canvas.text("predicted class", TEXT, at, Align::Middle, MUTED);
        let length = text::width("true class", TEXT);
        let middle = self.top as f32 + height as f32 / 2.0;
        let lowest = (self.top + height.max(self.bar())) as f32;
        let start = (middle + length / 2.0).min(lowest);
        let at = ((MARGIN + 12) as f32, start);
        canvas.slanted("true class", TEXT, at, -90.0, MUTED);
    }

    /// The scale of the colours.
    fn draw_legend(&self, canvas: &mut Canvas) {
        let (x, y) = (self.left + self.matrix().0 + 24, self.top);
        let bar = (14, self.bar());
        for row in 0..bar.1 {
            let value = row as f64 / (bar.1 - 1) as f64;
            canvas.rectangle((x, y + row), (bar.0, 1), colour(value));
        }
        canvas.frame((x, y), bar, MUTED);
        let middle = 11.0 * ASCENT / 2.0;
        for percent in [0u8, 1, 5, 10, 25, 50, 75, 100] {
            let down = bar.1 as f32 * (1.0 - (f32::from(percent) / 100.0).sqrt());
            let at = ((x + bar.0 + 7) as f32, y as f32 + down + middle);
            canvas.text(&format!("{percent}%"), 11.0, at, Align::Left, MUTED);
        }
        let length = text::width("share of the row", TEXT);
        let start = y as f32 + (bar.1 as f32 - length) / 2.0;
        let at = ((x + bar.0 + 46) as f32, start);
        canvas.slanted("share of the row", TEXT, at, 90.0, MUTED);
    }
}
