//! What the PNG decoder has to be kept from.

use crate::error::ImageError;

const SIGNATURE_BYTES: usize = 8;
/// A colour of a palette.
const COLOUR_BYTES: usize = 3;

/// Refuses a palette that ends within a colour, at which the decoder panics (png 0.18.1).
pub(super) fn check_palette(bytes: &[u8]) -> Result<(), ImageError> {
    let mut rest = bytes.get(SIGNATURE_BYTES..).unwrap_or_default();
    while let [a, b, c, d, kind @ ..] = rest {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        match kind.get(..4) {
            Some(b"PLTE") if !length.is_multiple_of(COLOUR_BYTES) => {
                let message = format!("damaged PNG: a palette of {length} bytes");
                return Err(ImageError::decode(message));
            }
            Some(b"IDAT") | None => break,
            Some(_) => {}
        }
        // The type before the data, the checksum behind.
        rest = kind.get(length.saturating_add(8)..).unwrap_or_default();
    }
    Ok(())
}
