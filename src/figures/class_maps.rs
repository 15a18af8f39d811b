//! Class activation maps over their picture.

use image::{Rgb, RgbImage};

use super::axis::Axis;
use super::canvas::{Align, Canvas};
use super::colours::{INK, MUTED, WHITE, colour, luma};
use super::text;
use crate::explain::ClassMap;
use crate::pixels::{Filter, Region, Window, resize};

const MARGIN: usize = 16;
/// Between pictures.
const GAP: usize = 20;
const TITLE: f32 = 15.0;
const TEXT: f32 = 12.0;
/// What stands above a picture.
const ABOVE: usize = 44;
/// What stands below all of them: the scale.
const BELOW: usize = 62;
/// No narrower is the place of a picture, so that there is room for words.
const NARROWEST: usize = 240;
/// Pictures beside each other take no more than this, unless they are that wide alone.
const WIDEST: usize = 1760;
/// Smaller pictures are enlarged so far, by a whole number.
const SMALLEST: usize = 256;

/// A map with what is to be said of it.
#[derive(Debug, Clone)]
pub struct ClassPanel<'a> {
    /// The class.
    pub title: String,
    /// How likely it is.
    pub note: String,
    /// What speaks for it.
    pub map: &'a ClassMap,
}

/// The values that the ends of the colour scale stand for, the same for all maps, so that they can
/// be compared; nought is among them.
pub fn shared_range(maps: &[&ClassMap]) -> (f32, f32) {
    let (low, high) = maps.iter().fold((0f32, 0f32), |(low, high), map| {
        let (l, h) = map.range();
        (low.min(l), high.max(h))
    });
    if low < high { (low, high) } else { (0.0, 1.0) }
}

/// Draws class activation maps over a picture, beside each other and on one scale of colours: what
/// speaks for a class is bright, what the network did not see is grey.
///
/// `region` is the part of the picture that the maps cover, in the picture's pixels; `remark`
/// stands above everything. A picture is drawn at its own size, but its longer side at most `side`
/// pixels, and tiny ones enlarged.
pub fn class_maps(
    picture: &RgbImage,
    region: Region,
    panels: &[ClassPanel],
    side: usize,
    remark: Option<&str>,
) -> RgbImage {
    let size = drawn_size(picture, side);
    let maps: Vec<&ClassMap> = panels.iter().map(|panel| panel.map).collect();
    let range = shared_range(&maps);
    let place = (size.0.max(NARROWEST), size.1 + ABOVE);
    let beside = panels_beside(panels.len(), place.0);
    let rows = panels.len().div_ceil(beside);
    let top = MARGIN + if remark.is_some() { 24 } else { 0 };
    let width = 2 * MARGIN + beside * (place.0 + GAP) - GAP;
    let height = top + rows * (place.1 + GAP) + BELOW;
    let mut canvas = Canvas::new(width, height);
    let room = (width - 2 * MARGIN) as f32;
    if let Some(remark) = remark {
        let remark = text::fitted(&text::spelt_out(remark), TITLE, room);
        let at = (MARGIN as f32, (MARGIN + 12) as f32);
        canvas.text(&remark, TITLE, at, Align::Left, INK);
    }
    for (i, panel) in panels.iter().enumerate() {
        let x = MARGIN + (i % beside) * (place.0 + GAP);
        let y = top + (i / beside) * (place.1 + GAP);
        let title = text::fitted(&text::spelt_out(&panel.title), TITLE, place.0 as f32);
        canvas.text(&title, TITLE, (x as f32, (y + 14) as f32), Align::Left, INK);
        let note = text::fitted(&text::spelt_out(&panel.note), TEXT, place.0 as f32);
        canvas.text(&note, TEXT, (x as f32, (y + 33) as f32), Align::Left, MUTED);
        let drawn = overlay(picture, region, panel.map, range, size);
        canvas.picture((x, y + ABOVE), &drawn);
    }
    let top = top + rows * (place.1 + GAP);
    draw_scale(&mut canvas, (MARGIN, top), room, range);
    canvas.into_image()
}

/// A picture at a size of (width, height) with a map over the part of it that the network saw, in
/// the colours of `range`; grey where it saw nothing. `region` is in the picture's pixels. A
/// picture without pixels is drawn blank.
pub fn overlay(
    picture: &RgbImage,
    region: Region,
    map: &ClassMap,
    range: (f32, f32),
    size: (usize, usize),
) -> RgbImage {
    let size = (size.0.max(1), size.1.max(1));
    if picture.width() == 0 || picture.height() == 0 {
        return RgbImage::from_pixel(size.0 as u32, size.1 as u32, Rgb(WHITE));
    }
    let scale = (
        size.0 as f64 / f64::from(picture.width()),
        size.1 as f64 / f64::from(picture.height()),
    );
    let mut drawn = resize(picture, size, Filter::Bicubic, Window::whole(size));
    let values = map.spread(region.scaled(scale), size);
    for (pixel, value) in drawn.pixels_mut().zip(values) {
        *pixel = match value {
            Some(value) => heated(*pixel, share(value, range)),
            None => faded(*pixel),
        };
    }
    drawn
}

/// Where a value is in a range, from 0 to 1.
fn share(value: f32, (low, high): (f32, f32)) -> f64 {
    f64::from((value - low) / (high - low))
}

/// The colour of a share of the range. The scale's last part is so near to white that a picture
/// would be lost in it.
fn heat(share: f64) -> [u8; 3] {
    colour(share.clamp(0.0, 1.0) * 0.92)
}

fn heated(pixel: Rgb<u8>, share: f64) -> Rgb<u8> {
    let grey = luma(pixel.0);
    let heat = heat(share);
    Rgb(std::array::from_fn(|i| {
        let base = 0.35 * grey + 0.65 * f64::from(pixel[i]);
        (base * 0.4 + f64::from(heat[i]) * 0.6).round() as u8
    }))
}

fn faded(pixel: Rgb<u8>) -> Rgb<u8> {
    Rgb([(luma(pixel.0) * 0.35 + 150.0).round() as u8; 3])
}

/// The width and height that a picture is drawn with.
fn drawn_size(picture: &RgbImage, side: usize) -> (usize, usize) {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let longer = width.max(height).max(1);
    let (side, longer) = match longer {
        _ if longer > side => (side, longer),
        _ => ((SMALLEST.min(side) / longer).max(1), 1),
    };
    let drawn = |length: usize| (length * side).div_ceil(longer).max(1);
    (drawn(width), drawn(height))
}

/// As many as there is room for, and no row much shorter than the others.
fn panels_beside(panels: usize, width: usize) -> usize {
    let most = ((WIDEST + GAP) / (width + GAP)).clamp(1, panels.max(1));
    let rows = panels.max(1).div_ceil(most);
    panels.max(1).div_ceil(rows)
}

/// The colours with their values.
fn draw_scale(canvas: &mut Canvas, (x, y): (usize, usize), room: f32, range: (f32, f32)) {
    let bar = ((room as usize).min(420), 12);
    for column in 0..bar.0 {
        let share = column as f64 / (bar.0 - 1) as f64;
        canvas.rectangle((x + column, y), (1, bar.1), heat(share));
    }
    canvas.frame((x, y), bar, MUTED);
    let ends = [f64::from(range.0), f64::from(range.1)];
    for mark in Axis::over(ends.into_iter(), 5).marks {
        let share = share(mark.value as f32, range) as f32;
        if (-1e-6..=1.0 + 1e-6).contains(&share) {
            let middle = x as f32 + share * bar.0 as f32;
            let half = text::width(&mark.text, TEXT) / 2.0;
            // Not over the sheet's edges.
            let (first, last) = (x as f32 + half - 6.0, x as f32 + room - half + 6.0);
            let middle = middle.min(last).max(first);
            let at = (middle, (y + bar.1 + 16) as f32);
            canvas.text(&mark.text, TEXT, at, Align::Middle, MUTED);
        }
    }
    let meaning = "evidence; mean + bias = logit";
    let at = (x as f32, (y + bar.1 + 36) as f32);
    let meaning = text::fitted(meaning, TEXT, room);
    canvas.text(&meaning, TEXT, at, Align::Left, MUTED);
}
