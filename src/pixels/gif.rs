//! The first frame of a GIF, as Pillow shows it: a transparent pixel keeps the colour that
//! the palette has for it, where a compositing decoder would make it black.

use image::RgbImage;

use super::limits::{DecodeOptions, check_size};
use crate::error::{ImageError, ImageErrorKind};

/// Decodes the first frame onto the canvas.
pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<RgbImage, ImageError> {
    let mut settings = gif::DecodeOptions::new();
    settings.set_color_output(gif::ColorOutput::Indexed);
    let limit = std::num::NonZeroU64::new(options.max_pixels);
    settings.set_memory_limit(limit.map_or(gif::MemoryLimit::Unlimited, gif::MemoryLimit::Bytes));
    let mut decoder = settings.read_info(bytes).map_err(describe)?;
    let (width, height) = (decoder.width(), decoder.height());
    check_size(width.into(), height.into(), options)?;
    let global = decoder.global_palette().map(<[u8]>::to_vec);
    let frame = match decoder.read_next_frame().map_err(describe)? {
        Some(frame) => frame,
        None => return Err(ImageError::decode("a GIF without a frame")),
    };

    // What the frame leaves uncovered has the transparent index, else 0.
    let (canvas_width, canvas_height) = (usize::from(width), usize::from(height));
    let mut canvas = vec![frame.transparent.unwrap_or(0); canvas_width * canvas_height];
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let visible = usize::from(frame.width).min(canvas_width.saturating_sub(left));
    let rows = frame.buffer.chunks_exact(usize::from(frame.width).max(1));
    for (row, line) in rows.zip(canvas.chunks_exact_mut(canvas_width).skip(top)) {
        if visible > 0 {
            line[left..left + visible].copy_from_slice(&row[..visible]);
        }
    }

    let palette = frame.palette.as_deref().or(global.as_deref());
    let colour = |index: u8| match palette {
        Some(palette) => {
            let start = 3 * usize::from(index);
            palette
                .get(start..start + 3)
                .map_or([0; 3], |c| [c[0], c[1], c[2]])
        }
        None => [index; 3],
    };
    let pixels = canvas.into_iter().flat_map(colour).collect();
    RgbImage::from_raw(width.into(), height.into(), pixels)
        .ok_or_else(|| ImageError::decode("a GIF without pixels"))
}

fn describe(error: gif::DecodingError) -> ImageError {
    match error {
        gif::DecodingError::Io(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            ImageError::decode("the file is truncated")
        }
        gif::DecodingError::MemoryLimit => ImageError::new(
            ImageErrorKind::Limit,
            "a frame is larger than the pixel limit",
        ),
        other => ImageError::decode(format!("damaged GIF: {other}")),
    }
}
