//! From luma and chroma to 8-bit RGB, by libheif's arithmetic, to its very bytes.

use super::super::heif::{Chroma, ColourCoding, Planes, unread};
use crate::error::ImageError;
use crate::pixels::heif::{Plane, matrix};

/// What takes chroma to the three colours.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Coefficients {
    red_of_cr: f32,
    green_of_cb: f32,
    green_of_cr: f32,
    blue_of_cb: f32,
}

impl Coefficients {
    /// BT.601, with as many digits as libheif writes, for what has no matrix of its own.
    const DEFAULT: Self = Self {
        red_of_cr: 1.402,
        green_of_cb: -0.344136,
        green_of_cr: -0.714136,
        blue_of_cb: 1.772,
    };

    fn new(coding: Option<ColourCoding>) -> Self {
        let weights = coding.and_then(|coding| matrix::weights(coding.matrix, coding.primaries));
        let Some((red, blue)) = weights else {
            return Self::DEFAULT;
        };
        let green = blue + red - 1.0;
        Self {
            red_of_cr: 2.0 * (1.0 - red),
            green_of_cb: 2.0 * blue * (1.0 - blue) / green,
            green_of_cr: 2.0 * red * (1.0 - red) / green,
            blue_of_cb: 2.0 * (1.0 - blue),
        }
    }
}

/// 8-bit RGB, row by row.
///
/// # Errors
/// Of a matrix that libheif has no arithmetic for either.
pub(super) fn to_rgb(planes: &Planes, coding: Option<ColourCoding>) -> Result<Vec<u8>, ImageError> {
    let is_full_range = coding.is_some_and(|coding| coding.is_full_range);
    let matrix = coding.map_or(matrix::UNKNOWN, |coding| coding.matrix);
    let coefficients = Coefficients::new(coding);
    match (planes.chroma, matrix) {
        (Chroma::None, _) => Ok(grey(planes)),
        (_, matrix::IDENTITY) => Ok(identity(planes, is_full_range)),
        (_, matrix::YCGCO) if planes.depth == 8 => Ok(green_and_orange(planes)),
        (_, matrix::YCGCO | matrix::YDZDX | matrix::ICTCP | matrix::YCGCO_RE..) => {
            Err(unread(&format!("colours by matrix {matrix}")))
        }
        (Chroma::Quarter, _) if is_full_range => Ok(integers(planes, coefficients)),
        _ => Ok(floats(planes, coefficients, is_full_range)),
    }
}

/// Range is left as it is.
fn grey(planes: &Planes) -> Vec<u8> {
    let down = planes.depth - 8;
    let samples = planes.planes[0].samples.iter();
    samples
        .flat_map(|&luma| [(luma >> down) as u8; 3])
        .collect()
}

/// Full range with a quarter of chroma, as phones write it. Deeper samples are cut to 8 bits first.
fn integers(planes: &Planes, coefficients: Coefficients) -> Vec<u8> {
    let whole = |coefficient: f32| (256.0 * coefficient).round() as i32;
    let red_of_cr = whole(coefficients.red_of_cr);
    let green_of_cb = whole(coefficients.green_of_cb);
    let green_of_cr = whole(coefficients.green_of_cr);
    let blue_of_cb = whole(coefficients.blue_of_cb);
    let down = planes.depth - 8;
    let [luma, cb, cr] = &planes.planes;
    let mut pixels = vec![0; 3 * luma.samples.len()];
    let mut offsets = vec![[0; 3]; cb.width];
    let rows = pixels.chunks_exact_mut(3 * luma.width.max(1));
    for (y, row) in rows.enumerate() {
        if y % 2 == 0 {
            let chroma = cb.row(y / 2).iter().zip(cr.row(y / 2));
            for (offset, (&cb, &cr)) in offsets.iter_mut().zip(chroma) {
                let (cb, cr) = (i32::from(cb >> down) - 128, i32::from(cr >> down) - 128);
                *offset = [
                    (red_of_cr * cr + 128) >> 8,
                    (green_of_cb * cb + green_of_cr * cr + 128) >> 8,
                    (blue_of_cb * cb + 128) >> 8,
                ];
            }
        }
        let pairs = row.chunks_mut(6).zip(luma.row(y).chunks(2));
        for ((pixels, lumas), offset) in pairs.zip(&offsets) {
            for (pixel, &luma) in pixels.chunks_exact_mut(3).zip(lumas) {
                let luma = i32::from(luma >> down);
                for (colour, offset) in pixel.iter_mut().zip(offset) {
                    *colour = (luma + offset).clamp(0, 255) as u8;
                }
            }
        }
    }
    pixels
}

/// All else: at the samples' own depth, of which the high bits are taken then.
fn floats(planes: &Planes, coefficients: Coefficients, is_full_range: bool) -> Vec<u8> {
    // libheif's constants for 255/219, which is 1.1644, and for 255/224, which is 1.1384.
    let (luma_scale, chroma_scale) = (1.1689, 1.1429);
    let black = if is_full_range {
        0.0
    } else {
        (16 << (planes.depth - 8)) as f32
    };
    let middle = 1 << (planes.depth - 1);
    let Coefficients {
        red_of_cr,
        green_of_cb,
        green_of_cr,
        blue_of_cb,
    } = coefficients;
    each_pixel(planes, |[luma, cb, cr]| {
        let mut luma = f32::from(luma);
        let [mut cb, mut cr] = [cb, cr].map(|sample| (i32::from(sample) - middle) as f32);
        if !is_full_range {
            luma = (luma - black) * luma_scale;
            cb *= chroma_scale;
            cr *= chroma_scale;
        }
        [
            luma + red_of_cr * cr,
            luma + green_of_cb * cb + green_of_cr * cr,
            luma + blue_of_cb * cb,
        ]
    })
}

/// Planes that are green, blue and red already.
fn identity(planes: &Planes, is_full_range: bool) -> Vec<u8> {
    let black = (16 << (planes.depth - 8)) as f32;
    each_pixel(planes, |[green, blue, red]| {
        let [red, green, blue] = [red, green, blue].map(f32::from);
        if is_full_range {
            [red, green, blue]
        } else {
            // libheif scales red and blue as it does chroma.
            [
                (red - black) * 1.1429,
                (green - black) * 1.1689,
                (blue - black) * 1.1429,
            ]
        }
    })
}

/// Luma with chroma of green and orange, always of full range to libheif.
fn green_and_orange(planes: &Planes) -> Vec<u8> {
    each_pixel(planes, |samples| {
        let [luma, cg, co] = samples.map(f32::from);
        let (cg, co) = (cg - 128.0, co - 128.0);
        [luma - cg + co, luma + cg, luma - cg - co]
    })
}

/// Each pixel by a formula, at the samples' depth; chroma is that of the nearest sample.
fn each_pixel(planes: &Planes, formula: impl Fn([u16; 3]) -> [f32; 3]) -> Vec<u8> {
    let most = (1 << planes.depth) - 1;
    let down = planes.depth - 8;
    let (across, below) = planes.chroma.shifts();
    let [luma, cb, cr] = &planes.planes;
    let mut pixels = Vec::with_capacity(3 * luma.samples.len());
    for y in 0..luma.height {
        let (cb, cr) = (cb.row(y >> below), cr.row(y >> below));
        for (x, &luma) in luma.row(y).iter().enumerate() {
            let colours = formula([luma, cb[x >> across], cr[x >> across]]);
            pixels
                .extend(colours.map(|value| (((value + 0.5) as i32).clamp(0, most) >> down) as u8));
        }
    }
    pixels
}

/// As many samples of chroma as of luma, halfway between those that there are, as libheif makes
/// them before it turns what can't be turned as it is.
pub(super) fn with_full_chroma(mut planes: Planes) -> Planes {
    let [luma, chroma @ ..] = &mut planes.planes;
    let (width, height) = (luma.width, luma.height);
    for plane in chroma {
        *plane = match planes.chroma {
            Chroma::Quarter => between_both(plane, width, height),
            Chroma::Half => between_columns(plane, width),
            Chroma::None | Chroma::Full => return planes,
        };
    }
    planes.chroma = Chroma::Full;
    planes
}

fn between_columns(plane: &Plane, width: usize) -> Plane {
    let mut full = Plane::new(width, plane.height);
    for y in 0..plane.height {
        let from = plane.row(y);
        let into = full.row_mut(y);
        into[0] = from[0];
        if width.is_multiple_of(2) {
            into[width - 1] = from[width / 2 - 1];
        }
        for (pair, two) in into[1..].chunks_exact_mut(2).zip(from.windows(2)) {
            let [left, right] = [two[0], two[1]].map(u32::from);
            pair[0] = ((3 * left + right + 2) / 4) as u16;
            pair[1] = ((left + 3 * right + 2) / 4) as u16;
        }
    }
    full
}

fn between_both(plane: &Plane, width: usize, height: usize) -> Plane {
    let mut full = Plane::new(width, height);
    let at = |x: usize, y: usize| u32::from(plane.row(y)[x]);
    let nearer = |near: u32, far: u32| ((3 * near + far + 2) / 4) as u16;
    // Pairs that lie between two samples.
    let (across, down) = ((width - 1) / 2, (height - 1) / 2);
    let edges = [(0, 0)].into_iter().chain(
        height
            .is_multiple_of(2)
            .then_some((height - 1, height / 2 - 1)),
    );
    for (row, from) in edges {
        full.row_mut(row)[0] = at(0, from) as u16;
        for pair in 0..across {
            let (left, right) = (at(pair, from), at(pair + 1, from));
            full.row_mut(row)[2 * pair + 1] = nearer(left, right);
            full.row_mut(row)[2 * pair + 2] = nearer(right, left);
        }
        if width.is_multiple_of(2) {
            full.row_mut(row)[width - 1] = at(width / 2 - 1, from) as u16;
        }
    }
    let edges = [(0, 0)].into_iter().chain(
        width
            .is_multiple_of(2)
            .then_some((width - 1, width / 2 - 1)),
    );
    for (column, from) in edges {
        for pair in 0..down {
            let (above, below) = (at(from, pair), at(from, pair + 1));
            full.row_mut(2 * pair + 1)[column] = nearer(above, below);
            full.row_mut(2 * pair + 2)[column] = nearer(below, above);
        }
    }
    for y in 0..down {
        for x in 0..across {
            let corners = [at(x, y), at(x + 1, y), at(x, y + 1), at(x + 1, y + 1)];
            let mixed = |weights: [u32; 4]| {
                let products = corners
                    .iter()
                    .zip(weights)
                    .map(|(corner, weight)| corner * weight);
                ((products.sum::<u32>() + 8) / 16) as u16
            };
            let (above, below) = (2 * y + 1, 2 * y + 2);
            full.row_mut(above)[2 * x + 1] = mixed([9, 3, 3, 1]);
            full.row_mut(above)[2 * x + 2] = mixed([3, 9, 1, 3]);
            full.row_mut(below)[2 * x + 1] = mixed([3, 1, 9, 3]);
            full.row_mut(below)[2 * x + 2] = mixed([1, 3, 3, 9]);
        }
    }
    full
}
