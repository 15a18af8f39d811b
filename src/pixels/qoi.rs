//! QOI.

use image::RgbImage;

use super::bytes::{Bytes, truncated};
use super::layer::Layer;
use super::limits::{DecodeOptions, check_size, reserve};
use crate::error::ImageError;

const HEADER_BYTES: usize = 14;
/// Channels of a file that has an alpha.
const WITH_ALPHA: u8 = 4;

/// Width and height that the header states.
pub(super) fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    let header = Bytes(bytes);
    Some((header.u32_be(4).ok()?, header.u32_be(8).ok()?))
}

/// Decodes a picture as it is stored.
pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<Layer, ImageError> {
    let (width, height) = dimensions(bytes).ok_or_else(truncated)?;
    check_size(width.into(), height.into(), options)?;
    let [channels, _] = Bytes(bytes).array(HEADER_BYTES - 2)?;
    let total = width as usize * height as usize;
    reserve(4 * total as u64)?;
    let mut pixels: Vec<[u8; 3]> = Vec::with_capacity(total);
    let mut alphas = Vec::with_capacity(if channels == WITH_ALPHA { total } else { 0 });
    let mut rest = bytes[HEADER_BYTES..].iter().copied();
    let mut next = || rest.next().ok_or_else(truncated);
    // Those that were there, by a digest of theirs.
    let mut seen = [[0; 4]; 64];
    let mut pixel = [0, 0, 0, 255];
    while pixels.len() < total {
        let byte = next()?;
        let low = byte & 0x3f;
        let mut run = 1;
        let [r, g, b, a] = pixel;
        pixel = match (byte, byte >> 6) {
            (0xfe, _) => [next()?, next()?, next()?, a],
            (0xff, _) => [next()?, next()?, next()?, next()?],
            (_, 0) => seen[usize::from(low)],
            (_, 1) => {
                let moved = |value: u8, by: u8| value.wrapping_add(by & 3).wrapping_sub(2);
                [moved(r, low >> 4), moved(g, low >> 2), moved(b, low), a]
            }
            (_, 2) => {
                let second = next()?;
                let green = low.wrapping_sub(32);
                let moved =
                    |value: u8, by: u8| value.wrapping_add(green).wrapping_add(by).wrapping_sub(8);
                [
                    moved(r, second >> 4),
                    g.wrapping_add(green),
                    moved(b, second & 15),
                    a,
                ]
            }
            _ => {
                run = usize::from(low) + 1;
                pixel
            }
        };
        let [r, g, b, a] = pixel;
        let digest = [(r, 3), (g, 5), (b, 7), (a, 11)].map(|(value, by)| usize::from(value) * by);
        seen[digest.iter().sum::<usize>() % 64] = pixel;
        let run = run.min(total - pixels.len());
        pixels.extend(std::iter::repeat_n([r, g, b], run));
        if channels == WITH_ALPHA {
            alphas.extend(std::iter::repeat_n(a, run));
        }
    }
    let pixels = RgbImage::from_raw(width, height, pixels.into_flattened());
    Ok(Layer {
        pixels: pixels.ok_or_else(truncated)?,
        alpha: (channels == WITH_ALPHA).then_some(alphas),
    })
}
