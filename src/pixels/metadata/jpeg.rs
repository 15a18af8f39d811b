//! EXIF and XMP in the segments of a JPEG.

use std::borrow::Cow;

use super::{EXIF_HEADER, Metadata, without_header};

const XMP_HEADER: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

/// What the segments before the first scan say. EXIF that is longer than a segment goes on in the
/// next one of its kind.
pub(super) fn metadata(bytes: &[u8]) -> Metadata<'_> {
    const APP1: u8 = 0xe1;
    let mut exif: Option<Cow<[u8]>> = None;
    let mut xmp = None;
    for (marker, data) in Segments(bytes) {
        if marker != APP1 {
            continue;
        }
        if let Some(part) = data.strip_prefix(EXIF_HEADER) {
            match &mut exif {
                Some(before) => before.to_mut().extend(part),
                None => exif = Some(Cow::Borrowed(part)),
            }
        } else if let Some(text) = data.strip_prefix(XMP_HEADER) {
            xmp = Some(Cow::Borrowed(text));
        }
    }
    Metadata {
        exif: exif.map(|exif| match exif {
            Cow::Borrowed(exif) => Cow::Borrowed(without_header(exif)),
            Cow::Owned(exif) => Cow::Owned(without_header(&exif).to_vec()),
        }),
        xmp,
    }
}

/// The segments up to the first scan: a marker, and what stands behind its length.
struct Segments<'a>(&'a [u8]);

impl<'a> Iterator for Segments<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        const START_OF_SCAN: u8 = 0xda;
        const END_OF_IMAGE: u8 = 0xd9;
        loop {
            let at = memchr::memchr(0xff, self.0)?;
            let &[_, marker, ref rest @ ..] = &self.0[at..] else {
                return None;
            };
            match marker {
                // Any number of these may stand before a marker.
                0xff => self.0 = &self.0[at + 1..],
                START_OF_SCAN | END_OF_IMAGE => return None,
                // Markers without a segment, and what is no marker.
                0x00 | 0x01 | 0xd0..=0xd8 => self.0 = rest,
                _ => {
                    let length = usize::from(u16::from_be_bytes(*rest.first_chunk()?));
                    // It counts itself.
                    let data = rest.get(2..length)?;
                    self.0 = &rest[length..];
                    return Some((marker, data));
                }
            }
        }
    }
}
