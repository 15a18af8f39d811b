//! What figures are drawn on.

use image::RgbImage;
use tiny_skia::{
    FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, PixmapMut, Stroke, StrokeDash, Transform,
};

use super::colours::{Colour, WHITE};
use super::text;

/// Where a text stands from its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Middle,
    Right,
}

/// A white sheet to draw on. What leads over its edges is cut off.
pub(crate) struct Canvas {
    width: u32,
    height: u32,
    /// Opaque RGBA.
    pixels: Vec<u8>,
}

impl Canvas {
    pub(crate) fn new(width: usize, height: usize) -> Self {
        let (width, height) = (width.clamp(1, 1 << 15), height.clamp(1, 1 << 15));
        Self {
            width: width as u32,
            height: height as u32,
            pixels: vec![255; width * height * 4],
        }
    }

    /// Fills a rectangle of whole pixels.
    pub(crate) fn rectangle(&mut self, (x, y): (usize, usize), size: (usize, usize), c: Colour) {
        let (width, height) = (self.width as usize, self.height as usize);
        let columns = x.min(width)..(x + size.0).min(width);
        for row in y.min(height)..(y + size.1).min(height) {
            let pixels = &mut self.pixels[(row * width + columns.start) * 4..];
            for pixel in pixels.chunks_exact_mut(4).take(columns.len()) {
                pixel[..3].copy_from_slice(&c);
            }
        }
    }

    /// Frames a rectangle of whole pixels with a line of one pixel around it.
    pub(crate) fn frame(&mut self, (x, y): (usize, usize), size: (usize, usize), c: Colour) {
        let (left, top) = (x.saturating_sub(1), y.saturating_sub(1));
        let (width, height) = (size.0 + 2, size.1 + 2);
        self.rectangle((left, top), (width, 1), c);
        self.rectangle((left, y + size.1), (width, 1), c);
        self.rectangle((left, top), (1, height), c);
        self.rectangle((x + size.0, top), (1, height), c);
    }

    /// Copies a picture.
    pub(crate) fn picture(&mut self, (x, y): (usize, usize), picture: &RgbImage) {
        for (column, row, pixel) in picture.enumerate_pixels() {
            self.rectangle((x + column as usize, y + row as usize), (1, 1), pixel.0);
        }
    }

    /// A line through points, dashed where `dash` is not empty.
    pub(crate) fn line(&mut self, points: &[(f32, f32)], width: f32, c: Colour, dash: &[f32]) {
        let mut path = PathBuilder::new();
        for (i, &(x, y)) in points.iter().enumerate() {
            match i {
                0 => path.move_to(x, y),
                _ => path.line_to(x, y),
            }
        }
        let Some(path) = path.finish() else { return };
        let stroke = Stroke {
            width,
            line_cap: LineCap::Butt,
            line_join: LineJoin::Round,
            dash: StrokeDash::new(dash.to_vec(), 0.0),
            ..Stroke::default()
        };
        if let Some(mut pixmap) = self.pixmap() {
            pixmap.stroke_path(&path, &paint(c), &stroke, Transform::identity(), None);
        }
    }

    /// A dot, with a rim of white that sets it off from what is below it.
    pub(crate) fn dot(&mut self, (x, y): (f32, f32), radius: f32, c: Colour) {
        for (radius, c) in [(radius + 1.0, WHITE), (radius, c)] {
            if let Some(path) = PathBuilder::from_circle(x, y, radius) {
                self.fill(&path, c);
            }
        }
    }

    /// A text on a line whose base is at `y`.
    pub(crate) fn text(&mut self, text: &str, size: f32, (x, y): (f32, f32), a: Align, c: Colour) {
        let x = match a {
            Align::Left => x,
            Align::Middle => x - text::width(text, size) / 2.0,
            Align::Right => x - text::width(text, size),
        };
        // On whole pixels letters are crisper.
        let place = Transform::from_translate(x.round(), y.round());
        self.outlines(text, size, place, c);
    }

    /// A text that begins at a point, turned clockwise by an angle in degrees.
    pub(crate) fn slanted(&mut self, text: &str, size: f32, at: (f32, f32), angle: f32, c: Colour) {
        let place = Transform::from_translate(at.0, at.1).pre_rotate(angle);
        self.outlines(text, size, place, c);
    }

    pub(crate) fn into_image(self) -> RgbImage {
        let colours = self.pixels.chunks_exact(4).flat_map(|pixel| &pixel[..3]);
        let colours: Vec<u8> = colours.copied().collect();
        RgbImage::from_raw(self.width, self.height, colours).unwrap_or_default()
    }

    fn outlines(&mut self, text: &str, size: f32, place: Transform, c: Colour) {
        if let Some(path) = text::outlines(text, size, place) {
            self.fill(&path, c);
        }
    }

    fn fill(&mut self, path: &Path, c: Colour) {
        if let Some(mut pixmap) = self.pixmap() {
            let identity = Transform::identity();
            pixmap.fill_path(path, &paint(c), FillRule::Winding, identity, None);
        }
    }

    fn pixmap(&mut self) -> Option<PixmapMut<'_>> {
        PixmapMut::from_bytes(&mut self.pixels, self.width, self.height)
    }
}

fn paint(c: Colour) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color_rgba8(c[0], c[1], c[2], 255);
    paint
}
