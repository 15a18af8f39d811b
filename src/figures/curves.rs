//! Line charts.

use image::RgbImage;

use super::axis::Axis;
use super::canvas::{Align, Canvas};
use super::colours::{CURVES, Colour, GRID, INK, MUTED};
use super::text;

/// Line charts that belong together, such as the loss and the accuracy of a training.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// What its values are.
    pub title: String,
    /// What is counted from left to right.
    pub x_label: String,
    /// Its lines, which the legend lists in this order.
    pub curves: Vec<Curve>,
}

/// A line of a [`Panel`].
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Its name in the legend.
    pub name: String,
    /// (x, y) in the order of x. A point with a part that is not a finite number is left out, and
    /// the line has a gap there.
    pub points: Vec<(f64, f64)>,
}

/// The area that lines are drawn in.
const PLOT: (usize, usize) = (520, 300);
/// Panels beside each other.
const BESIDE: usize = 2;
const MARGIN: usize = 24;
const TITLE: f32 = 17.0;
const TEXT: f32 = 13.0;
/// From the base of a line of the legend to the next.
const LINE: usize = 20;
/// Lines of the legend at most.
const LEGEND_LINES: usize = 12;
/// The sample of a curve before its name.
const SAMPLE: f32 = 26.0;
/// As many points are marked each.
const MARKED: usize = 40;
/// Larger numbers are taken for infinite.
const LARGEST: f64 = 1e300;

/// Draws line charts, up to two beside each other and the others below: axes with round numbers, a
/// light grid, and under each the legend.
///
/// Any number of panels, curves and points will do, none included.
pub fn curves(panels: &[Panel]) -> RgbImage {
    let drawn: Vec<Drawn> = panels.iter().map(Drawn::new).collect();
    let columns = drawn.len().clamp(1, BESIDE);
    let numbers = drawn.iter().map(Drawn::numbers_width).max().unwrap_or(0);
    let left = MARGIN + numbers + 8;
    let width = left + PLOT.0 + MARGIN;
    let above = MARGIN + 30;
    let heights: Vec<usize> = drawn
        .chunks(columns)
        .map(|row| {
            let lines = row.iter().map(|drawn| drawn.legend.len()).max();
            above + PLOT.1 + 56 + LINE * lines.unwrap_or(0) + MARGIN / 2
        })
        .collect();
    let height = heights.iter().sum::<usize>();
    let mut canvas = Canvas::new(columns * width, height.max(above));
    let mut top = 0;
    for (row, height) in drawn.chunks(columns).zip(heights) {
        for (column, drawn) in row.iter().enumerate() {
            drawn.draw(&mut canvas, (column * width + left, top + above));
        }
        top += height;
    }
    canvas.into_image()
}

/// A panel with its axes and the lines of its legend.
struct Drawn<'a> {
    panel: &'a Panel,
    x: Axis,
    y: Axis,
    /// Lines of (curve, name, place from the left).
    legend: Vec<Vec<Entry>>,
}

/// A name in the legend.
struct Entry {
    /// The number of the curve; `None` for a remark.
    curve: Option<usize>,
    name: String,
    left: f32,
}

impl<'a> Drawn<'a> {
    fn new(panel: &'a Panel) -> Self {
        let points = || panel.curves.iter().flat_map(|curve| finite(&curve.points));
        Self {
            panel,
            x: Axis::close_to(points().map(|point| point.0), 8),
            y: Axis::over(points().map(|point| point.1), 6),
            legend: legend(&panel.curves),
        }
    }

    /// The width of the numbers at the left.
    fn numbers_width(&self) -> usize {
        let widths = self.y.marks.iter().map(|m| text::width(&m.text, TEXT));
        widths.fold(0.0, f32::max).ceil() as usize
    }

    /// Draws it with the corner of the plot at `(left, top)`.
    fn draw(&self, canvas: &mut Canvas, (left, top): (usize, usize)) {
        let (left_f, top_f) = (left as f32, top as f32);
        let (width, height) = (PLOT.0 as f32, PLOT.1 as f32);
        let bottom = top_f + height;
        let title = text::spelt_out(&self.panel.title);
        let title = text::fitted(&title, TITLE, width);
        canvas.text(&title, TITLE, (left_f, top_f - 14.0), Align::Left, INK);
        for mark in &self.y.marks {
            let y = bottom - height * self.y.place(mark.value) as f32;
            canvas.rectangle((left, y.round() as usize), (PLOT.0, 1), GRID);
            let at = (left_f - 8.0, y + TEXT * 0.36);
            canvas.text(&mark.text, TEXT, at, Align::Right, MUTED);
        }
        for mark in &self.x.marks {
            let x = left_f + width * self.x.place(mark.value) as f32;
            canvas.rectangle((x.round() as usize, top), (1, PLOT.1), GRID);
            canvas.text(&mark.text, TEXT, (x, bottom + 18.0), Align::Middle, MUTED);
        }
        canvas.rectangle((left, top + PLOT.1), (PLOT.0, 1), MUTED);
        canvas.rectangle((left - 1, top), (1, PLOT.1 + 1), MUTED);
        let label = text::spelt_out(&self.panel.x_label);
        let label = text::fitted(&label, TEXT, width);
        let middle = left_f + width / 2.0;
        canvas.text(&label, TEXT, (middle, bottom + 38.0), Align::Middle, INK);
        let place = |(x, y): (f64, f64)| {
            let (x, y) = (self.x.place(x) as f32, self.y.place(y) as f32);
            (left_f + width * x, bottom - height * y)
        };
        for (i, curve) in self.panel.curves.iter().enumerate() {
            draw_curve(canvas, curve, Style::of(i), place);
        }
        if self
            .panel
            .curves
            .iter()
            .all(|c| finite(&c.points).next().is_none())
        {
            let at = (middle, top_f + height / 2.0);
            canvas.text("no values", TEXT, at, Align::Middle, MUTED);
        }
        for (line, entries) in self.legend.iter().enumerate() {
            let y = bottom + 60.0 + (line * LINE) as f32;
            for entry in entries {
                let x = left_f + entry.left;
                let Some(i) = entry.curve else {
                    canvas.text(&entry.name, TEXT, (x, y), Align::Left, MUTED);
                    continue;
                };
                let sample = [(x, y - 4.5), (x + SAMPLE, y - 4.5)];
                let style = Style::of(i);
                canvas.line(&sample, 2.0, style.colour, style.dash);
                let at = (x + SAMPLE + 7.0, y);
                canvas.text(&entry.name, TEXT, at, Align::Left, INK);
            }
        }
    }
}

/// How a curve is told from the others.
#[derive(Clone, Copy)]
struct Style {
    colour: Colour,
    dash: &'static [f32],
}

impl Style {
    /// A colour each, then the same colours dashed.
    fn of(curve: usize) -> Self {
        const DASHES: [&[f32]; 4] = [&[], &[7.0, 4.0], &[2.0, 3.0], &[9.0, 3.0, 2.0, 3.0]];
        Self {
            colour: CURVES[curve % CURVES.len()],
            dash: DASHES[curve / CURVES.len() % DASHES.len()],
        }
    }
}

fn draw_curve(
    canvas: &mut Canvas,
    curve: &Curve,
    style: Style,
    place: impl Fn((f64, f64)) -> (f32, f32),
) {
    let marked = curve.points.len() <= MARKED;
    for stretch in curve.points.split(|point| !is_finite(point)) {
        let points: Vec<_> = stretch.iter().map(|&point| place(point)).collect();
        canvas.line(&points, 2.0, style.colour, style.dash);
        if marked || points.len() == 1 {
            for &point in &points {
                canvas.dot(point, 3.0, style.colour);
            }
        }
    }
}

fn is_finite(&(x, y): &(f64, f64)) -> bool {
    x.abs() <= LARGEST && y.abs() <= LARGEST
}

fn finite(points: &[(f64, f64)]) -> impl Iterator<Item = (f64, f64)> + Clone {
    points.iter().copied().filter(is_finite)
}

/// Names beside each other as far as they fit, and no more lines than there is room for.
fn legend(curves: &[Curve]) -> Vec<Vec<Entry>> {
    let room = PLOT.0 as f32;
    let mut lines: Vec<Vec<Entry>> = Vec::new();
    let mut used = f32::INFINITY;
    for (i, curve) in curves.iter().enumerate() {
        let name = text::spelt_out(&curve.name);
        let name = text::fitted(&name, TEXT, room - SAMPLE - 8.0);
        let width = SAMPLE + 7.0 + text::width(&name, TEXT);
        if used + width > room {
            if lines.len() == LEGEND_LINES {
                lines.push(vec![Entry {
                    curve: None,
                    name: format!("and {} more", curves.len() - i),
                    left: 0.0,
                }]);
                break;
            }
            lines.push(Vec::new());
            used = 0.0;
        }
        if let Some(line) = lines.last_mut() {
            line.push(Entry {
                curve: Some(i),
                name,
                left: used,
            });
        }
        used += width + 22.0;
    }
    lines
}
