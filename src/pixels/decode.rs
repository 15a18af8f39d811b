//! Any supported image file to upright 8-bit RGB.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use image::RgbImage;

use super::format::{PictureFormat, supported_formats};
#[cfg(any(feature = "avif", feature = "heic"))]
use super::heif;
use super::jpeg::Needs;
#[cfg(feature = "jxl")]
use super::jxl;
use super::layer::Layer;
use super::limits::DecodeOptions;
use super::orientation::Orientation;
use super::picture::Picture;
use super::raw::Preview;
use super::{bmp, gif, ico, image_crate, jpeg, pcx, png, pnm, psd, qoi, tga, tiff, webp};
use crate::error::{ImageError, ImageLimit};

/// Whether bytes begin as the files of a format do that [`decode`] reads; 32 are enough.
pub fn looks_like_image(start: &[u8]) -> bool {
    PictureFormat::of(start).is_some_and(PictureFormat::is_read)
}

/// Width and height that an image's header states, before EXIF turns it; `None` where it can't
/// be told.
pub fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    let other = |format| image_crate::dimensions(bytes, format);
    match PictureFormat::of(bytes)? {
        PictureFormat::Jpeg => jpeg::dimensions(bytes),
        PictureFormat::Gif => gif::dimensions(bytes),
        PictureFormat::Bmp => bmp::dimensions(bytes),
        PictureFormat::Ico => ico::dimensions(bytes),
        PictureFormat::Pcx => pcx::dimensions(bytes),
        PictureFormat::Photoshop => psd::dimensions(bytes),
        PictureFormat::Qoi => qoi::dimensions(bytes),
        PictureFormat::Tga => tga::dimensions(bytes),
        PictureFormat::Pnm | PictureFormat::Pfm if !is_pam(bytes) => pnm::dimensions(bytes),
        #[cfg(any(feature = "avif", feature = "heic"))]
        PictureFormat::Heic | PictureFormat::Avif => {
            guarded(|| Ok(heif::dimensions(bytes))).ok()?
        }
        #[cfg(feature = "jxl")]
        PictureFormat::JpegXl => guarded(|| Ok(jxl::dimensions(bytes))).ok()?,
        PictureFormat::Tiff => tiff::dimensions(bytes),
        format if format.is_raw_photograph() => {
            jpeg::dimensions(Preview::of(bytes, format).ok()?.jpeg)
        }
        format => other(format),
    }
}

/// Reads and decodes an image file.
///
/// # Errors
/// See [`decode`]; also a file that can't be opened or read. Errors name the file.
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
/// A stream that can't be read ([`Io`](crate::error::ImageErrorKind::Io)) or is too long
/// ([`Limit`](crate::error::ImageErrorKind::Limit)).
pub fn read(source: impl Read, options: &DecodeOptions) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    source
        .take(options.max_bytes.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > options.max_bytes {
        let message = format!("larger than the limit of {} bytes", options.max_bytes);
        return Err(ImageError::over(ImageLimit::FileSize, message));
    }
    Ok(bytes)
}

/// Decodes an image: the first frame of an animation, turned upright, as 8-bit RGB.
///
/// Colours become RGB as Pillow's `convert("RGB")` makes them: grey is repeated, a palette
/// looked up, alpha dropped (or blended with the options' background), CMYK multiplied out. Of 16
/// bits a channel the high byte is taken. JPEG is decoded by libjpeg-turbo's algorithms, to the same
/// bytes as Pillow, and HEIC by libheif's, to those of pillow-heif. Of a raw photograph it is the
/// preview that the camera put beside it.
///
/// # Errors
/// Bytes that are empty, of no known format or damaged ([`Decode`](crate::error::ImageErrorKind::Decode)), or an
/// image larger than the limits ([`Limit`](crate::error::ImageErrorKind::Limit)).
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
    let format = PictureFormat::of(bytes).ok_or_else(|| {
        let supported = supported_formats();
        ImageError::decode(format!("not an image of a known format ({supported})"))
    })?;
    if options.background.is_some() && format == PictureFormat::Tiff {
        tiff::check_opaque(bytes)?;
    }
    let picture = match format {
        PictureFormat::Jpeg => jpeg::decode(bytes, options, needs)?,
        PictureFormat::Tiff => tiff::decode(bytes, options)?.into(),
        format if format.is_raw_photograph() => {
            let preview = Preview::of(bytes, format)?;
            let picture = jpeg::decode(preview.jpeg, options, needs)?;
            let orientation = if options.exif_orientation {
                preview.orientation
            } else {
                Orientation::Upright
            };
            return Ok(picture.of_preview().oriented(orientation));
        }
        _ => match layer(bytes, format, options) {
            Some(layer) => layer?.over(options.background).into(),
            None => return Err(unread(format)),
        },
    };
    Ok(if options.exif_orientation {
        picture.oriented(Orientation::of_file(bytes, format))
    } else {
        picture
    })
}

/// The pixels of a file as they are stored, and their alpha; `None` for a format that has neither here.
///
/// HEIC, AVIF and JPEG XL with an alpha are refused where there is a background for it.
pub(super) fn layer(
    bytes: &[u8],
    format: PictureFormat,
    options: &DecodeOptions,
) -> Option<Result<Layer, ImageError>> {
    Some(match format {
        PictureFormat::Gif => gif::decode(bytes, options),
        PictureFormat::Bmp => bmp::decode(bytes, options),
        PictureFormat::Png => png::decode(bytes, options),
        PictureFormat::WebP => webp::decode(bytes, options),
        PictureFormat::Ico => ico::decode(bytes, options),
        PictureFormat::Pcx => pcx::decode(bytes, options),
        PictureFormat::Photoshop => psd::decode(bytes, options),
        PictureFormat::Qoi => qoi::decode(bytes, options),
        PictureFormat::Tga => tga::decode(bytes, options),
        PictureFormat::Pnm if is_pam(bytes) => image_crate::decode(bytes, format, options),
        PictureFormat::Pnm | PictureFormat::Pfm => pnm::decode(bytes, options).map(Layer::from),
        #[cfg(any(feature = "avif", feature = "heic"))]
        PictureFormat::Heic | PictureFormat::Avif => {
            guarded(|| heif::decode(bytes, options)).map(Layer::from)
        }
        #[cfg(feature = "jxl")]
        PictureFormat::JpegXl => guarded(|| jxl::decode(bytes, options)).map(Layer::from),
        _ => return None,
    })
}

fn is_pam(bytes: &[u8]) -> bool {
    bytes.starts_with(b"P7")
}

/// What a decoder gives that may have faults of its own, of which a caller is to hear as of any
/// other error.
#[cfg(any(feature = "avif", feature = "heic", feature = "jxl"))]
fn guarded<T>(decode: impl FnOnce() -> Result<T, ImageError>) -> Result<T, ImageError> {
    let decoded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(decode));
    decoded.unwrap_or_else(|_| Err(ImageError::decoder_failed()))
}

/// What is said of a file whose format has a name, but is not read.
fn unread(format: PictureFormat) -> ImageError {
    let name = format.name();
    ImageError::decode(if format == PictureFormat::WebPage {
        // What a download brings where there is no such picture.
        format!("{name} in place of a picture")
    } else {
        let supported = supported_formats();
        let why = match format.feature() {
            Some(feature) => format!("built without its feature `{feature}`"),
            None => "which is not read".into(),
        };
        format!("{name}, {why}: convert it to one of {supported}")
    })
}
