//! Which way up a picture is shown.

use image::RgbImage;

use super::format::PictureFormat;
use super::ifd::Directory;
use super::metadata::Metadata;

/// EXIF's tag of the same name.
const TAG: u16 = 0x0112;
/// The number that no camera writes and that means nothing.
const UNKNOWN: u64 = 0;

/// How the pixels of a file are turned to be shown, with EXIF's numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Orientation {
    /// As they are.
    #[default]
    Upright = 1,
    /// Left and right are exchanged.
    MirroredHorizontally = 2,
    /// By half a turn.
    Rotated180 = 3,
    /// Top and bottom are exchanged.
    MirroredVertically = 4,
    /// Rows become columns.
    Transposed = 5,
    /// By a quarter of a turn, clockwise.
    Rotated90 = 6,
    /// Rows become columns, and the whole is turned by half a turn.
    Transversed = 7,
    /// By a quarter of a turn, anticlockwise.
    Rotated270 = 8,
}

/// What an orientation is made of: first rows may become columns, then the picture that comes of
/// that may be mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Steps {
    /// Rows become columns.
    pub transpose: bool,
    /// Left and right are exchanged.
    pub mirror_columns: bool,
    /// Top and bottom are exchanged.
    pub mirror_rows: bool,
}

impl Orientation {
    /// The orientation that a file states: in EXIF, or where that has none in XMP, wherever
    /// Pillow looks for them. A file that states none, or nothing sensible, is upright.
    pub fn of(bytes: &[u8]) -> Self {
        PictureFormat::of(bytes).map_or(Self::Upright, |format| Self::of_file(bytes, format))
    }

    /// [`of`](Self::of) a file whose format is known.
    pub(super) fn of_file(bytes: &[u8], format: PictureFormat) -> Self {
        #[cfg(any(feature = "heic", feature = "avif"))]
        if matches!(format, PictureFormat::Heic | PictureFormat::Avif) {
            return super::heif::orientation(bytes, |metadata| {
                let is_in_exif = metadata.exif.as_deref().and_then(number_in_exif).is_some();
                let number = metadata.xmp.as_deref().and_then(number_in_xmp);
                number.filter(|_| !is_in_exif).and_then(Self::from_exif)
            });
        }
        let metadata = Metadata::of(bytes, format);
        let exif = metadata.exif.as_deref().and_then(number_in_exif);
        let number = exif.or_else(|| metadata.xmp.as_deref().and_then(number_in_xmp));
        number.and_then(Self::from_exif).unwrap_or_default()
    }

    /// The orientation that is made of these steps.
    #[cfg(feature = "avif")]
    pub(super) fn of_steps(steps: Steps) -> Self {
        let all = (1..=8).filter_map(Self::from_exif);
        let mut fitting = all.filter(|orientation| orientation.steps() == steps);
        fitting.next().unwrap_or_default()
    }

    /// The orientation with this number in EXIF, from 1 to 8.
    pub fn from_exif(number: u64) -> Option<Self> {
        Some(match number {
            1 => Self::Upright,
            2 => Self::MirroredHorizontally,
            3 => Self::Rotated180,
            4 => Self::MirroredVertically,
            5 => Self::Transposed,
            6 => Self::Rotated90,
            7 => Self::Transversed,
            8 => Self::Rotated270,
            _ => return None,
        })
    }

    /// Pixels as they are shown.
    pub fn apply(self, image: RgbImage) -> RgbImage {
        if self == Self::Upright {
            return image;
        }
        let size = (image.width() as usize, image.height() as usize);
        let stored = image.as_raw().as_chunks::<3>().0;
        let (shown, (width, height)) = self.steps().apply(stored, size);
        let pixels = shown.into_flattened();
        RgbImage::from_raw(width as u32, height as u32, pixels).unwrap_or_default()
    }

    /// What it is made of.
    pub(super) fn steps(self) -> Steps {
        let steps = |transpose, mirror_columns, mirror_rows| Steps {
            transpose,
            mirror_columns,
            mirror_rows,
        };
        match self {
            Self::Upright => steps(false, false, false),
            Self::MirroredHorizontally => steps(false, true, false),
            Self::Rotated180 => steps(false, true, true),
            Self::MirroredVertically => steps(false, false, true),
            Self::Transposed => steps(true, false, false),
            Self::Rotated90 => steps(true, true, false),
            Self::Transversed => steps(true, true, true),
            Self::Rotated270 => steps(true, false, true),
        }
    }
}

impl Steps {
    /// These, and then others.
    #[cfg(feature = "avif")]
    pub fn then(self, next: Self) -> Self {
        // What is mirrored before rows become columns is mirrored the other way after that.
        let (columns, rows) = if next.transpose {
            (self.mirror_rows, self.mirror_columns)
        } else {
            (self.mirror_columns, self.mirror_rows)
        };
        Self {
            transpose: self.transpose != next.transpose,
            mirror_columns: columns != next.mirror_columns,
            mirror_rows: rows != next.mirror_rows,
        }
    }

    /// Values in rows of `width` as they are shown, with the width and height of that.
    pub fn apply<T: Copy + Default>(
        self,
        stored: &[T],
        (width, height): (usize, usize),
    ) -> (Vec<T>, (usize, usize)) {
        let (shown_width, shown_height) = if self.transpose {
            (height, width)
        } else {
            (width, height)
        };
        let mut shown = vec![T::default(); stored.len()];
        // Tiles, since the lines of one are the columns of the other.
        const TILE: usize = 32;
        for top in (0..shown_height).step_by(TILE) {
            for left in (0..shown_width).step_by(TILE) {
                for y in top..(top + TILE).min(shown_height) {
                    let row = mirrored(y, shown_height, self.mirror_rows);
                    for x in left..(left + TILE).min(shown_width) {
                        let column = mirrored(x, shown_width, self.mirror_columns);
                        let from = if self.transpose {
                            column * width + row
                        } else {
                            row * width + column
                        };
                        shown[y * shown_width + x] = stored[from];
                    }
                }
            }
        }
        (shown, (shown_width, shown_height))
    }
}

fn mirrored(index: usize, length: usize, mirror: bool) -> usize {
    if mirror { length - 1 - index } else { index }
}

/// The tag's number in a block of EXIF, or in a TIFF; `None` where there is no such tag. It may
/// have any type of integers, of which the first counts.
fn number_in_exif(exif: &[u8]) -> Option<u64> {
    let entry = Directory::first(exif)?.entry(TAG)?;
    Some(entry.integer().unwrap_or(UNKNOWN))
}

/// The first number in a text of XMP, as an attribute or as an element.
fn number_in_xmp(xmp: &[u8]) -> Option<u64> {
    const NAME: &[u8] = b"tiff:Orientation";
    memchr::memmem::find_iter(xmp, NAME).find_map(|at| {
        let value = &xmp[at + NAME.len()..];
        let value = value
            .strip_prefix(b"=\"")
            .or_else(|| value.strip_prefix(b">"))?;
        let digit = value.first().filter(|byte| byte.is_ascii_digit())?;
        Some(u64::from(digit - b'0'))
    })
}
