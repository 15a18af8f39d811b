//! The first frame of an animated WebP, as libwebp shows it: its pixels as they are, on a transparent canvas.
//! The image crate blends the frame with the canvas, which makes opaque pixels a level darker and transparent
//! ones black.

use image::RgbImage;

use super::bytes::Bytes;
use super::format::PictureFormat;
use super::image_crate;
use super::layer::Layer;
use super::limits::{DecodeOptions, check_size};
use super::riff::Chunks;
use crate::error::ImageError;

const RIFF_HEADER_BYTES: usize = 12;
/// Bits of the extended header's first byte.
const IS_ANIMATED: u8 = 0x02;
const HAS_ALPHA: u8 = 0x10;
/// What stands before a frame's own chunks.
const FRAME_HEADER_BYTES: usize = 16;

/// Decodes a picture, or the first frame of an animation onto the canvas.
pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<Layer, ImageError> {
    let mut chunks = Chunks::new(bytes.get(RIFF_HEADER_BYTES..).unwrap_or_default());
    let canvas = match chunks.next() {
        Some((b"VP8X", header)) if header.first().is_some_and(|flags| flags & IS_ANIMATED != 0) => {
            let header = Bytes(header);
            (1 + u24(header.array(4)?), 1 + u24(header.array(7)?))
        }
        _ => return image_crate::decode(bytes, PictureFormat::WebP, options),
    };
    check_size(canvas.0 as u64, canvas.1 as u64, options)?;
    let frame = chunks.find(|(kind, _)| *kind == b"ANMF");
    let (_, frame) = frame.ok_or_else(|| ImageError::decode("a WebP without a frame"))?;
    let header = Bytes(frame);
    let at = |i| header.array(i).map(u24);
    let (left, top) = (2 * at(0)?, 2 * at(3)?);
    let (width, height) = (1 + at(6)?, 1 + at(9)?);
    if left + width > canvas.0 || top + height > canvas.1 {
        return Err(ImageError::decode(
            "damaged WebP: a frame beyond its canvas",
        ));
    }
    let still = as_picture(
        frame.get(FRAME_HEADER_BYTES..).unwrap_or_default(),
        width,
        height,
    );
    let still = image_crate::decode(&still, PictureFormat::WebP, options)?;
    if (
        still.pixels.width() as usize,
        still.pixels.height() as usize,
    ) != (width, height)
    {
        return Err(ImageError::decode(
            "damaged WebP: a frame of another size than it says",
        ));
    }

    let is_covered = (width, height) == canvas;
    if is_covered {
        return Ok(still);
    }
    let mut pixels = RgbImage::new(canvas.0 as u32, canvas.1 as u32);
    let mut alpha = vec![0; canvas.0 * canvas.1];
    let (colours, _) = pixels.as_chunks_mut::<3>();
    let (own_colours, _) = still.pixels.as_chunks::<3>();
    for y in 0..height {
        let start = (top + y) * canvas.0 + left;
        let from = y * width..(y + 1) * width;
        let to = start..start + width;
        colours[to.clone()].copy_from_slice(&own_colours[from.clone()]);
        match &still.alpha {
            Some(own) => alpha[to].copy_from_slice(&own[from]),
            None => alpha[to].fill(255),
        }
    }
    Ok(Layer {
        pixels,
        alpha: Some(alpha),
    })
}

/// A file that has a frame's chunks for its only picture.
fn as_picture(frame: &[u8], width: usize, height: usize) -> Vec<u8> {
    let mut body = b"WEBP".to_vec();
    let mut chunks: Vec<_> = Chunks::new(frame).collect();
    chunks.retain(|&(kind, _)| matches!(kind, b"ALPH" | b"VP8 " | b"VP8L"));
    if chunks.iter().any(|(kind, _)| *kind == b"ALPH") {
        let side = |side: usize| ((side - 1) as u32).to_le_bytes();
        let (width, height) = (side(width), side(height));
        body.extend(b"VP8X\x0a\0\0\0");
        body.extend([HAS_ALPHA, 0, 0, 0]);
        body.extend(&width[..3]);
        body.extend(&height[..3]);
    }
    for (kind, data) in chunks {
        body.extend(kind);
        body.extend((data.len() as u32).to_le_bytes());
        body.extend(data);
        body.extend(&[0][..data.len() % 2]);
    }
    let length = (body.len() as u32).to_le_bytes();
    [b"RIFF", &length, &body[..]].concat()
}

fn u24([a, b, c]: [u8; 3]) -> usize {
    usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16
}
