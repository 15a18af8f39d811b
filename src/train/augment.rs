//! Pictures as they are shown in training: never twice the same.

use image::RgbImage;
use image::imageops::crop_imm;

use crate::error::{Error, Result};
use crate::pixels::{Pixels, Preprocessing};
use crate::random::Random;

/// Shapes of a random part, width to height.
const RATIOS: (f64, f64) = (3.0 / 4.0, 4.0 / 3.0);
/// How often a part that fits is looked for.
const TRIES: usize = 10;
/// Rec. 601's weights of red, green and blue, as Pillow's grey has them.
const GREY: [f32; 3] = [0.299, 0.587, 0.114];

/// How pictures are varied in training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Augmentation {
    /// The least part of a picture's area that is cut out to be shown, of any place and of a
    /// shape from 3:4 to 4:3. With 1 a picture is shown as the checkpoint's recipe has it.
    pub least_area: f64,
    /// Whether half of the pictures are mirrored.
    pub flip: bool,
    /// By which part brightness, contrast and saturation go up or down at most.
    pub colour: f64,
}

impl Default for Augmentation {
    fn default() -> Self {
        Self {
            least_area: 0.35,
            flip: true,
            colour: 0.2,
        }
    }
}

impl Augmentation {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] names what is out of range.
    pub fn validate(&self) -> Result<()> {
        if !(self.least_area >= 0.01 && self.least_area <= 1.0) {
            let message = "the least area of a crop has to be from 0.01 to 1";
            return Err(Error::config("least_area", message));
        }
        if !(self.colour >= 0.0 && self.colour < 1.0) {
            let message = "the change of colours has to be from 0 to less than 1";
            return Err(Error::config("colour", message));
        }
        Ok(())
    }

    /// A picture as it is shown once, at the size of a recipe.
    pub(super) fn apply(
        &self,
        picture: &RgbImage,
        recipe: &Preprocessing,
        random: &mut Random,
    ) -> Pixels {
        let mut shown = match self.least_area < 1.0 {
            true => self.part(picture, recipe, random),
            false => recipe.apply(picture),
        };
        if self.flip && random.below(2) == 1 {
            shown.mirror();
        }
        if self.colour > 0.0 {
            let mut factor = || random.between(1.0 - self.colour, 1.0 + self.colour) as f32;
            let (brightness, contrast, saturation) = (factor(), factor(), factor());
            scale_from(&mut shown, brightness, |_| 0.0);
            let mean = mean_grey(&shown);
            scale_from(&mut shown, contrast, |_| mean);
            scale_from(&mut shown, saturation, grey);
        }
        shown
    }

    /// A random part, resized, as torchvision's `RandomResizedCrop` chooses it.
    fn part(&self, picture: &RgbImage, recipe: &Preprocessing, random: &mut Random) -> Pixels {
        let (width, height) = picture.dimensions();
        let area = f64::from(width) * f64::from(height);
        let (low, high) = (RATIOS.0.ln(), RATIOS.1.ln());
        let mut chosen = None;
        for _ in 0..TRIES {
            let area = area * random.between(self.least_area, 1.0);
            let ratio = random.between(low, high).exp();
            let w = (area * ratio).sqrt().round_ties_even() as u32;
            let h = (area / ratio).sqrt().round_ties_even() as u32;
            if (1..=width).contains(&w) && (1..=height).contains(&h) {
                let y = random.below((height - h + 1) as usize) as u32;
                let x = random.below((width - w + 1) as usize) as u32;
                chosen = Some((x, y, w, h));
                break;
            }
        }
        let (x, y, w, h) = chosen.unwrap_or_else(|| middle(width, height));
        let part = crop_imm(picture, x, y, w, h).to_image();
        recipe.squashed(&part)
    }
}

/// The middle of a picture, as much of it as has an allowed shape.
fn middle(width: u32, height: u32) -> (u32, u32, u32, u32) {
    let (wide, high) = (f64::from(width), f64::from(height));
    let ratio = wide / high;
    let w = if ratio > RATIOS.1 {
        (high * RATIOS.1).round_ties_even() as u32
    } else {
        width
    };
    let h = if ratio < RATIOS.0 {
        (wide / RATIOS.0).round_ties_even() as u32
    } else {
        height
    };
    let (w, h) = (w.clamp(1, width), h.clamp(1, height));
    ((width - w) / 2, (height - h) / 2, w, h)
}

/// Brings each sample nearer to a value of its pixel, or farther from it, by a factor.
fn scale_from(image: &mut Pixels, factor: f32, from: impl Fn([f32; 3]) -> f32) {
    image.change(|pixel| {
        let from = from(pixel);
        pixel.map(|x| from + factor * (x - from))
    });
}

fn grey(pixel: [f32; 3]) -> f32 {
    pixel.iter().zip(GREY).map(|(x, weight)| x * weight).sum()
}

/// The mean of the greys, rounded, as torchvision takes it from an image.
fn mean_grey(image: &Pixels) -> f32 {
    image.mean(grey).round() as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels::AsPixels;
    use crate::random::Purpose;

    fn picture(width: u32, height: u32) -> RgbImage {
        let pixel = |x, y| image::Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, 60]);
        RgbImage::from_fn(width, height, pixel)
    }

    fn random(item: usize) -> Random {
        Random::new(1, Purpose::Augmentation, 0, item)
    }

    #[test]
    fn without_any_of_it_a_picture_is_as_the_recipe_has_it() {
        let none = Augmentation {
            least_area: 1.0,
            flip: false,
            colour: 0.0,
        };
        let (picture, recipe) = (picture(90, 70), Preprocessing::center(32));
        assert_eq!(
            none.apply(&picture, &recipe, &mut random(0)),
            recipe.apply(&picture)
        );
        let flip = Augmentation { flip: true, ..none };
        let mut mirrored = recipe.apply(&picture);
        mirrored.mirror();
        let shown: Vec<_> = (0..40)
            .map(|i| flip.apply(&picture, &recipe, &mut random(i)))
            .collect();
        let turned = shown.iter().filter(|s| **s == mirrored).count();
        assert!((8..32).contains(&turned), "{turned}");
        assert!(
            shown
                .iter()
                .all(|s| *s == mirrored || *s == recipe.apply(&picture))
        );
    }

    #[test]
    fn parts_are_of_any_place_and_of_no_less_than_the_least_area() {
        // The red of a column and the green of a row tell where a part was.
        let crop = Augmentation {
            least_area: 0.25,
            flip: false,
            colour: 0.0,
        };
        let (picture, recipe) = (picture(200, 200), Preprocessing::center(32));
        let mut areas = Vec::new();
        let mut lefts = Vec::new();
        for i in 0..200 {
            let Pixels::Bytes(shown) = crop.apply(&picture, &recipe, &mut random(i)) else {
                panic!("a recipe of bytes");
            };
            let span = |from: u8, to: u8| (f64::from(to) - f64::from(from)) / 255.0 * 32.0 / 31.0;
            let width = span(shown[(0, 0)][0], shown[(31, 0)][0]);
            let height = span(shown[(0, 0)][1], shown[(0, 31)][1]);
            areas.push(width * height);
            lefts.push(shown[(0, 0)][0]);
            let ratio = width / height;
            assert!((0.7..1.42).contains(&ratio), "{ratio}");
        }
        let least = areas.iter().copied().fold(1.0, f64::min);
        let mean = areas.iter().sum::<f64>() / 200.0;
        assert!(
            (0.2..0.35).contains(&least) && (0.5..0.75).contains(&mean),
            "{least} {mean}"
        );
        assert!(lefts.iter().any(|&x| x < 5) && lefts.iter().any(|&x| x > 80));
    }

    #[test]
    fn pictures_of_any_shape_are_taken() {
        let all = Augmentation::default();
        for (width, height) in [(1, 1), (1, 300), (300, 1), (2, 3)] {
            for i in 0..5 {
                let shown = all.apply(
                    &picture(width, height),
                    &Preprocessing::center(32),
                    &mut random(i),
                );
                assert_eq!(shown.size(), (32, 32));
            }
        }
        assert_eq!(middle(100, 1000), (0, 433, 100, 133));
        assert_eq!(middle(1000, 100), (433, 0, 133, 100));
    }

    #[test]
    fn colours_change_as_torchvision_changes_them() {
        let mut image: Pixels = RgbImage::from_pixel(1, 1, image::Rgb([200, 100, 40])).into();
        scale_from(&mut image, 1.5, |_| 0.0);
        assert_eq!(image.to_floats(), [255.0, 150.0, 60.0]);
        // The grey of (255, 150, 60) is 171.135.
        scale_from(&mut image, 0.5, grey);
        assert_eq!(image.to_floats(), [213.0, 161.0, 116.0]);
        let mut image = RgbImage::from_pixel(2, 1, image::Rgb([213, 161, 116]));
        image.put_pixel(1, 0, image::Rgb([0, 0, 0]));
        let mut image = Pixels::from(image);
        // And of (213, 161, 116) it is 171.418, so that the mean is 86.
        assert_eq!(mean_grey(&image), 86.0);
        scale_from(&mut image, 2.0, |_| 86.0);
        assert_eq!(image.to_floats(), [255.0, 236.0, 146.0, 0.0, 0.0, 0.0]);
    }
}
