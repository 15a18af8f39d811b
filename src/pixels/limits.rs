//! What a decoder takes and what it refuses.

use super::jpeg::Dct;
use crate::error::{ImageError, ImageErrorKind, ImageLimit};

/// What is taken and what is refused.
///
/// # Example
/// ```
/// use mobilenet::pixels::DecodeOptions;
///
/// let options = DecodeOptions::default().with_reduced(true).with_max_bytes(16 << 20);
/// assert!(options.exif_orientation);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeOptions {
    /// Turn the image as its EXIF orientation says. HEIC and JPEG XL have a turn of their own, which
    /// is a part of decoding them.
    pub exif_orientation: bool,
    /// Decode a JPEG that is much larger than the network's input at a reduced scale, in a
    /// fraction of the time: [`Preprocessing::read`](super::Preprocessing::read).
    pub reduced: bool,
    /// How a JPEG is decoded. A recipe has its own
    /// ([`Preprocessing::dct`](super::Preprocessing::dct)), which goes before this.
    pub dct: Dct,
    /// The colour that is put behind pixels that are not opaque. Without one their alpha is dropped, as Pillow's
    /// `convert("RGB")` does: then they have the colours that the file has for them.
    pub background: Option<[u8; 3]>,
    /// Width times height above which an image is refused before it is decoded.
    pub max_pixels: u64,
    /// Size of a file above which it is refused before it is read to its end.
    pub max_bytes: u64,
}

impl DecodeOptions {
    /// The same, where images are turned as EXIF says, or not.
    pub fn with_exif_orientation(self, exif_orientation: bool) -> Self {
        Self {
            exif_orientation,
            ..self
        }
    }

    /// The same, where large JPEGs are decoded at a reduced scale, or not.
    pub fn with_reduced(self, reduced: bool) -> Self {
        Self { reduced, ..self }
    }

    /// The same, where JPEGs are decoded in another way.
    pub fn with_dct(self, dct: Dct) -> Self {
        Self { dct, ..self }
    }

    /// The same with a colour behind pixels that are not opaque, or without one.
    pub fn with_background(self, background: Option<[u8; 3]>) -> Self {
        Self { background, ..self }
    }

    /// The same with another limit for width times height.
    pub fn with_max_pixels(self, max_pixels: u64) -> Self {
        Self { max_pixels, ..self }
    }

    /// The same with another limit for a file's size.
    pub fn with_max_bytes(self, max_bytes: u64) -> Self {
        Self { max_bytes, ..self }
    }

    /// Bytes that a decoder may allocate: 16 bits a channel for as many pixels as are allowed.
    pub(super) fn max_decoded_bytes(&self) -> u64 {
        self.max_pixels.saturating_mul(6)
    }
}

impl Default for DecodeOptions {
    /// EXIF is applied; JPEGs are decoded at their full size; alpha is dropped; 178,956,970 pixels (half a gigabyte
    /// of RGB, the number at which Pillow refuses too) and half a gigabyte of file are the most.
    fn default() -> Self {
        Self {
            exif_orientation: true,
            reduced: false,
            dct: Dct::Accurate,
            background: None,
            max_pixels: 178_956_970,
            max_bytes: 512 << 20,
        }
    }
}

/// Checks the size that a header states, before anything of that size is allocated.
pub(super) fn check_size(
    width: u64,
    height: u64,
    options: &DecodeOptions,
) -> Result<(), ImageError> {
    if width == 0 || height == 0 {
        return Err(ImageError::decode(format!(
            "an image of {width}x{height} has no pixels"
        )));
    }
    if width.saturating_mul(height) > options.max_pixels {
        let message = format!(
            "{width}x{height} is more than the limit of {} pixels",
            options.max_pixels
        );
        return Err(ImageError::over(ImageLimit::Pixels, message));
    }
    Ok(())
}

/// Refuses a picture that memory can't be had for: whoever asks for it in vain is aborted.
pub(super) fn reserve(bytes: u64) -> Result<(), ImageError> {
    let mut trial = Vec::<u8>::new();
    let tried = usize::try_from(bytes).map(|bytes| trial.try_reserve_exact(bytes));
    if matches!(tried, Ok(Ok(()))) {
        return Ok(());
    }
    let megabytes = bytes >> 20;
    let message = format!("decoding it takes {megabytes} MB, which can't be had");
    Err(ImageError::new(ImageErrorKind::Limit, message))
}
