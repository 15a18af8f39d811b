//! How opaque the parts of a picture are.

use image::RgbImage;

use super::decode::layer;
use super::format::PictureFormat;
use super::limits::DecodeOptions;
use crate::error::ImageError;

/// Parts to a side.
const SIDE: usize = 16;
/// What two are alike within: so many levels in the mean,
const LEVELS: u32 = 2;
/// or one part in so many of what is opaque in either of them, and of what is not.
const SHARE: u32 = 4;
/// What colours may be apart that are nearly the same.
const FLAT_LEVELS: u8 = 16;

/// How opaque each of 16x16 parts of a picture is in the mean: what tells drawings apart whose colours, without their
/// alpha, are the same all over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opacity {
    parts: [u8; SIDE * SIDE],
    /// Whether its colours, without their alpha, are nearly the same all over.
    is_flat: bool,
}

impl Opacity {
    /// That of a file, as its pixels are stored.
    ///
    /// # Errors
    /// As [`decode`](super::decode()).
    pub fn of(bytes: &[u8], options: &DecodeOptions) -> Result<Self, ImageError> {
        // Without a background there is no alpha.
        let options = &options.clone().with_background(Some([0; 3]));
        // Where there is no alpha, there is nothing to decode.
        let format = PictureFormat::of(bytes).filter(|format| format.may_have_alpha());
        let Some(Some(layer)) = format.map(|format| layer(bytes, format, options)) else {
            return Ok(Self::opaque());
        };
        let layer = layer?;
        let (width, height) = (
            layer.pixels.width() as usize,
            layer.pixels.height() as usize,
        );
        Ok(match layer.alpha {
            Some(alpha) => Self {
                is_flat: is_flat(&layer.pixels),
                ..Self::of_alpha(&alpha, width, height)
            },
            None => Self::opaque(),
        })
    }

    fn opaque() -> Self {
        Self {
            parts: [255; SIDE * SIDE],
            is_flat: false,
        }
    }

    fn of_alpha(alpha: &[u8], width: usize, height: usize) -> Self {
        // At least one pixel, of however few.
        let part = |i: usize, length: usize| {
            let start = i * length / SIDE;
            start..((i + 1) * length / SIDE).max(start + 1)
        };
        let parts = std::array::from_fn(|i| {
            let (rows, columns) = (part(i / SIDE, height), part(i % SIDE, width));
            let count = (rows.len() * columns.len()) as u64;
            let row = |y: usize| &alpha[y * width..][columns.clone()];
            let sum: u64 = rows.flat_map(row).map(|&alpha| u64::from(alpha)).sum();
            (sum / count) as u8
        });
        Self {
            parts,
            is_flat: false,
        }
    }

    fn is_opaque(&self) -> bool {
        self.parts == Self::opaque().parts
    }

    /// Whether this may be the opacity of a copy of the other picture, of another size perhaps. A copy may have lost its
    /// alpha, unless nothing is left without it.
    pub fn is_like(&self, other: &Self) -> bool {
        match (self.is_opaque(), other.is_opaque()) {
            (true, true) => return true,
            (true, false) => return !other.is_flat,
            (false, true) => return !self.is_flat,
            (false, false) => {}
        }
        let pairs = self.parts.iter().zip(&other.parts);
        let pairs = pairs.map(|(&a, &b)| (u32::from(a), u32::from(b)));
        let apart: u32 = pairs.clone().map(|(a, b)| a.abs_diff(b)).sum();
        let opaque: u32 = pairs.clone().map(|(a, b)| a.max(b)).sum();
        let clear: u32 = pairs.map(|(a, b)| 255 - a.min(b)).sum();
        apart <= LEVELS * (SIDE * SIDE) as u32 || apart * SHARE <= opaque.min(clear)
    }
}

/// Whether colours are nearly the same all over.
fn is_flat(pixels: &RgbImage) -> bool {
    let (mut least, mut most) = ([255; 3], [0; 3]);
    for pixel in pixels.as_chunks::<3>().0 {
        for (i, &value) in pixel.iter().enumerate() {
            least[i] = value.min(least[i]);
            most[i] = value.max(most[i]);
        }
    }
    let mut ranges = least.iter().zip(&most);
    ranges.all(|(least, most)| most.saturating_sub(*least) <= FLAT_LEVELS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bar of this width in the middle of a clear square.
    fn bar(side: usize, from: usize, to: usize) -> Opacity {
        let opaque = |i: usize| (from * side / 16..to * side / 16).contains(&(i % side));
        let alpha: Vec<u8> = (0..side * side)
            .map(|i| if opaque(i) { 255 } else { 0 })
            .collect();
        Opacity::of_alpha(&alpha, side, side)
    }

    #[test]
    fn copies_are_alike_and_drawings_are_not() {
        assert!(bar(64, 4, 8).is_like(&bar(100, 4, 8)));
        assert!(bar(3, 0, 16).is_like(&Opacity::opaque()));
        assert!(!bar(64, 4, 8).is_like(&bar(64, 8, 12)));
        assert!(bar(64, 4, 8).is_like(&Opacity::opaque()));
        let flat = Opacity {
            is_flat: true,
            ..bar(64, 4, 8)
        };
        assert!(!flat.is_like(&Opacity::opaque()) && !Opacity::opaque().is_like(&flat));
        assert!(flat.is_like(&bar(80, 4, 8)));
        assert!(!bar(64, 0, 12).is_like(&bar(64, 4, 16)));
    }
}
