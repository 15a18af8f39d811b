//! TIFF with a palette, which the image crate does not read.
//!
//! The tiff crate refuses its colours but unpacks its samples, if the file says that they are
//! grey: so that is what a copy of the file says, and the palette is looked up here.

use std::io::Cursor;

use image::RgbImage;
use image::metadata::Orientation;
use tiff::TiffError;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::Tag;

use super::limits::{DecodeOptions, check_size};
use crate::error::{ImageError, ImageErrorKind};

/// The tag `PhotometricInterpretation` and two of its values.
const PHOTOMETRIC: u16 = 262;
const BLACK_IS_ZERO: u16 = 1;
const PALETTE: u16 = 3;

/// Decodes a TIFF if the first of its pictures has a palette.
pub(super) fn decode_palette(
    bytes: &[u8],
    options: &DecodeOptions,
) -> Option<Result<(RgbImage, Orientation), ImageError>> {
    let as_grey = as_grey(bytes)?;
    Some(decode(as_grey, options))
}

/// Width and height of a TIFF with a palette.
pub(super) fn palette_dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut decoder = Decoder::new(Cursor::new(as_grey(bytes)?)).ok()?;
    decoder.dimensions().ok()
}

fn decode(
    as_grey: Vec<u8>,
    options: &DecodeOptions,
) -> Result<(RgbImage, Orientation), ImageError> {
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
    let orientation = decoder.find_tag_unsigned::<u8>(Tag::Orientation);
    let orientation = orientation.ok().flatten().and_then(Orientation::from_exif);
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
        .map(|image| (image, orientation.unwrap_or(Orientation::NoTransforms)))
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
    let little = match bytes.get(..2)? {
        b"II" => true,
        b"MM" => false,
        _ => return None,
    };
    // A number of so many bytes.
    let number = |at: usize, length: usize| -> Option<usize> {
        let bytes = bytes.get(at..at.checked_add(length)?)?;
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        let value = match little {
            true => bytes.iter().rev().fold(0, add),
            false => bytes.iter().fold(0, add),
        };
        value.try_into().ok()
    };
    // BigTIFF has longer counts and offsets, and so longer entries.
    let (directory, count_bytes, entry_bytes, value_at) = match number(2, 2)? {
        42 => (number(4, 4)?, 2, 12, 8),
        43 => (number(8, 8)?, 8, 20, 12),
        _ => return None,
    };
    let entries = number(directory, count_bytes)?;
    let first = directory.checked_add(count_bytes)?;
    (0..entries)
        .map_while(|entry| first.checked_add(entry.checked_mul(entry_bytes)?))
        .map_while(|at| Some((at, number(at, 2)?)))
        .find(|&(_, tag)| tag == usize::from(PHOTOMETRIC))
        .map(|(at, _)| at + value_at)
        .filter(|&at| number(at, 2) == Some(usize::from(PALETTE)))
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
