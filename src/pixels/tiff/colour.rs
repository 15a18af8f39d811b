//! Samples of eight bits to RGB.

use super::kinds::{Photometric, SampleFormat};
use super::lab::lab_to_rgb;
use super::layout::Layout;
use super::ycbcr::YCbCr;
use super::{damaged, tags};
use crate::error::ImageError;
use crate::pixels::cmyk::cmyk_to_rgb;

/// What turns a file's pixels into RGB.
pub(super) struct Colours {
    kind: Kind,
    samples: usize,
    /// The sample that the colours were multiplied by.
    alpha: Option<usize>,
}

enum Kind {
    Grey,
    /// Grey whose zero is white.
    Inverted,
    Rgb,
    Palette(Vec<[u8; 3]>),
    Cmyk,
    YCbCr(Box<YCbCr>),
    Lab,
}

impl Colours {
    /// # Errors
    /// A palette that is not there or that has too few colours.
    pub fn of(layout: &Layout<'_>) -> Result<Self, ImageError> {
        let kind = match layout.photometric {
            // Of floats Pillow heeds no white.
            Photometric::WhiteIsZero if layout.format != SampleFormat::Float => Kind::Inverted,
            Photometric::WhiteIsZero | Photometric::BlackIsZero => Kind::Grey,
            Photometric::Rgb => Kind::Rgb,
            Photometric::Palette => Kind::Palette(palette(layout)?),
            Photometric::Cmyk => Kind::Cmyk,
            Photometric::YCbCr => Kind::YCbCr(Box::new(YCbCr::of(layout))),
            Photometric::Lab => Kind::Lab,
        };
        let alpha = matches!(kind, Kind::Grey | Kind::Rgb) && layout.is_premultiplied;
        Ok(Self {
            kind,
            samples: layout.samples,
            alpha: alpha.then_some(layout.photometric.colours()),
        })
    }

    /// Those of samples that a decoder made RGB of.
    pub fn rgb() -> Self {
        Self {
            kind: Kind::Rgb,
            samples: 3,
            alpha: None,
        }
    }

    /// The palette, where there is one.
    pub fn palette(&self) -> Option<&[[u8; 3]]> {
        match &self.kind {
            Kind::Palette(palette) => Some(palette),
            _ => None,
        }
    }

    /// A row of pixels.
    pub fn to_rgb(&self, row: &[u8], out: &mut [u8]) {
        let pixels = row
            .chunks_exact(self.samples)
            .zip(out.as_chunks_mut::<3>().0);
        match &self.kind {
            Kind::Rgb if self.samples == 3 => out.copy_from_slice(&row[..out.len()]),
            Kind::Grey => pixels.for_each(|(p, out)| *out = [p[0]; 3]),
            Kind::Inverted => pixels.for_each(|(p, out)| *out = [255 - p[0]; 3]),
            Kind::Rgb => pixels.for_each(|(p, out)| *out = [p[0], p[1], p[2]]),
            Kind::Palette(palette) => pixels.for_each(|(p, out)| {
                *out = palette.get(usize::from(p[0])).copied().unwrap_or_default();
            }),
            Kind::Cmyk => pixels.for_each(|(p, out)| *out = cmyk_to_rgb([p[0], p[1], p[2], p[3]])),
            Kind::YCbCr(tables) => {
                pixels.for_each(|(p, out)| *out = tables.to_rgb([p[0], p[1], p[2]]));
            }
            Kind::Lab => pixels.for_each(|(p, out)| *out = lab_to_rgb([p[0], p[1], p[2]])),
        }
        if let Some(alpha) = self.alpha {
            let pixels = row
                .chunks_exact(self.samples)
                .zip(out.as_chunks_mut::<3>().0);
            for (p, out) in pixels {
                *out = out.map(|colour| divided(colour, p[alpha]));
            }
        }
    }
}

/// A colour that was multiplied by an alpha before, as Pillow divides.
fn divided(colour: u8, alpha: u8) -> u8 {
    match alpha {
        0 => 0,
        255 => colour,
        _ => (u32::from(colour) * 255 / u32::from(alpha)).min(255) as u8,
    }
}

/// All reds, all greens, all blues; of 16 bits the high byte, as Pillow takes it.
fn palette(layout: &Layout<'_>) -> Result<Vec<[u8; 3]>, ImageError> {
    let entry = layout.directory.entry(tags::PALETTE);
    let entry = entry.ok_or_else(|| damaged("a palette without colours"))?;
    if layout.bits > 16 || layout.format == SampleFormat::Float {
        return Err(damaged("a palette of more than 16 bits"));
    }
    let shades = entry.count() / 3;
    let channel = |index| entry.number_at(index).map_or(0, |value| (value >> 8) as u8);
    let shade = |i| [0, 1, 2].map(|c| channel(c * shades + i));
    Ok((0..shades.min(1 << layout.bits)).map(shade).collect())
}
