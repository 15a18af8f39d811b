//! Pictures no larger than they are needed.

use image::RgbImage;

use super::decode::decode_for;
use super::jpeg::Needs;
use super::limits::DecodeOptions;
use super::resize::resize_frame_bilinear;
use crate::error::ImageError;

/// Decodes an image and, where its shorter side is longer than `shorter` pixels, shrinks it to
/// that. With [`DecodeOptions::reduced`], a JPEG that is much larger is decoded at a half, a
/// quarter or an eighth of its size.
///
/// # Errors
/// As [`decode`](super::decode()).
pub fn decode_shrunk(
    bytes: &[u8],
    options: &DecodeOptions,
    shorter: usize,
) -> Result<RgbImage, ImageError> {
    let needs = |width, height| Needs {
        size: if options.reduced {
            shrunk((width, height), shorter)
        } else {
            (usize::MAX, usize::MAX)
        },
        rows: usize::MAX,
    };
    let picture = decode_for(bytes, options, &needs)?;
    let (width, height) = shrunk(picture.size, shorter);
    if (width, height) == picture.size {
        return Ok(picture.pixels);
    }
    let (pixels, frame) = (&picture.pixels, picture.frame);
    Ok(resize_frame_bilinear(pixels, frame, (width, height)))
}

fn shrunk((width, height): (usize, usize), shorter: usize) -> (usize, usize) {
    let short = width.min(height);
    if short > shorter {
        (width * shorter / short, height * shorter / short)
    } else {
        (width, height)
    }
}
