//! TGA: palettes, grey and colours, in runs or not, from any corner.

use image::RgbImage;

use super::bytes::{Bytes, truncated};
use super::layer::Layer;
use super::limits::{DecodeOptions, check_size, reserve};
use crate::error::ImageError;

const HEADER_BYTES: usize = 18;
/// The bit of a kind that says that pixels are in runs.
const RUNS: u8 = 8;
/// Flags: the first pixel is on the right, the first row on top.
const FROM_RIGHT: u8 = 0x10;
const FROM_TOP: u8 = 0x20;
/// What newer files end with, 8 bytes of which say where more is told.
const FOOTER_BYTES: usize = 26;
const FOOTER: &[u8] = b"TRUEVISION-XFILE.\0";
/// Where there it is told what the alpha means.
const ALPHA_KIND_AT: usize = 494;

/// Width and height that the header states.
pub(super) fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    let side = |at| Bytes(bytes).u16_le(at).ok().map(u32::from);
    Some((side(12)?, side(14)?))
}

/// Decodes a picture as it is stored.
pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<Layer, ImageError> {
    let header: [u8; HEADER_BYTES] = Bytes(bytes).array(0)?;
    let (width, height) = dimensions(bytes).ok_or_else(truncated)?;
    check_size(width.into(), height.into(), options)?;
    let [id_bytes, _, kind, ..] = header;
    let [bits, flags] = [header[16], header[17]];
    let map_at = HEADER_BYTES + usize::from(id_bytes);
    let first = usize::from(Bytes(bytes).u16_le(3)?);
    let map_length = usize::from(Bytes(bytes).u16_le(5)?);
    let map_bits = header[7];
    let is_mapped = header[1] == 1;
    let map_bytes = if is_mapped {
        map_length * bytes_of(map_bits)?
    } else {
        0
    };
    let map = Bytes(bytes).range(map_at, map_bytes)?;
    let colours: Vec<[u8; 4]> = if is_mapped {
        // Indices count from the first one that is there.
        let missing = std::iter::repeat_n([0, 0, 0, 255], first);
        let own = map.chunks_exact(bytes_of(map_bits)?).map(colour);
        missing.chain(own).collect()
    } else {
        Vec::new()
    };

    let step = bytes_of(bits)?;
    let (columns, rows) = (width as usize, height as usize);
    reserve((step * columns * rows) as u64)?;
    let stored = &bytes[map_at + map_bytes..];
    let unpacked;
    let stored = if kind & RUNS != 0 {
        unpacked = unpack(stored, step, columns * rows)?;
        &unpacked[..]
    } else {
        Bytes(stored).range(0, step * columns * rows)?
    };
    let is_grey = kind & 7 == 3;
    let pixel = |stored: &[u8]| match (is_mapped, is_grey, stored) {
        (true, _, &[index, ..]) => colours
            .get(usize::from(index))
            .copied()
            .unwrap_or([0, 0, 0, 255]),
        (_, true, &[grey]) => [grey, grey, grey, 255],
        (_, true, &[grey, alpha, ..]) => [grey, grey, grey, alpha],
        _ => colour(stored),
    };
    let mut pixels = vec![[0; 3]; columns * rows];
    let has_alpha = match (is_mapped, is_grey) {
        (true, _) => matches!(map_bits, 15 | 16 | 32),
        (_, true) => bits == 16,
        _ => bits != 24 && !says_no_alpha(bytes),
    };
    let mut alpha = vec![255; if has_alpha { pixels.len() } else { 0 }];
    for (i, stored) in stored.chunks_exact(step).enumerate() {
        let (x, y) = (i % columns, i / columns);
        let x = if flags & FROM_RIGHT != 0 {
            columns - 1 - x
        } else {
            x
        };
        let y = if flags & FROM_TOP != 0 {
            y
        } else {
            rows - 1 - y
        };
        let [r, g, b, a] = pixel(stored);
        pixels[y * columns + x] = [r, g, b];
        if let Some(alpha) = alpha.get_mut(y * columns + x) {
            *alpha = a;
        }
    }
    let pixels = RgbImage::from_raw(width, height, pixels.into_flattened());
    Ok(Layer {
        pixels: pixels.ok_or_else(truncated)?,
        alpha: has_alpha.then_some(alpha),
    })
}

/// Bytes of a pixel of so many bits.
fn bytes_of(bits: u8) -> Result<usize, ImageError> {
    match bits {
        8 | 15 | 16 | 24 | 32 => Ok(usize::from(bits).div_ceil(8)),
        _ => Err(ImageError::decode(format!(
            "a TGA of a kind that is unsupported ({bits} bits)"
        ))),
    }
}

/// Red, green, blue and alpha of two, three or four bytes. Of two, whose alpha is one bit, 1 is transparent, as Pillow
/// has it.
fn colour(stored: &[u8]) -> [u8; 4] {
    match *stored {
        [b, g, r, a] => [r, g, b, a],
        [b, g, r] => [r, g, b, 255],
        [low, high] => {
            let value = u16::from_le_bytes([low, high]);
            let five = |shift: u16| ((value >> shift & 31) * 255 / 31) as u8;
            [
                five(10),
                five(5),
                five(0),
                if value >> 15 == 0 { 255 } else { 0 },
            ]
        }
        _ => [0, 0, 0, 255],
    }
}

/// Pixels of runs, which may go on in the next row.
fn unpack(packed: &[u8], step: usize, total: usize) -> Result<Vec<u8>, ImageError> {
    let mut pixels = Vec::new();
    let mut rest = packed;
    while pixels.len() < step * total {
        let (&head, behind) = rest.split_first().ok_or_else(truncated)?;
        let count = usize::from(head & 0x7f) + 1;
        let is_run = head & 0x80 != 0;
        let length = if is_run { step } else { step * count };
        let (stored, behind) = behind.split_at_checked(length).ok_or_else(truncated)?;
        for _ in 0..if is_run { count } else { 1 } {
            pixels.extend_from_slice(stored);
        }
        rest = behind;
    }
    pixels.truncate(step * total);
    Ok(pixels)
}

/// Whether a file says of itself that its fourth channel is no alpha.
fn says_no_alpha(bytes: &[u8]) -> bool {
    let footer = bytes.len().checked_sub(FOOTER_BYTES).map(|at| &bytes[at..]);
    let Some(footer) = footer.filter(|footer| footer.ends_with(FOOTER)) else {
        return false;
    };
    let extension = Bytes(footer).u32_le(0).map_or(0, |at| at as usize);
    extension != 0 && bytes.get(extension.saturating_add(ALPHA_KIND_AT)) == Some(&0)
}
