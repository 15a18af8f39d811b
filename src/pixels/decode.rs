//! Any supported image file to upright 8-bit RGB.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, RgbImage};

use super::jpeg::Needs;
use super::limits::{DecodeOptions, check_size};
use super::picture::Picture;
use super::{gif, jpeg, png, tiff, unread};
use crate::error::{ImageError, ImageErrorKind};

/// More than any text or colour profile in a PNG needs.
const MAX_PNG_CHUNK_BYTES: u64 = 64 << 20;

/// The formats that [`decode`] knows, for messages.
pub const SUPPORTED_FORMATS: &str = "JPEG, PNG, WebP, GIF, BMP, TIFF, PNM";

/// Whether bytes begin as the files of a format do that [`decode`] knows; 32 are enough.
pub fn looks_like_image(start: &[u8]) -> bool {
    // JPEG is read by a decoder of its own.
    let known = |format: ImageFormat| format == ImageFormat::Jpeg || format.reading_enabled();
    format_of(start).is_some_and(known)
}

/// The format that bytes begin as.
fn format_of(start: &[u8]) -> Option<ImageFormat> {
    let big_tiff = start.starts_with(b"II\x2b\0") || start.starts_with(b"MM\0\x2b");
    match image::guess_format(start) {
        // The image crate reads it, but does not know it from its beginning.
        Err(_) if big_tiff => Some(ImageFormat::Tiff),
        guessed => guessed.ok(),
    }
}

/// Width and height that an image's header states, before EXIF turns it; `None` where it can't
/// be told.
pub fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    let other = |format| {
        let reader = ImageReader::with_format(Cursor::new(bytes), format);
        reader.into_dimensions().ok()
    };
    match format_of(bytes)? {
        ImageFormat::Jpeg => jpeg::dimensions(bytes),
        ImageFormat::Tiff => tiff::palette_dimensions(bytes).or_else(|| other(ImageFormat::Tiff)),
        format => other(format),
    }
}

/// Reads and decodes an image file.
///
/// # Errors
/// See [`decode`]; also a file that can't be opened or read.
pub fn open(path: impl AsRef<Path>, options: &DecodeOptions) -> Result<RgbImage, ImageError> {
    let path = path.as_ref();
    let read = || read(File::open(path)?, options);
    read()
        .and_then(|bytes| decode(&bytes, options))
        .map_err(|error| error.at(path))
}

/// Reads the bytes of one image to the end, within the limit on a file's size.
///
/// # Errors
/// A stream that can't be read ([`ImageErrorKind::Io`]) or is too long
/// ([`ImageErrorKind::Limit`]).
pub fn read(source: impl Read, options: &DecodeOptions) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    source
        .take(options.max_bytes.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > options.max_bytes {
        let message = format!("larger than the limit of {} bytes", options.max_bytes);
        return Err(ImageError::new(ImageErrorKind::Limit, message));
    }
    Ok(bytes)
}

/// Decodes an image: the first frame of an animation, turned upright, as 8-bit RGB.
///
/// Colours become RGB as Pillow's `convert("RGB")` makes them: grey is repeated, a palette
/// looked up, alpha dropped (not blended), CMYK multiplied out. Of 16 bits a channel the high
/// byte is taken. JPEG is decoded by libjpeg-turbo's algorithms, to the same bytes as Pillow.
///
/// # Errors
/// Bytes that are empty, of no known format or damaged ([`ImageErrorKind::Decode`]), or an
/// image larger than the limits ([`ImageErrorKind::Limit`]).
pub fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<RgbImage, ImageError> {
    decode_for(bytes, options, &|_, _| Needs::everything()).map(|picture| picture.pixels)
}

/// [`decode`] of no more than `needs` says for the stored width and height, where the format can
/// do with less.
pub(super) fn decode_for(
    bytes: &[u8],
    options: &DecodeOptions,
    needs: &dyn Fn(usize, usize) -> Needs,
) -> Result<Picture, ImageError> {
    if bytes.is_empty() {
        return Err(ImageError::decode("the file is empty"));
    }
    if let Some(reason) = unread::reason(bytes) {
        return Err(ImageError::decode(reason));
    }
    let Some(format) = format_of(bytes) else {
        return Err(ImageError::decode(format!(
            "not an image of a known format ({SUPPORTED_FORMATS})"
        )));
    };
    let (picture, orientation) = match format {
        ImageFormat::Jpeg => jpeg::decode(bytes, options, needs)?,
        ImageFormat::Gif => {
            let image = gif::decode(bytes, options)?;
            (image.into(), Orientation::NoTransforms)
        }
        _ => {
            let palette = match format {
                ImageFormat::Tiff => tiff::decode_palette(bytes, options),
                _ => None,
            };
            let decoded = palette.unwrap_or_else(|| decode_other(bytes, format, options));
            let (image, orientation) = decoded?;
            (image.into(), orientation)
        }
    };
    Ok(match options.exif_orientation {
        true => picture.oriented(orientation),
        false => picture,
    })
}

/// Formats that the image crate decodes exactly.
fn decode_other(
    bytes: &[u8],
    format: ImageFormat,
    options: &DecodeOptions,
) -> Result<(RgbImage, Orientation), ImageError> {
    if format == ImageFormat::Png {
        png::check_palette(bytes)?;
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(match format {
        // Only what is beside the pixels; a compressed colour profile may be anything.
        ImageFormat::Png => MAX_PNG_CHUNK_BYTES,
        _ => options.max_decoded_bytes(),
    });
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(describe)?;
    let (width, height) = decoder.dimensions();
    check_size(width.into(), height.into(), options)?;
    if decoder.total_bytes() > options.max_decoded_bytes() {
        let message = format!(
            "{width}x{height} pixels of {:?} are more than the limit of {} bytes",
            decoder.color_type(),
            options.max_decoded_bytes()
        );
        return Err(ImageError::new(ImageErrorKind::Limit, message));
    }
    // A damaged EXIF block is no reason to refuse the picture.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let image = DynamicImage::from_decoder(decoder).map_err(describe)?;
    Ok((to_rgb8(image), orientation))
}

fn describe(error: image::ImageError) -> ImageError {
    use image::ImageError::{Decoding, IoError, Limits, Unsupported};
    match error {
        Limits(e) => {
            let message = format!("its header asks for more than the limits allow ({e})");
            ImageError::new(ImageErrorKind::Limit, message)
        }
        Unsupported(e) => {
            let format = e.format_hint().to_string().to_uppercase();
            ImageError::decode(format!("a {format} of a kind that is unsupported ({e})"))
        }
        IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            ImageError::decode("the file is truncated")
        }
        Decoding(e) => ImageError::decode(e.to_string()),
        other => ImageError::decode(other.to_string()),
    }
}

fn to_rgb8(image: DynamicImage) -> RgbImage {
    use DynamicImage::{ImageLuma16, ImageLumaA8, ImageLumaA16, ImageRgb16, ImageRgba16};
    let (width, height) = (image.width(), image.height());
    fn high(samples: &[u16], channels: usize, take: [usize; 3]) -> Vec<u8> {
        let pixels = samples.chunks_exact(channels);
        pixels
            .flat_map(|p| take.map(|c| (p[c] >> 8) as u8))
            .collect()
    }
    let pixels = match &image {
        ImageLuma16(i) => high(i, 1, [0, 0, 0]),
        ImageLumaA16(i) => high(i, 2, [0, 0, 0]),
        ImageRgb16(i) => high(i, 3, [0, 1, 2]),
        ImageRgba16(i) => high(i, 4, [0, 1, 2]),
        ImageLumaA8(i) => i.pixels().flat_map(|p| [p[0]; 3]).collect(),
        _ => return image.into_rgb8(),
    };
    RgbImage::from_raw(width, height, pixels).unwrap_or_default()
}
