//! TIFF with a palette, which the image crate does not read.
//!
//! The tiff crate refuses its colours but unpacks its samples, if the file says that they are
//! grey: so that is what a copy of the file says, and the palette is looked up here.

use std::io::Cursor;

use image::RgbImage;
use tiff::TiffError;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::Tag;

use super::ifd::Directory;
use super::limits::{DecodeOptions, check_size};
use crate::error::{ImageError, ImageErrorKind};

/// The tag `PhotometricInterpretation` and two of its values.
const PHOTOMETRIC: u16 = 262;
const BLACK_IS_ZERO: u16 = 1;
const PALETTE: u64 = 3;

/// Decodes a TIFF if the first of its pictures has a palette.
pub(super) fn decode_palette(
    bytes: &[u8],
    options: &DecodeOptions,
) -> Option<Result<RgbImage, ImageError>> {
    let as_grey = as_grey(bytes)?;
    Some(decode(as_grey, options))
}

/// Width and height of a TIFF with a palette.
pub(super) fn palette_dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut decoder = Decoder::new(Cursor::new(as_grey(bytes)?)).ok()?;
    decoder.dimensions().ok()
}

fn decode(as_grey: Vec<u8>, options: &DecodeOptions) -> Result<RgbImage, ImageError> {
    let mut limits = Limits::default();
    limits.decoding_buffer_size = to_usize(options.max_pixels);
    limits.intermediate_buffer_size = to_usize(options.max_bytes);
    let decoder = Decoder::new(Cursor::new(as_grey)).map_err(describe)?;
    let mut decoder = decoder.with_limits(limits);

    let (width, height) = decoder.dimensions().map_err(describe)?;
    check_size(width.into(), height.into(), options)?;
    let bits = match decoder.colortype().map_err(describe)? {
        tiff::ColorType::Gray(bits @ (1 | 2 | 4 | 8)) => usize::from(bits),
        _ => return Err(unread("a palette beside other samples, or of 16 bits")),
    };
    let colours = decoder
        .find_tag_unsigned_vec::<u16>(Tag::ColorMap)
        .map_err(describe)?
        .ok_or_else(|| ImageError::decode("damaged TIFF: a palette without colours"))?;
    let DecodingResult::U8(samples) = decoder.read_image().map_err(describe)? else {
        return Err(unread("samples that are no whole numbers"));
    };

    // All reds, all greens, all blues; of 16 bits the high byte, as Pillow takes it.
    let shades = colours.len() / 3;
    let mut palette = vec![[0; 3]; 1 << bits];
    for (i, colour) in palette.iter_mut().enumerate().take(shades) {
        *colour = [0, 1, 2].map(|channel| (colours[channel * shades + i] >> 8) as u8);
    }
    // Rows begin with a byte of their own; in it the first sample has the highest bits.
    let (columns, per_byte) = (width as usize, 8 / bits);
    let mut pixels = Vec::with_capacity(3 * columns * height as usize);
    for row in samples.chunks_exact(columns.div_ceil(per_byte)) {
        for x in 0..columns {
            let above = 8 - bits * (x % per_byte + 1);
            let index = usize::from(row[x / per_byte]) >> above & (palette.len() - 1);
            pixels.extend(palette[index]);
        }
    }
    RgbImage::from_raw(width, height, pixels)
        .ok_or_else(|| ImageError::decode("the file is truncated"))
}

/// The same file with grey for the colours of its first picture, if those are a palette's.
fn as_grey(bytes: &[u8]) -> Option<Vec<u8>> {
    let at = palette_offset(bytes)?;
    let mut copy = bytes.to_vec();
    let grey = match bytes[0] {
        b'I' => BLACK_IS_ZERO.to_le_bytes(),
        _ => BLACK_IS_ZERO.to_be_bytes(),
    };
    copy[at..at + 2].copy_from_slice(&grey);
    Some(copy)
}

/// Where the first directory says that there is a palette.
fn palette_offset(bytes: &[u8]) -> Option<usize> {
    let colours = Directory::first(bytes)?.entry(PHOTOMETRIC)?;
    let is_short = colours.bytes()?.len() == size_of::<u16>();
    (is_short && colours.integer() == Some(PALETTE)).then_some(colours.at)
}

fn to_usize(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

fn unread(what: &str) -> ImageError {
    ImageError::decode(format!("a TIFF of a kind that is unsupported ({what})"))
}

fn describe(error: TiffError) -> ImageError {
    match error {
        TiffError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            ImageError::decode("the file is truncated")
        }
        TiffError::LimitsExceeded => ImageError::new(
            ImageErrorKind::Limit,
            "its header asks for more than the limits allow",
        ),
        TiffError::UnsupportedError(e) => unread(&e.to_string()),
        other => ImageError::decode(format!("damaged TIFF: {other}")),
    }
}
