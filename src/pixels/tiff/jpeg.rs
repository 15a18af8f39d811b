//! Strips and tiles that are JPEGs, whose tables may stand apart.

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mozjpeg::{ColorSpace, Decompress};

use super::kinds::Photometric;
use super::layout::Layout;
use super::{TRUNCATED, damaged, tags};
use crate::error::ImageError;
use crate::pixels::jpeg::{Source, check_scans};

const START_OF_IMAGE: [u8; 2] = [0xff, 0xd8];
const START_OF_SCAN: u8 = 0xda;

/// What a JPEG's samples become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// RGB of YCbCr.
    Rgb,
    /// YCbCr, where pixels that share chroma have the same.
    YCbCr,
    /// What is stored, whatever the JPEG says that it is.
    Stored,
}

/// Decodes a strip or tile of `width` by `rows` pixels.
///
/// # Errors
/// A JPEG that is damaged, or that is of other sides or other samples.
pub(super) fn decode(
    bytes: &[u8],
    layout: &Layout<'_>,
    (width, rows): (usize, usize),
) -> Result<Vec<u8>, ImageError> {
    let wanted = if layout.photometric == Photometric::YCbCr && !layout.is_planar {
        Wanted::Rgb
    } else {
        Wanted::Stored
    };
    let tables = layout
        .directory
        .entry(tags::JPEG_TABLES)
        .and_then(|entry| entry.bytes());
    let samples = layout.samples_together();
    let (head, tail) = assembled(tables, bytes, wanted)?;
    decode_parts((&head, tail), wanted, samples, (width, rows))
}

/// Decodes a JPEG of two parts, the second of which begins with the first scan.
pub(super) fn decode_parts(
    parts: (&[u8], &[u8]),
    wanted: Wanted,
    samples: usize,
    sides: (usize, usize),
) -> Result<Vec<u8>, ImageError> {
    // libjpeg reports an error by not returning; see `pixels::jpeg`.
    let decode = || decode_unwinding(parts, wanted, samples, sides);
    let decoded = catch_unwind(AssertUnwindSafe(decode));
    decoded.unwrap_or_else(|panic| {
        let reason = panic.downcast_ref::<String>().map(String::as_str);
        Err(fault(reason.unwrap_or("libjpeg gave up")))
    })
}

fn decode_unwinding(
    (head, tail): (&[u8], &[u8]),
    wanted: Wanted,
    samples: usize,
    (width, rows): (usize, usize),
) -> Result<Vec<u8>, ImageError> {
    let source = head.chain(Source(tail));
    let mut decoder = Decompress::builder().from_reader(source).map_err(fault)?;
    let (found_width, found_rows) = decoder.size();
    // A strip that goes beyond the picture's end is taken as far as the picture goes.
    if found_width != width
        || found_rows < rows
        || found_rows > rows.saturating_mul(2).max(rows + 16)
    {
        return Err(damaged(&format!(
            "a JPEG of {found_width}x{found_rows} in place of {width}x{rows}"
        )));
    }
    check_scans(tail, width * found_rows)?;
    decoder.dct_method(mozjpeg::DctMethod::IntegerSlow);
    decoder.do_fancy_upsampling(wanted != Wanted::YCbCr);
    let (colours, channels) = match (decoder.color_space(), decoder.components().len()) {
        (ColorSpace::JCS_GRAYSCALE, _) => (ColorSpace::JCS_GRAYSCALE, 1),
        (ColorSpace::JCS_YCbCr, _) if wanted == Wanted::YCbCr => (ColorSpace::JCS_YCbCr, 3),
        (ColorSpace::JCS_YCbCr | ColorSpace::JCS_RGB, _) => (ColorSpace::JCS_RGB, 3),
        (ColorSpace::JCS_CMYK, _) => (ColorSpace::JCS_CMYK, 4),
        (other, channels) => (other, channels),
    };
    if channels != samples {
        return Err(damaged(&format!(
            "a JPEG of {channels} samples in place of {samples}"
        )));
    }
    let mut rows_of = decoder.to_colorspace(colours).map_err(fault)?;
    let mut samples = vec![0u8; width * channels * rows];
    rows_of.read_scanlines_into(&mut samples).map_err(fault)?;
    Ok(samples)
}

/// A whole JPEG: what comes before its first scan, with the tables that stand apart and with a
/// mark for its colours in place of its own; and the rest.
fn assembled<'a>(
    tables: Option<&[u8]>,
    bytes: &'a [u8],
    wanted: Wanted,
) -> Result<(Vec<u8>, &'a [u8]), ImageError> {
    let mut head = begin(wanted);
    if let Some(tables) = tables {
        copy_segments(tables, &mut head);
    }
    let rest = copy_segments(bytes, &mut head);
    let rest = rest.ok_or_else(|| ImageError::decode(TRUNCATED))?;
    Ok((head, rest))
}

/// What a JPEG begins with, and a mark for its colours.
pub(super) fn begin(wanted: Wanted) -> Vec<u8> {
    let mut head = START_OF_IMAGE.to_vec();
    // Adobe's segment, whose last byte says that the samples were converted.
    head.extend([0xff, 0xee, 0, 14]);
    head.extend(*b"Adobe\0\x64\0\0\0\0");
    head.push(u8::from(wanted != Wanted::Stored));
    head
}

/// Copies the segments before the first scan but those of programs; what begins with that scan.
pub(super) fn copy_segments<'a>(jpeg: &'a [u8], head: &mut Vec<u8>) -> Option<&'a [u8]> {
    let mut rest = jpeg.strip_prefix(&START_OF_IMAGE).unwrap_or(jpeg);
    loop {
        let [0xff, marker, following @ ..] = rest else {
            return None;
        };
        match *marker {
            START_OF_SCAN => return Some(rest),
            // Any number of 0xff may stand before a marker.
            0xff => rest = &rest[1..],
            0xd9 => return None,
            0x01 | 0xd0..=0xd8 => rest = following,
            marker => {
                let length = usize::from(u16::from_be_bytes(*following.first_chunk()?));
                let segment = rest.get(..2 + length)?;
                if !matches!(marker, 0xe0..=0xef | 0xfe) {
                    head.extend(segment);
                }
                rest = &rest[2 + length..];
            }
        }
    }
}

fn fault(error: impl std::fmt::Display) -> ImageError {
    crate::pixels::jpeg::damaged(error)
}
