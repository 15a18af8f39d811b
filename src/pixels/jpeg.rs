//! JPEG through mozjpeg's decoder, which is libjpeg-turbo's: the same bytes as Pillow.
//!
//! The image crate's decoder is a little faster, but differs from libjpeg-turbo by up to 7 of
//! 255 where chroma is subsampled, which moves a score by up to 0.015.

use std::io::{self, BufRead, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::RgbImage;
use mozjpeg::{ColorSpace, DctMethod, Decompress};
use serde::{Deserialize, Serialize};

use super::cmyk::cmyk_to_rgb;
use super::limits::{DecodeOptions, check_size};
use super::picture::Picture;
use crate::error::{ImageError, ImageErrorKind};

#[cfg(panic = "abort")]
compile_error!("a damaged JPEG is reported by unwinding: build with panic = \"unwind\"");

/// Which of libjpeg's transforms turns the frequencies of a JPEG into pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dct {
    /// In integers of enough bits: Pillow, OpenCV, torchvision.
    #[default]
    Accurate,
    /// In fewer bits, off by a level here and there: TensorFlow, unless it is told otherwise.
    Fast,
}

impl Dct {
    pub(super) fn is_accurate(&self) -> bool {
        *self == Self::Accurate
    }

    fn method(self) -> DctMethod {
        match self {
            Self::Accurate => DctMethod::IntegerSlow,
            Self::Fast => DctMethod::IntegerFast,
        }
    }
}

/// What of a picture is needed.
pub(super) struct Needs {
    /// Width and height that it may be reduced to.
    pub size: (usize, usize),
    /// Rows from the top, before it is reduced.
    pub rows: usize,
}

impl Needs {
    /// Every pixel.
    pub fn everything() -> Self {
        Self {
            size: (usize::MAX, usize::MAX),
            rows: usize::MAX,
        }
    }
}

/// libjpeg's number for a picture's own size.
const FULL_SCALE: u8 = 8;
const TRUNCATED: &str = "the file is truncated";
/// Scans that any JPEG may have.
const MAX_SCANS: usize = 64;
/// Pixels times scans that more of them may come to: about a second.
const MAX_SCANNED_PIXELS: usize = 4_000_000_000;
/// libjpeg's words for [`Source`] having come to its end.
const READ_ERROR: &str = "Input file read error";

/// Decodes as much of a JPEG as `needs` says for its width and height. What is not needed is
/// black.
pub(super) fn decode(
    bytes: &[u8],
    options: &DecodeOptions,
    needs: &dyn Fn(usize, usize) -> Needs,
) -> Result<Picture, ImageError> {
    // libjpeg reports an error by not returning. The crate unwinds with `resume_unwind`,
    // which prints nothing, and the decoder is dropped on the way.
    let decoded = catch_unwind(AssertUnwindSafe(|| decode_unwinding(bytes, options, needs)));
    decoded.unwrap_or_else(|panic| {
        let reason = panic.downcast_ref::<String>().map(String::as_str);
        let reason = reason.unwrap_or("libjpeg gave up");
        Err(damaged(reason))
    })
}

/// Width and height that the header states.
pub(super) fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    let read = || {
        let decoder = Decompress::builder().from_reader(Source(bytes)).ok()?;
        Some((decoder.width() as u32, decoder.height() as u32))
    };
    // See `decode`.
    catch_unwind(AssertUnwindSafe(read)).unwrap_or(None)
}

fn decode_unwinding(
    bytes: &[u8],
    options: &DecodeOptions,
    needs: &dyn Fn(usize, usize) -> Needs,
) -> Result<Picture, ImageError> {
    let mut decoder = Decompress::builder()
        .from_reader(Source(bytes))
        .map_err(damaged)?;
    let size @ (width, height) = decoder.size();
    check_size(width as u64, height as u64, options)?;
    check_scans(bytes, width * height)?;
    decoder.dct_method(options.dct.method());
    let (colours, channels) = match decoder.color_space() {
        ColorSpace::JCS_GRAYSCALE => (ColorSpace::JCS_GRAYSCALE, 1),
        ColorSpace::JCS_YCbCr | ColorSpace::JCS_RGB => (ColorSpace::JCS_RGB, 3),
        ColorSpace::JCS_CMYK | ColorSpace::JCS_YCCK => (ColorSpace::JCS_CMYK, 4),
        other => {
            let message = format!("JPEG of an unknown colour space ({other:?})");
            return Err(ImageError::decode(message));
        }
    };
    let needs = needs(width, height);
    let divisor = divisor(size, needs.size);
    decoder.scale(FULL_SCALE / divisor);
    let mut rows = decoder.to_colorspace(colours).map_err(damaged)?;
    let (width, height) = (rows.width() as u32, rows.height() as u32);
    let line = width as usize * channels;
    let mut samples = vec![0u8; line * height as usize];
    let needed = needs.rows.div_ceil(divisor.into()).min(height as usize);
    rows.read_scanlines_into(&mut samples[..line * needed])
        .map_err(damaged)?;
    if needed < height as usize && !is_ended(bytes) {
        // Whether the other rows are all there is known once they are read.
        rows.read_scanlines_into(&mut samples[line * needed..])
            .map_err(damaged)?;
    }
    // What is behind the last row doesn't matter, not even whether it ends.
    let pixels = match channels {
        1 => samples.iter().flat_map(|&grey| [grey; 3]).collect(),
        3 => samples,
        // Adobe writes what is left of white where an ink is.
        _ => {
            let pixels = samples.as_chunks::<4>().0;
            pixels
                .iter()
                .flat_map(|left| cmyk_to_rgb(left.map(|left| 255 - left)))
                .collect()
        }
    };
    match RgbImage::from_raw(width, height, pixels) {
        Some(image) => Ok(Picture::reduced(image, size, divisor.into())),
        None => Err(ImageError::decode(TRUNCATED)),
    }
}

/// Whether the end of the picture is there, where its last rows are not looked at.
fn is_ended(bytes: &[u8]) -> bool {
    const END_OF_IMAGE: &[u8] = &[0xff, 0xd9];
    const START_OF_SCAN: u8 = 0xda;
    // A thumbnail before the first scan has an end of its own.
    let mut rest = bytes.get(2..).unwrap_or_default();
    while let [0xff, marker, high, low, ..] = *rest {
        if marker == START_OF_SCAN {
            return memchr::memmem::rfind(rest, END_OF_IMAGE).is_some();
        }
        // Any number of 0xff may stand before a marker.
        let length = match marker {
            0xff => 1,
            _ => 2 + usize::from(u16::from_be_bytes([high, low])),
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    // Not as simple as that: then libjpeg is believed.
    true
}

/// What both sides can be divided by and still be long enough.
///
/// libjpeg then computes fewer samples of each block of 8 by 8 from its lowest frequencies,
/// which takes a fraction of the time. It knows fractions between these too, but has no fast
/// code for them.
fn divisor((width, height): (usize, usize), enough: (usize, usize)) -> u8 {
    let large_enough = |&divisor: &u8| {
        let divisor = usize::from(divisor);
        width / divisor >= enough.0 && height / divisor >= enough.1
    };
    [8, 4, 2].into_iter().find(large_enough).unwrap_or(1)
}

/// Refuses a progressive JPEG that goes over its pixels thousands of times: half a megabyte of
/// trivial scans can keep a decoder busy for minutes. Encoders write about ten.
pub(super) fn check_scans(bytes: &[u8], pixels: usize) -> Result<(), ImageError> {
    const START_OF_SCAN: &[u8] = &[0xff, 0xda];
    // Within a scan 0xff is always followed by another byte than this.
    let scans = memchr::memmem::find_iter(bytes, START_OF_SCAN).count();
    if scans > MAX_SCANS && scans.saturating_mul(pixels) > MAX_SCANNED_PIXELS {
        let message =
            format!("{scans} scans over {pixels} pixels would take minutes; JPEGs have about ten");
        return Err(ImageError::new(ImageErrorKind::Limit, message));
    }
    Ok(())
}

pub(super) fn damaged(error: impl std::fmt::Display) -> ImageError {
    let reason = error.to_string();
    if reason.contains(READ_ERROR) || reason.contains(TRUNCATED) {
        ImageError::decode(TRUNCATED)
    } else {
        ImageError::decode(format!("damaged JPEG: {reason}"))
    }
}

/// The file's bytes, whose end is an error: libjpeg would fill up a truncated picture with
/// grey and only warn.
pub(super) struct Source<'a>(pub &'a [u8]);

impl BufRead for Source<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self.0 {
            // Not `UnexpectedEof`, which the crate takes for the end of the picture.
            [] => Err(io::Error::new(io::ErrorKind::InvalidData, TRUNCATED)),
            rest => Ok(rest),
        }
    }

    fn consume(&mut self, n: usize) {
        self.0 = &self.0[n.min(self.0.len())..];
    }
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}
