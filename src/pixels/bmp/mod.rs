//! BMP, as Pillow reads it: all headers of Windows and OS/2, palettes, runs, colours of any bits.

mod header;
mod runs;

use image::RgbImage;

use self::header::{Header, Packing};
use super::bytes::Bytes;
use super::layer::Layer;
use super::limits::{DecodeOptions, check_size};
use crate::error::ImageError;

/// Width and height that the header states.
pub(super) fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    let header = Header::read(bytes).ok()?;
    let side = |side| u32::try_from(side).ok();
    Some((side(header.width)?, side(header.height)?))
}

/// Decodes a bitmap, with the header of a file or without.
pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<Layer, ImageError> {
    decode_as(bytes, &Header::read(bytes)?, options)
}

/// Decodes a bitmap of an icon, which has half of the height that its header states, and perhaps an alpha of which it
/// says nothing.
pub(super) fn decode_icon(
    bytes: &[u8],
    has_alpha: bool,
    options: &DecodeOptions,
) -> Result<Layer, ImageError> {
    let mut header = Header::read(bytes)?;
    header.height /= 2;
    if has_alpha && header.bits == 32 && header.masks[3] == 0 {
        header.masks[3] = 0xff00_0000;
    }
    decode_as(bytes, &header, options)
}

fn decode_as(bytes: &[u8], header: &Header, options: &DecodeOptions) -> Result<Layer, ImageError> {
    let size @ (width, height) = (header.width, header.height);
    check_size(width as u64, height as u64, options)?;
    let row_bytes = (width * header.bits).div_ceil(8);
    let unpacked;
    let (bits, rows): (usize, Box<dyn Iterator<Item = &[u8]>>) = if header.packing == Packing::Runs
    {
        unpacked = runs::unpack(bytes, header.pixels_at, header.bits, size)?;
        (8, Box::new(unpacked.chunks_exact(width)))
    } else {
        let step = row_bytes.next_multiple_of(4);
        // The last row needs no padding.
        let length = step * (height - 1) + row_bytes;
        let pixels = Bytes(bytes).range(header.pixels_at, length)?;
        let row = move |row: &'_ [u8]| -> usize { row.len().min(row_bytes) };
        (
            header.bits,
            Box::new(pixels.chunks(step).map(move |r| &r[..row(r)])),
        )
    };

    let mut pixels = vec![[0; 3]; width * height];
    let has_alpha = header.bits > 8 && header.masks[3] != 0;
    let mut alpha = has_alpha.then(|| vec![255; width * height]);
    let colours = Colours::of(header);
    for (i, row) in rows.enumerate() {
        let y = if header.is_top_down {
            i
        } else {
            height - 1 - i
        };
        let line = y * width..(y + 1) * width;
        let alpha = alpha.as_mut().map(|alpha| &mut alpha[line.clone()]);
        colours.write(row, bits, &mut pixels[line], alpha);
    }
    let pixels = RgbImage::from_raw(width as u32, height as u32, pixels.into_flattened());
    let pixels = pixels.ok_or_else(|| ImageError::decode("the file is truncated"))?;
    Ok(Layer { pixels, alpha })
}

/// What makes colours of a row's bits.
enum Colours {
    /// By index.
    Palette(Vec<[u8; 3]>),
    /// Blue, green, red, and so many bytes in all.
    Bytes,
    Masks([Mask; 4]),
}

impl Colours {
    fn of(header: &Header) -> Self {
        if header.bits <= 8 {
            let colours = header.palette.chunks_exact(header.palette_step);
            let mut colours: Vec<[u8; 3]> = colours.map(|c| [c[2], c[1], c[0]]).collect();
            // One that says nothing but that index and shade are the same says it of all.
            let is_grey = |(i, colour): (usize, &[u8; 3])| *colour == [i as u8; 3];
            if header.bits == 8 && colours.iter().enumerate().all(is_grey) && !colours.is_empty() {
                colours = (0..=255).map(|i| [i; 3]).collect();
            }
            colours.resize(256, [0; 3]);
            Self::Palette(colours)
        } else if header.bits >= 24 && header.masks == [0x00ff_0000, 0xff00, 0xff, 0] {
            Self::Bytes
        } else {
            Self::Masks(header.masks.map(Mask::new))
        }
    }

    fn write(&self, row: &[u8], bits: usize, line: &mut [[u8; 3]], alpha: Option<&mut [u8]>) {
        let step = bits / 8;
        match self {
            Self::Palette(colours) => {
                let mask = ((1_u16 << bits) - 1) as u8;
                for (x, pixel) in line.iter_mut().enumerate() {
                    let bit = x * bits;
                    let index = row[bit / 8] >> (8 - bits - bit % 8) & mask;
                    *pixel = colours[usize::from(index)];
                }
            }
            Self::Bytes => {
                for (pixel, stored) in line.iter_mut().zip(row.chunks_exact(step)) {
                    *pixel = [stored[2], stored[1], stored[0]];
                }
            }
            Self::Masks(masks) => {
                let stored = row.chunks_exact(step);
                let values = stored.map(|s| s.iter().rev().fold(0, |v, &b| v << 8 | u32::from(b)));
                let mut alpha = alpha.map(|alpha| alpha.iter_mut());
                for (pixel, value) in line.iter_mut().zip(values) {
                    let [r, g, b, a] = masks;
                    *pixel = [r, g, b].map(|mask| mask.of(value));
                    if let Some(alpha) = alpha.as_mut().and_then(Iterator::next) {
                        *alpha = a.of(value);
                    }
                }
            }
        }
    }
}

/// The bits of a pixel that a colour is in.
#[derive(Debug, Clone, Copy)]
struct Mask {
    mask: u32,
    shift: u32,
    /// The largest value.
    most: u64,
}

impl Mask {
    fn new(mask: u32) -> Self {
        let shift = mask.trailing_zeros() % 32;
        Self {
            mask,
            shift,
            most: u64::from(mask >> shift).max(1),
        }
    }

    /// The colour in 8 bits, rounded down as Pillow does.
    fn of(self, value: u32) -> u8 {
        let value = u64::from((value & self.mask) >> self.shift);
        (value * 255 / self.most) as u8
    }
}
