//! PCX: black and white, 4 or 16 colours in planes, palettes, grey and RGB.

use image::RgbImage;

use super::bytes::{Bytes, truncated};
use super::layer::Layer;
use super::limits::{DecodeOptions, check_size, reserve};
use crate::error::ImageError;

const HEADER_BYTES: usize = 128;
/// A palette of 256 colours at the end, with what it begins with.
const PALETTE_BYTES: usize = 769;
const PALETTE_MARK: u8 = 12;
/// The highest bits of the length of a run.
const RUN: u8 = 0xc0;

/// What the samples of a row are.
#[derive(Clone, Copy)]
enum Kind<'a> {
    BlackAndWhite,
    /// The bits of an index into the header's palette, each in a plane.
    Planes,
    Palette(&'a [u8]),
    Grey,
    /// Each colour in a plane.
    Rgb,
}

/// Width and height that the header states.
pub(super) fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    let at = |at| Bytes(bytes).u16_le(at).ok().map(u32::from);
    let side = |first: u32, last: u32| (last + 1).checked_sub(first);
    Some((side(at(4)?, at(8)?)?, side(at(6)?, at(10)?)?))
}

/// Decodes a picture as it is stored.
pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<Layer, ImageError> {
    let header: [u8; HEADER_BYTES] = Bytes(bytes).array(0)?;
    let (width, height) = dimensions(bytes).ok_or_else(truncated)?;
    check_size(width.into(), height.into(), options)?;
    let (version, bits, planes) = (header[1], header[3], usize::from(header[65]));
    let (columns, rows) = (width as usize, height as usize);
    // A row of a plane should have an even length, and not each has.
    let exact = (columns * usize::from(bits)).div_ceil(8);
    let stride = if usize::from(Bytes(bytes).u16_le(66)?) == exact {
        exact
    } else {
        exact.next_multiple_of(2)
    };
    let palette = bytes
        .len()
        .checked_sub(PALETTE_BYTES)
        .map(|at| &bytes[at..]);
    let palette = palette.filter(|palette| palette[0] == PALETTE_MARK);
    let colour = |palette: &[u8], index: u8| {
        let at = 3 * usize::from(index);
        palette
            .get(at..at + 3)
            .map_or([0; 3], |c| [c[0], c[1], c[2]])
    };
    let kind = match (bits, planes, version) {
        (1, 1, _) => Kind::BlackAndWhite,
        (1, 2 | 4, _) => Kind::Planes,
        (8, 1, 5) => palette.map_or(Kind::Grey, |palette| Kind::Palette(&palette[1..])),
        (8, 3, 5) => Kind::Rgb,
        _ => {
            let message =
                format!("a PCX of a kind that is unsupported ({planes} planes of {bits} bits)");
            return Err(ImageError::decode(message));
        }
    };
    let bit = |row: &[u8], plane: usize, x: usize| row[plane * stride + x / 8] >> (7 - x % 8) & 1;
    let pixel = |row: &[u8], x: usize| match kind {
        Kind::BlackAndWhite => [bit(row, 0, x) * 255; 3],
        Kind::Planes => {
            let index = (0..planes).map(|plane| bit(row, plane, x) << plane).sum();
            colour(&header[16..64], index)
        }
        Kind::Palette(palette) => colour(palette, row[x]),
        Kind::Grey => [row[x]; 3],
        Kind::Rgb => [0, 1, 2].map(|plane| row[plane * stride + x]),
    };
    reserve(3 * columns as u64 * rows as u64)?;
    let mut pixels = Vec::with_capacity(columns * rows);
    let mut rest = bytes[HEADER_BYTES..].iter().copied();
    let mut row = vec![0; planes * stride];
    for _ in 0..rows {
        let mut filled = 0;
        while filled < row.len() {
            let byte = rest.next().ok_or_else(truncated)?;
            let (count, value) = if byte & RUN == RUN {
                (usize::from(byte & !RUN), rest.next().ok_or_else(truncated)?)
            } else {
                (1, byte)
            };
            // A run ends with its row.
            let end = (filled + count).min(row.len());
            row[filled..end].fill(value);
            filled = end;
        }
        pixels.extend((0..columns).map(|x| pixel(&row, x)));
    }
    let pixels = RgbImage::from_raw(width, height, pixels.into_flattened());
    Ok(pixels.ok_or_else(truncated)?.into())
}
