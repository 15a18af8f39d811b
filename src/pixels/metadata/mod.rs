//! Where the files of each format keep what is said about a picture: EXIF and XMP.
//!
//! What Pillow finds is found, at the same places. Nothing here fails: what is damaged or not
//! there is not found.

mod jpeg;
mod png;
mod webp;

use std::borrow::Cow;

use super::format::PictureFormat;
use super::ifd::Directory;

/// What stands before EXIF in JPEG, and by mistake elsewhere too.
const EXIF_HEADER: &[u8] = b"Exif\0\0";

/// What is said about a picture.
#[derive(Debug, Default)]
pub(super) struct Metadata<'a> {
    /// EXIF, from its byte order on; a TIFF is all of it.
    pub exif: Option<Cow<'a, [u8]>>,
    /// XMP, a text.
    pub xmp: Option<Cow<'a, [u8]>>,
}

impl<'a> Metadata<'a> {
    /// What a file of this format says.
    pub fn of(bytes: &'a [u8], format: PictureFormat) -> Self {
        match format {
            PictureFormat::Jpeg => jpeg::metadata(bytes),
            PictureFormat::Png => png::metadata(bytes),
            PictureFormat::WebP => webp::metadata(bytes),
            PictureFormat::Tiff => of_tiff(bytes),
            _ => Self::default(),
        }
    }
}

fn of_tiff(bytes: &[u8]) -> Metadata<'_> {
    const XMP: u16 = 700;
    let xmp = Directory::first(bytes).and_then(|first| first.entry(XMP)?.bytes());
    Metadata {
        exif: Some(Cow::Borrowed(bytes)),
        xmp: xmp.map(Cow::Borrowed),
    }
}

/// EXIF without the header that doesn't belong to it; some programs write it twice.
fn without_header(exif: &[u8]) -> &[u8] {
    let once = exif.strip_prefix(EXIF_HEADER).unwrap_or(exif);
    once.strip_prefix(EXIF_HEADER).unwrap_or(once)
}

/// The number in four bytes.
fn length(bytes: [u8; 4], of: fn([u8; 4]) -> u32) -> usize {
    usize::try_from(of(bytes)).unwrap_or(usize::MAX)
}
