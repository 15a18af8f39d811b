//! A HEIF file to RGB, by the codec of its picture, whatever its brand says.

use image::RgbImage;

use super::beside::has_transparency;
use super::{Codec, primary, unread};
use crate::error::ImageError;
#[cfg(feature = "avif")]
use crate::pixels::avif;
#[cfg(feature = "heic")]
use crate::pixels::heic;
use crate::pixels::limits::DecodeOptions;
use crate::pixels::metadata::Metadata;
use crate::pixels::orientation::Orientation;

/// Decodes the picture that a file is for. One of HEVC is cropped and turned as the container says;
/// one of AV1 is as it is stored, and [`orientation`] says how it lies.
///
/// # Errors
/// Also transparency, where there is a background for it: nothing is kept of it here that a background
/// could show through.
pub(in crate::pixels) fn decode(
    bytes: &[u8],
    options: &DecodeOptions,
) -> Result<RgbImage, ImageError> {
    let coded = primary(bytes)?;
    if options.background.is_some() && (coded.has_alpha || has_transparency(bytes)) {
        return Err(unread(
            "alpha in front of a background; convert it to PNG, or give none",
        ));
    }
    match coded.codec {
        #[cfg(feature = "heic")]
        Codec::Hevc => heic::decode(&coded, options),
        #[cfg(feature = "avif")]
        Codec::Av1 => avif::decode(&coded, options),
        #[allow(unreachable_patterns)]
        codec => {
            let (codec, feature) = match codec {
                Codec::Hevc => ("HEVC", "heic"),
                Codec::Av1 => ("AV1", "avif"),
            };
            let message = format!("a HEIF of {codec}, built without the feature `{feature}`");
            Err(ImageError::decode(message))
        }
    }
}

/// Width and height of what [`decode`] gives.
pub(in crate::pixels) fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    let coded = primary(bytes).ok()?;
    match coded.codec {
        #[cfg(feature = "heic")]
        Codec::Hevc => heic::dimensions(&coded),
        #[cfg(feature = "avif")]
        Codec::Av1 => avif::dimensions(&coded),
        #[allow(unreachable_patterns)]
        _ => None,
    }
}

/// How what [`decode`] gives lies. As in Pillow, EXIF has no say in it; `beside` may find something
/// where the container says nothing.
pub(in crate::pixels) fn orientation(
    bytes: &[u8],
    beside: impl FnOnce(Metadata) -> Option<Orientation>,
) -> Orientation {
    match primary(bytes) {
        #[cfg(feature = "avif")]
        Ok(coded) if coded.codec == Codec::Av1 => {
            let stated = Some(avif::orientation(&coded));
            let stated = stated.filter(|stated| *stated != Orientation::Upright);
            let beside = || beside(super::metadata(bytes));
            stated.or_else(beside).unwrap_or_default()
        }
        _ => Orientation::Upright,
    }
}
