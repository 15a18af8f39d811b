//! The merged picture of a Photoshop document of 8 bits a channel.

use image::RgbImage;

use super::bytes::{Bytes, truncated};
use super::cmyk::cmyk_to_rgb;
use super::layer::Layer;
use super::limits::{DecodeOptions, check_size, reserve};
use crate::error::ImageError;

const HEADER_BYTES: usize = 26;
/// A palette: all reds, all greens, all blues.
const PALETTE_BYTES: usize = 768;

/// What channels are.
#[derive(Clone, Copy)]
enum Colours {
    Grey,
    Palette,
    Rgb,
    Rgba,
    /// What is left of each ink's white.
    Cmyk,
}

/// Width and height that the header states.
pub(super) fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    let header = Bytes(bytes);
    Some((header.u32_be(18).ok()?, header.u32_be(14).ok()?))
}

/// Decodes the merged picture, which Photoshop keeps beside the layers.
pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<Layer, ImageError> {
    let file = Bytes(bytes);
    let (width, height) = dimensions(bytes).ok_or_else(truncated)?;
    check_size(width.into(), height.into(), options)?;
    let (version, channels) = (file.u16_be(4)?, file.u16_be(12)?);
    let (bits, mode) = (file.u16_be(22)?, file.u16_be(24)?);
    let (colours, count) = match (version, bits, mode) {
        (1, 8, 1 | 7 | 8) => (Colours::Grey, 1),
        (1, 8, 2) => (Colours::Palette, 1),
        (1, 8, 3) if channels == 4 => (Colours::Rgba, 4),
        (1, 8, 3) => (Colours::Rgb, 3),
        (1, 8, 4) => (Colours::Cmyk, 4),
        _ => {
            let message = format!(
                "a Photoshop document of a kind that is unsupported (version {version}, mode {mode}, {bits} bits)"
            );
            return Err(ImageError::decode(message));
        }
    };
    if channels < count {
        return Err(ImageError::decode("damaged PSD: not enough channels"));
    }
    // The palette, what is said of the document, and its layers.
    let mut at = HEADER_BYTES;
    let mut palette: &[u8] = &[];
    for section in 0..3 {
        let length = file.u32_be(at)? as usize;
        if section == 0 {
            palette = file.range(at + 4, length)?;
        }
        at = at.saturating_add(4).saturating_add(length);
    }
    let total = width as usize * height as usize;
    reserve(usize::from(count) as u64 * total as u64)?;
    let (at, packing) = (at.saturating_add(2), file.u16_be(at)?);
    let samples = match packing {
        0 => file.range(at, usize::from(count) * total)?.to_vec(),
        1 => {
            let rows = usize::from(count) * height as usize;
            // The lengths of the rows of all channels come first, also of those that are left out.
            let lengths = file.range(at, 2 * rows)?.as_chunks::<2>().0;
            let all = 2 * usize::from(channels) * height as usize;
            let mut at = at.saturating_add(all);
            let mut samples = Vec::new();
            for &length in lengths {
                let length = usize::from(u16::from_be_bytes(length));
                unpack(file.range(at, length)?, width as usize, &mut samples)?;
                at += length;
            }
            samples
        }
        _ => {
            let message =
                "a Photoshop document of a kind that is unsupported (its pixels are zipped)";
            return Err(ImageError::decode(message));
        }
    };
    let channel = |c: usize, i: usize| samples[c * total + i];
    let shade = |index: u8, c: usize| {
        let part = palette.get(c * PALETTE_BYTES / 3 + usize::from(index));
        part.copied().unwrap_or_default()
    };
    let pixel = |i: usize| match colours {
        Colours::Grey => [channel(0, i); 3],
        Colours::Palette => [0, 1, 2].map(|c| shade(channel(0, i), c)),
        Colours::Rgb | Colours::Rgba => [0, 1, 2].map(|c| channel(c, i)),
        Colours::Cmyk => cmyk_to_rgb([0, 1, 2, 3].map(|c| 255 - channel(c, i))),
    };
    let pixels = RgbImage::from_raw(width, height, (0..total).flat_map(pixel).collect());
    Ok(Layer {
        pixels: pixels.ok_or_else(truncated)?,
        alpha: matches!(colours, Colours::Rgba).then(|| samples[3 * total..].to_vec()),
    })
}

/// Appends a row of PackBits' runs.
fn unpack(packed: &[u8], width: usize, samples: &mut Vec<u8>) -> Result<(), ImageError> {
    let end = samples.len() + width;
    let mut rest = packed;
    while samples.len() < end {
        let (&head, behind) = rest.split_first().ok_or_else(truncated)?;
        let room = end - samples.len();
        rest = match head {
            0..=127 => {
                let count = usize::from(head) + 1;
                let (stored, behind) = behind.split_at_checked(count).ok_or_else(truncated)?;
                samples.extend_from_slice(&stored[..count.min(room)]);
                behind
            }
            // No run.
            128 => behind,
            _ => {
                let (&value, behind) = behind.split_first().ok_or_else(truncated)?;
                let count = 257 - usize::from(head);
                samples.extend(std::iter::repeat_n(value, count.min(room)));
                behind
            }
        };
    }
    Ok(())
}
