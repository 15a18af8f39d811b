//! EXIF and XMP in the chunks of a WebP.

use std::borrow::Cow;

use super::{Metadata, without_header};
use crate::pixels::riff::Chunks;

/// Bits of the extended header, which say what there is.
const HAS_EXIF: u8 = 0x08;
const HAS_XMP: u8 = 0x04;

/// What the chunks say that the extended header announces.
pub(super) fn metadata(bytes: &[u8]) -> Metadata<'_> {
    let mut found = Metadata::default();
    let mut chunks = Chunks::whole(bytes.get(12..).unwrap_or_default());
    let Some((b"VP8X", &[flags, ..])) = chunks.next() else {
        return found;
    };
    for (kind, data) in chunks {
        match kind {
            b"EXIF" if flags & HAS_EXIF != 0 && found.exif.is_none() => {
                found.exif = Some(Cow::Borrowed(without_header(data)));
            }
            b"XMP " if flags & HAS_XMP != 0 && found.xmp.is_none() => {
                found.xmp = Some(Cow::Borrowed(data));
            }
            _ => {}
        }
    }
    found
}
