//! The formats that the image crate decodes, all but exactly: the only place that calls its
//! decoders.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, RgbImage};

use super::format::PictureFormat;
use super::layer::Layer;
use super::limits::{DecodeOptions, check_size, reserve};
use crate::error::{ImageError, ImageErrorKind, ImageLimit};

/// More than any text or colour profile in a PNG needs.
const MAX_PNG_CHUNK_BYTES: u64 = 64 << 20;

/// Width and height that a header states.
pub(super) fn dimensions(bytes: &[u8], format: PictureFormat) -> Option<(u32, u32)> {
    reader(bytes, format)?.into_dimensions().ok()
}

/// A reader of the formats that are left to this crate.
fn reader(bytes: &[u8], format: PictureFormat) -> Option<ImageReader<Cursor<&[u8]>>> {
    let format = match format {
        PictureFormat::Png => ImageFormat::Png,
        PictureFormat::WebP => ImageFormat::WebP,
        PictureFormat::Pnm => ImageFormat::Pnm,
        _ => return None,
    };
    Some(ImageReader::with_format(Cursor::new(bytes), format))
}

/// Decodes a picture as it is stored.
pub(super) fn decode(
    bytes: &[u8],
    format: PictureFormat,
    options: &DecodeOptions,
) -> Result<Layer, ImageError> {
    let mut reader = reader(bytes, format).ok_or_else(|| {
        let name = format.name();
        ImageError::decode(format!("{name}, for which there is no decoder"))
    })?;
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(if format == PictureFormat::Png {
        // Only what is beside the pixels; a compressed colour profile may be anything.
        MAX_PNG_CHUNK_BYTES
    } else {
        options.max_decoded_bytes()
    });
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(describe)?;
    let (width, height) = decoder.dimensions();
    check_size(width.into(), height.into(), options)?;
    if decoder.total_bytes() > options.max_decoded_bytes() {
        let message = format!(
            "{width}x{height} pixels of {:?} are more than the limit of {} bytes",
            decoder.color_type(),
            options.max_decoded_bytes()
        );
        return Err(ImageError::over(ImageLimit::Pixels, message));
    }
    reserve(decoder.total_bytes())?;
    let image = DynamicImage::from_decoder(decoder).map_err(describe)?;
    Ok(to_layer(image, options.background.is_some()))
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

fn to_layer(image: DynamicImage, with_alpha: bool) -> Layer {
    use DynamicImage::{ImageLumaA8, ImageLumaA16, ImageRgba8, ImageRgba16};
    let alpha = match &image {
        // Nobody looks at it.
        _ if !with_alpha => None,
        ImageLumaA8(i) => Some(i.pixels().map(|p| p[1]).collect()),
        ImageRgba8(i) => Some(i.pixels().map(|p| p[3]).collect()),
        ImageLumaA16(i) => Some(i.pixels().map(|p| (p[1] >> 8) as u8).collect()),
        ImageRgba16(i) => Some(i.pixels().map(|p| (p[3] >> 8) as u8).collect()),
        _ => None,
    };
    Layer {
        pixels: to_rgb8(image),
        alpha,
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
