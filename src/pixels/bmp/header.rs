//! What stands before the pixels of a bitmap.

use super::super::bytes::Bytes;
use crate::error::ImageError;

/// The header of a file, in front of a bitmap's own.
const FILE_HEADER_BYTES: usize = 14;
/// The oldest header, with sides of 16 bits and palettes without padding.
const CORE_BYTES: usize = 12;
/// OS/2's header of its second version. Its numbers of compressions are its own.
const OS2_BYTES: usize = 64;
/// Windows's headers, of which the first is what all begin with.
const INFO_BYTES: usize = 40;
const WINDOWS_BYTES: [usize; 5] = [INFO_BYTES, 52, 56, 108, 124];

/// How the pixels are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// As they are.
    Plain,
    /// Runs of indices of 8 or 4 bits.
    Runs,
}

/// What a bitmap says of itself.
#[derive(Debug)]
pub(super) struct Header<'a> {
    pub width: usize,
    pub height: usize,
    /// The first row is the upper one.
    pub is_top_down: bool,
    /// Bits of a pixel.
    pub bits: usize,
    pub packing: Packing,
    /// Where a pixel has red, green, blue and alpha, of those that are no indices.
    pub masks: [u32; 4],
    /// Blue, green, red and perhaps a byte of padding.
    pub palette: &'a [u8],
    /// Bytes of a colour in it.
    pub palette_step: usize,
    /// Where the pixels begin.
    pub pixels_at: usize,
}

impl<'a> Header<'a> {
    /// The header of a file, or of a bitmap without the file's header.
    pub fn read(bytes: &'a [u8]) -> Result<Self, ImageError> {
        if bytes.starts_with(b"BM") {
            let pixels_at = Bytes(bytes).u32_le(10)? as usize;
            Self::of_bitmap(bytes, FILE_HEADER_BYTES, pixels_at)
        } else {
            Self::of_bitmap(bytes, 0, 0)
        }
    }

    /// The header that begins at `at`, of pixels that begin at `pixels_at`, or behind it where that is 0.
    fn of_bitmap(bytes: &'a [u8], at: usize, pixels_at: usize) -> Result<Self, ImageError> {
        let file = Bytes(bytes);
        let size = file.u32_le(at)? as usize;
        let is_core = size == CORE_BYTES;
        if !is_core && size != OS2_BYTES && !WINDOWS_BYTES.contains(&size) {
            return Err(unread(&format!("a header of {size} bytes")));
        }
        // All of it has to be there.
        file.range(at, size)?;
        let field = |i: usize| file.u32_le(at + i);
        let (width, height, bits_at) = if is_core {
            let side = |i| file.u16_le(at + i).map(u32::from);
            (side(4)?, side(6)?, at + 10)
        } else {
            (field(4)?, field(8)?, at + 14)
        };
        let is_top_down = !is_core && height >> 24 == 0xff;
        let height = if is_top_down {
            height.wrapping_neg()
        } else {
            height
        };
        let bits = usize::from(file.u16_le(bits_at)?);
        let compression = if is_core { 0 } else { field(16)? };
        let (packing, mask_count) = match (compression, bits, size) {
            (0, 1 | 2 | 4 | 8 | 16 | 24 | 32, _) => (Packing::Plain, 0),
            (1, 8, _) | (2, 4, _) => (Packing::Runs, 0),
            (3 | 4, _, OS2_BYTES) => return Err(unread("OS/2's Huffman codes or runs of colours")),
            (3, 16 | 24 | 32, _) => (Packing::Plain, 3),
            (6, 16 | 24 | 32, _) => (Packing::Plain, 4),
            (4, ..) => return Err(unread("a JPEG within")),
            (5, ..) => return Err(unread("a PNG within")),
            _ => {
                let message = format!("{bits} bits a pixel, compression {compression}");
                return Err(unread(&message));
            }
        };
        // What stands behind the header.
        let mut end = at + size;
        let mut masks = usual_masks(bits);
        if mask_count > 0 {
            let stand_in_header = size > INFO_BYTES;
            let masks_at = at + INFO_BYTES;
            // One of 52 bytes has none for alpha.
            let count = if size >= 56 { 4 } else { mask_count };
            let mut stated = [0; 4];
            for (i, mask) in stated.iter_mut().enumerate().take(count) {
                *mask = file.u32_le(masks_at + 4 * i)?;
            }
            if !stand_in_header {
                end += 4 * count;
            }
            if stated != [0; 4] {
                masks = stated;
            }
        }
        let palette_step: usize = if is_core { 3 } else { 4 };
        let mut palette: &[u8] = &[];
        let mut pixels_at = pixels_at;
        if bits <= 8 {
            let colours = match if is_core { 0 } else { field(32)? } {
                0 => 1 << bits,
                colours => colours as usize,
            };
            let length = palette_step.saturating_mul(colours);
            let rest = bytes.get(end..).unwrap_or_default();
            palette = &rest[..length.min(rest.len())];
            // Some say that their pixels begin where the palette does.
            if pixels_at == at + size {
                pixels_at = pixels_at.saturating_add(length);
            }
            end += palette.len();
        }
        Ok(Self {
            width: width as usize,
            height: height as usize,
            is_top_down,
            bits,
            packing,
            masks,
            palette,
            palette_step,
            pixels_at: if pixels_at == 0 { end } else { pixels_at },
        })
    }
}

/// Where a pixel has its colours that doesn't say so.
fn usual_masks(bits: usize) -> [u32; 4] {
    if bits == 16 {
        [0x7c00, 0x03e0, 0x001f, 0]
    } else {
        [0x00ff_0000, 0x0000_ff00, 0x0000_00ff, 0]
    }
}

pub(super) fn unread(what: &str) -> ImageError {
    ImageError::decode(format!("a BMP of a kind that is unsupported ({what})"))
}
