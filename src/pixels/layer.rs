//! Pixels as they are stored, with what they let through.

use image::RgbImage;

/// Pixels as they are stored.
pub(super) struct Layer {
    /// 8-bit RGB, as it is without its alpha.
    pub pixels: RgbImage,
    /// How opaque each pixel is, in rows, 255 where nothing shows through. `None` where all are, where
    /// the file says nothing of it, or where there is no background for it.
    pub alpha: Option<Vec<u8>>,
}

impl From<RgbImage> for Layer {
    fn from(pixels: RgbImage) -> Self {
        Self {
            pixels,
            alpha: None,
        }
    }
}

impl Layer {
    /// The pixels in front of a colour, with Pillow's rounding (`Image.paste` with a mask,
    /// `Image.alpha_composite`). Without one they are as they are.
    pub fn over(mut self, background: Option<[u8; 3]>) -> RgbImage {
        let (Some(alpha), Some(background)) = (self.alpha, background) else {
            return self.pixels;
        };
        let (pixels, _) = self.pixels.as_chunks_mut::<3>();
        for (pixel, alpha) in pixels.iter_mut().zip(alpha) {
            for (colour, behind) in pixel.iter_mut().zip(background) {
                *colour = blended(*colour, behind, alpha);
            }
        }
        self.pixels
    }
}

/// A colour of this opacity in front of another.
fn blended(colour: u8, behind: u8, alpha: u8) -> u8 {
    let [colour, behind, alpha] = [colour, behind, alpha].map(u32::from);
    let sum = behind * (255 - alpha) + colour * alpha + 128;
    // A division by 255.
    (((sum >> 8) + sum) >> 8) as u8
}
