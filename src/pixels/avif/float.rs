//! libavif's own arithmetic, for the matrices that libyuv has none for.

use super::super::heif::{Chroma, ColourCoding, Planes, matrix, unread};
use crate::error::ImageError;

/// 8-bit RGB, row by row.
///
/// # Errors
/// Of a matrix that libavif has no arithmetic for either.
pub(super) fn to_rgb(planes: &Planes, coding: ColourCoding) -> Result<Vec<u8>, ImageError> {
    let formula = Formula::new(planes, coding)?;
    let most = (1 << planes.depth) - 1;
    let depth = planes.depth - 8;
    let (luma_black, luma_range, chroma_range) = if coding.is_full_range {
        (0, most, most)
    } else {
        (16 << depth, 219 << depth, 224 << depth)
    };
    let middle = 1 << (planes.depth - 1);
    let table = |black: i32, range: i32| -> Vec<f32> {
        let value = |sample: i32| (sample as f32 - black as f32) / range as f32;
        (0..=most).map(value).collect()
    };
    let luma_of = table(luma_black, luma_range);
    let chroma_of = match formula {
        Formula::Identity => luma_of.clone(),
        _ => table(middle, chroma_range),
    };
    let [luma, cb, cr] = &planes.planes;
    let (width, height) = (luma.width, luma.height);
    let mut pixels = Vec::with_capacity(3 * width * height);
    for y in 0..height {
        for (x, &sample) in luma.row(y).iter().enumerate() {
            let [cb, cr] = [cb, cr].map(|plane| {
                let at =
                    |x: usize, y: usize| chroma_of[usize::from(plane.row(y)[x]).min(most as usize)];
                let (across, down) = planes.chroma.shifts();
                let (near_x, near_y) = (x >> across, y >> down);
                if planes.chroma == Chroma::Full {
                    return at(near_x, near_y);
                }
                let far_x = neighbour(x, width, true);
                let far_y = neighbour(y, height, down > 0);
                at(near_x, near_y) * (9.0 / 16.0)
                    + at(far_x, near_y) * (3.0 / 16.0)
                    + at(near_x, far_y) * (3.0 / 16.0)
                    + at(far_x, far_y) * (1.0 / 16.0)
            });
            let colours = formula.colours(luma_of[usize::from(sample).min(most as usize)], cb, cr);
            pixels.extend(colours.map(|colour| (0.5 + colour.clamp(0.0, 1.0) * 255.0) as u8));
        }
    }
    Ok(pixels)
}

/// The sample of chroma on the far side of one of luma; at the edges the near one.
fn neighbour(at: usize, length: usize, is_halved: bool) -> usize {
    if !is_halved {
        at
    } else if at == 0 || at == length - 1 && at % 2 == 1 {
        at / 2
    } else if at % 2 == 1 {
        at / 2 + 1
    } else {
        at / 2 - 1
    }
}

/// How luma and chroma make the three colours.
enum Formula {
    Identity,
    GreenAndOrange,
    /// What red, green and blue weigh in luma.
    Weighted([f32; 3]),
}

impl Formula {
    fn new(planes: &Planes, coding: ColourCoding) -> Result<Self, ImageError> {
        let number = coding.matrix;
        let refused = || unread(&format!("colours by matrix {number}"));
        Ok(match number {
            matrix::IDENTITY if planes.chroma == Chroma::Full => Self::Identity,
            matrix::YCGCO if coding.is_full_range => Self::GreenAndOrange,
            // Those of constant luminance are no weighted sums.
            10 | 13 => return Err(refused()),
            _ => {
                let (red, blue) = matrix::weights(number, coding.primaries).ok_or_else(refused)?;
                Self::Weighted([red, 1.0 - red - blue, blue])
            }
        })
    }

    fn colours(&self, luma: f32, cb: f32, cr: f32) -> [f32; 3] {
        match *self {
            Self::Identity => [cr, luma, cb],
            Self::GreenAndOrange => {
                let rest = luma - cb;
                [rest + cr, luma + cb, rest - cr]
            }
            Self::Weighted([red, green, blue]) => [
                luma + (2.0 * (1.0 - red)) * cr,
                luma - (2.0 * ((red * (1.0 - red) * cr) + (blue * (1.0 - blue) * cb))) / green,
                luma + (2.0 * (1.0 - blue)) * cb,
            ],
        }
    }
}
