//! TIFF, where the image crate does not read it, or not rightly.
//!
//! - With a palette. The tiff crate refuses its colours but unpacks its samples, if the file says that
//!   they are grey: so that is what a copy of the file says, and the palette is looked up here.
//! - As differences from the pixel before (predictor 2) with samples beside the colours, such as
//!   alpha. The tiff crate adds up the wrong ones. A copy of the file says that there are no
//!   differences, and they are added up here.
//! - With the bits of each byte in the reverse order, which the tiff crate takes for the usual one:
//!   refused.

use std::io::Cursor;

use image::RgbImage;
use tiff::TiffError;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::Tag;

use super::format::PictureFormat;
use super::ifd::Directory;
use super::image_crate;
use super::limits::{DecodeOptions, check_size};
use crate::error::{ImageError, ImageErrorKind};

/// The tag `PhotometricInterpretation` and two of its values.
const PHOTOMETRIC: u16 = 262;
const BLACK_IS_ZERO: u16 = 1;
const PALETTE: u64 = 3;

/// Other tags, and values of theirs.
const FILL_ORDER: u16 = 266;
const REVERSE: u64 = 2;
const PREDICTOR: u16 = 317;
const NONE: u16 = 1;
const DIFFERENCES: u64 = 2;
const EXTRA_SAMPLES: u16 = 338;
const BITS: u16 = 258;
const SAMPLES: u16 = 277;
const PLANES: u16 = 284;
const TILE_WIDTH: u16 = 322;
const RGB: u64 = 2;

/// Decodes the first picture of a TIFF.
pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<RgbImage, ImageError> {
    let value = |tag| Directory::first(bytes)?.entry(tag)?.integer();
    if value(FILL_ORDER) == Some(REVERSE) {
        return Err(unread("the bits of each byte in the reverse order"));
    }
    if let Some(as_grey) = as_grey(bytes) {
        return decode_palette(as_grey, options);
    }
    if value(PREDICTOR) != Some(DIFFERENCES) || value(EXTRA_SAMPLES).is_none() {
        return image_crate::decode(bytes, PictureFormat::Tiff, options).map(|layer| layer.pixels);
    }
    let is_plain = value(PHOTOMETRIC) == Some(RGB)
        && value(SAMPLES) == Some(4)
        && value(BITS) == Some(8)
        && value(PLANES).is_none_or(|planes| planes == 1)
        && value(TILE_WIDTH).is_none();
    let copy = if is_plain {
        with_tag(bytes, PREDICTOR, NONE)
    } else {
        None
    };
    let copy =
        copy.ok_or_else(|| unread("differences of pixels with other samples beside them"))?;
    let mut image = image_crate::decode(&copy, PictureFormat::Tiff, options)?.pixels;
    let width = image.width() as usize;
    for row in image.chunks_exact_mut(3 * width.max(1)) {
        for i in 3..row.len() {
            row[i] = row[i].wrapping_add(row[i - 3]);
        }
    }
    Ok(image)
}

/// Refuses a TIFF with an alpha, of which nothing is kept here that a background could show through.
pub(super) fn check_opaque(bytes: &[u8]) -> Result<(), ImageError> {
    let extra = Directory::first(bytes).and_then(|first| first.entry(EXTRA_SAMPLES)?.integer());
    if extra.is_some_and(|kind| kind > 0) {
        return Err(unread(
            "alpha in front of a background; convert it to PNG, or give none",
        ));
    }
    Ok(())
}

/// The same file with another value of a tag of 16 bits of its first picture.
fn with_tag(bytes: &[u8], tag: u16, value: u16) -> Option<Vec<u8>> {
    let entry = Directory::first(bytes)?.entry(tag)?;
    if entry.bytes()?.len() != size_of::<u16>() {
        return None;
    }
    let mut copy = bytes.to_vec();
    let value = if bytes[0] == b'I' {
        value.to_le_bytes()
    } else {
        value.to_be_bytes()
    };
    copy[entry.at..entry.at + 2].copy_from_slice(&value);
    Some(copy)
}

/// Width and height of a TIFF with a palette.
pub(super) fn palette_dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut decoder = Decoder::new(Cursor::new(as_grey(bytes)?)).ok()?;
    decoder.dimensions().ok()
}

fn decode_palette(as_grey: Vec<u8>, options: &DecodeOptions) -> Result<RgbImage, ImageError> {
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
    let colours = Directory::first(bytes)?.entry(PHOTOMETRIC)?.integer();
    if colours != Some(PALETTE) {
        return None;
    }
    with_tag(bytes, PHOTOMETRIC, BLACK_IS_ZERO)
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
