//! The kinds of compression, of colours, of samples and of predictors, by TIFF's numbers.

use super::{tags, unread};
use crate::error::ImageError;
use crate::pixels::ifd::Directory;

/// How strips and tiles are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    /// Fax without marks between rows, which begin at multiples of so many bits.
    FaxRows(usize),
    FaxGroup3,
    FaxGroup4,
    Lzw,
    /// The first technical note's form, which a file has once.
    OldJpeg,
    Jpeg,
    Deflate,
    PackBits,
    Lzma,
    Zstd,
    WebP,
}

/// What the samples of a pixel mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Photometric {
    WhiteIsZero,
    BlackIsZero,
    Rgb,
    Palette,
    Cmyk,
    YCbCr,
    Lab,
}

/// What the bits of a sample mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SampleFormat {
    Unsigned,
    Signed,
    Float,
}

/// How a row's samples were made smaller before it was packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Predictor {
    None,
    /// Each is the difference from the pixel before.
    Differences,
    /// The same of floats' bytes, the highest of all samples first.
    FloatBytes,
}

impl Photometric {
    /// Samples of a pixel that are colours.
    pub fn colours(self) -> usize {
        match self {
            Self::WhiteIsZero | Self::BlackIsZero | Self::Palette => 1,
            Self::Rgb | Self::YCbCr | Self::Lab => 3,
            Self::Cmyk => 4,
        }
    }
}

/// # Errors
/// A kind that is not read, by its name.
pub(super) fn compression(number: u64) -> Result<Compression, ImageError> {
    Ok(match number {
        1 => Compression::None,
        2 => Compression::FaxRows(8),
        3 => Compression::FaxGroup3,
        4 => Compression::FaxGroup4,
        5 => Compression::Lzw,
        6 => Compression::OldJpeg,
        7 => Compression::Jpeg,
        8 | 32946 => Compression::Deflate,
        32771 => Compression::FaxRows(16),
        32773 => Compression::PackBits,
        34925 => Compression::Lzma,
        50000 => Compression::Zstd,
        50001 => Compression::WebP,
        other => {
            let name = match other {
                32766 => "NeXT's compression",
                32809 => "ThunderScan's compression",
                32909 => "Pixar's logarithms",
                33003 | 33005 | 34712 => "JPEG 2000 inside",
                34661 => "JBIG inside",
                34676 | 34677 => "SGI's logarithms",
                34887 => "LERC inside",
                34892 => "lossy JPEG of a raw photograph",
                50002 | 52546 => "JPEG XL inside",
                _ => return Err(unread(&format!("compression {other}"))),
            };
            return Err(unread(name));
        }
    })
}

/// # Errors
/// A kind that is not read, by its name.
pub(super) fn photometric(
    directory: Directory<'_>,
    compression: Compression,
) -> Result<Photometric, ImageError> {
    let number = |tag| directory.entry(tag)?.number_at(0);
    if compression == Compression::OldJpeg {
        return Ok(Photometric::YCbCr);
    }
    // It is required, but not all write it; Pillow's default.
    Ok(match number(tags::PHOTOMETRIC).unwrap_or(0) {
        0 => Photometric::WhiteIsZero,
        1 => Photometric::BlackIsZero,
        2 => Photometric::Rgb,
        3 => Photometric::Palette,
        5 => {
            const CMYK: u64 = 1;
            if number(tags::INK_SET).is_some_and(|inks| inks != CMYK) {
                return Err(unread("inks other than CMYK"));
            }
            Photometric::Cmyk
        }
        6 => Photometric::YCbCr,
        8 => Photometric::Lab,
        other => {
            let name = match other {
                4 => "a mask",
                9 => "Lab of a colour profile",
                10 => "Lab of the ITU",
                32803 => "a sensor's colours",
                32844 | 32845 => "logarithms of light",
                34892 => "a sensor's light",
                51177 => "depths",
                _ => return Err(unread(&format!("colours of the kind {other}"))),
            };
            return Err(unread(name));
        }
    })
}

/// Only these kinds of compression have one; elsewhere the tag means nothing.
pub(super) fn predictor(number: u64, compression: Compression) -> Result<Predictor, ImageError> {
    use Compression::{Deflate, Lzma, Lzw, Zstd};
    if !matches!(compression, Lzw | Deflate | Lzma | Zstd) {
        return Ok(Predictor::None);
    }
    Ok(match number {
        1 => Predictor::None,
        2 => Predictor::Differences,
        3 => Predictor::FloatBytes,
        other => return Err(unread(&format!("predictor {other}"))),
    })
}
