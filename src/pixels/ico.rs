//! The largest picture of a Windows icon: a PNG, or a bitmap with a mask.

use super::bytes::{Bytes, truncated};
use super::layer::Layer;
use super::limits::DecodeOptions;
use super::{bmp, png};
use crate::error::ImageError;

const HEADER_BYTES: usize = 6;
const ENTRY_BYTES: usize = 16;
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
/// More than an entry can say: where it says nothing of its bits.
const UNKNOWN_BITS: u32 = 256;

/// One of the pictures.
struct Entry<'a> {
    /// Of a PNG, or of a bitmap without a file's header.
    picture: &'a [u8],
    /// The same without what stands behind it.
    exact: &'a [u8],
    bits: u16,
}

impl<'a> Entry<'a> {
    /// The one that Pillow takes: of the largest by what their entries say that of the fewest bits.
    fn largest(bytes: &'a [u8]) -> Result<Self, ImageError> {
        let count = usize::from(Bytes(bytes).u16_le(4)?);
        let entries = Bytes(bytes).range(HEADER_BYTES, count * ENTRY_BYTES)?;
        let (entries, _) = entries.as_chunks::<ENTRY_BYTES>();
        let order = |entry: &&[u8; ENTRY_BYTES]| {
            // What 256 is in a byte.
            let side = |side: u8| if side == 0 { 256 } else { u32::from(side) };
            let depth = match (u16::from_le_bytes([entry[6], entry[7]]), entry[2]) {
                (0, 0 | 1) => UNKNOWN_BITS,
                (0, colours) => u32::from(colours - 1)
                    .checked_ilog2()
                    .map_or(0, |log| log + 1),
                (bits, _) => bits.into(),
            };
            (std::cmp::Reverse(side(entry[0]) * side(entry[1])), depth)
        };
        let entry = entries.iter().min_by_key(order);
        let entry = entry.ok_or_else(|| ImageError::decode("an icon without a picture"))?;
        let (length, at) = (Bytes(entry).u32_le(8)?, Bytes(entry).u32_le(12)?);
        let picture = bytes.get(at as usize..).ok_or_else(truncated)?;
        Ok(Self {
            picture,
            exact: &picture[..(length as usize).min(picture.len())],
            bits: u16::from_le_bytes([entry[6], entry[7]]),
        })
    }
}

/// Width and height of the picture.
pub(super) fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    let entry = Entry::largest(bytes).ok()?;
    if entry.picture.starts_with(PNG) {
        return super::image_crate::dimensions(entry.picture, super::format::PictureFormat::Png);
    }
    let (width, height) = bmp::dimensions(entry.picture)?;
    Some((width, height / 2))
}

/// Decodes the largest picture.
pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<Layer, ImageError> {
    let entry = Entry::largest(bytes)?;
    if entry.picture.starts_with(PNG) {
        return png::decode(entry.picture, options);
    }
    let mut layer = bmp::decode_icon(entry.picture, entry.bits == 32, options)?;
    if layer.alpha.is_none() {
        layer.alpha = mask(entry.exact, layer.pixels.dimensions());
    }
    Ok(layer)
}

/// What is behind the pixels at the end of a bitmap: a bit for each, 1 where it is clear. `None` where it is not there.
fn mask(bitmap: &[u8], (width, height): (u32, u32)) -> Option<Vec<u8>> {
    let (width, height) = (width as usize, height as usize);
    let stride = width.div_ceil(32) * 4;
    let start = bitmap.len().checked_sub(stride * height)?;
    let rows = bitmap[start..].chunks_exact(stride).rev();
    let is_clear = |row: &[u8], x: usize| row[x / 8] >> (7 - x % 8) & 1 == 1;
    let row = |row: &'_ [u8]| -> Vec<u8> {
        let columns = 0..width;
        columns
            .map(|x| if is_clear(row, x) { 0 } else { 255 })
            .collect()
    };
    Some(rows.flat_map(row).collect())
}
