//! Text as outlines.

use std::fmt::Write;
use std::sync::LazyLock;

use tiny_skia::{Path, PathBuilder, Transform};
use ttf_parser::{Face, GlyphId, OutlineBuilder};

/// The font. It is there: a test sees to it.
static FACE: LazyLock<Option<Face<'static>>> =
    LazyLock::new(|| Face::parse(dejavu::sans_condensed::regular(), 0).ok());

/// How far capitals reach above the line, in parts of the size.
pub(super) const ASCENT: f32 = 0.73;

/// Text without control characters: they are spelt out.
pub(super) fn spelt_out(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => safe.extend(c.escape_default()),
            false => safe.push(c),
        }
    }
    safe
}

/// The width of a text of a size in pixels, on one line.
pub(super) fn width(text: &str, size: f32) -> f32 {
    glyphs(text).map(|(_, advance)| advance).sum::<f32>() * size
}

/// `text` in at most `room` pixels, an ellipsis at its end where some was left out.
pub(super) fn fitted(text: &str, size: f32, room: f32) -> String {
    let end = width("…", size);
    let mut used = 0.0;
    // What fits together with an ellipsis.
    let mut kept = 0;
    for (start, c) in text.char_indices() {
        used += advance(c).1 * size;
        if used > room {
            return format!("{}…", text[..kept].trim_end());
        }
        if used + end <= room {
            kept = start + c.len_utf8();
        }
    }
    text.to_owned()
}

/// A number with its thousands apart.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        let _ = text.write_char(digit);
    }
    text
}

/// The outlines of a text that begins at the origin, turned and moved by `transform`; `None` where
/// there is nothing to see.
pub(super) fn outlines(text: &str, size: f32, transform: Transform) -> Option<Path> {
    let face = FACE.as_ref()?;
    let mut pen = Pen {
        path: PathBuilder::new(),
        scale: size / f32::from(face.units_per_em()),
        x: 0.0,
    };
    for (glyph, advance) in glyphs(text) {
        face.outline_glyph(glyph, &mut pen);
        pen.x += advance * size;
    }
    pen.path.finish()?.transform(transform)
}

/// The glyphs and how far each leads on, in parts of the size.
fn glyphs(text: &str) -> impl Iterator<Item = (GlyphId, f32)> {
    text.chars().map(advance)
}

/// The glyph of a character, a box if it has none, and how far it leads on in parts of the size.
fn advance(c: char) -> (GlyphId, f32) {
    let Some(face) = FACE.as_ref() else {
        return (GlyphId(0), 0.0);
    };
    let glyph = face.glyph_index(c).unwrap_or_default();
    let units = face.glyph_hor_advance(glyph).unwrap_or_default();
    (glyph, f32::from(units) / f32::from(face.units_per_em()))
}

/// Writes outlines down at a place, upside down as pictures have it.
struct Pen {
    path: PathBuilder,
    scale: f32,
    x: f32,
}

impl Pen {
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (self.x + x * self.scale, -y * self.scale)
    }
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.at(x1, y1), self.at(x, y));
        self.path.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_has_the_common_scripts_and_a_box_for_the_others() {
        let face = FACE.as_ref().expect("a font");
        for c in "aéßжλ√…1,".chars() {
            assert!(face.glyph_index(c).is_some(), "{c}");
        }
        assert!(face.glyph_index('猫').is_none());
        assert!(outlines("猫", 12.0, Transform::identity()).is_some());
        assert!(outlines("  ", 12.0, Transform::identity()).is_none());
    }

    #[test]
    fn text_is_cut_to_fit() {
        let label = "black-footed ferret, ferret, Mustela nigripes";
        for room in [0.0, 3.0, 20.0, 60.0, 1000.0] {
            let text = fitted(label, 13.0, room);
            assert!(width(&text, 13.0) <= room.max(width("…", 13.0)), "{text}");
        }
        assert_eq!(fitted(label, 13.0, 1000.0), label);
        let exactly = width(label, 13.0) + 0.01;
        assert_eq!(fitted(label, 13.0, exactly), label);
        assert_eq!(fitted("", 13.0, 0.0), "");
    }

    #[test]
    fn control_characters_are_spelt_out() {
        assert_eq!(spelt_out("a\x1b[1m\n"), "a\\u{1b}[1m\\n");
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1000), "1,000");
        assert_eq!(grouped(12_345_678), "12,345,678");
    }
}
