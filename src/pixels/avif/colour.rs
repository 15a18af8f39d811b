//! From luma and chroma to 8-bit RGB, by libyuv's arithmetic, to its very bytes on x86-64.

use super::super::heif::{Chroma, ColourCoding, Plane, Planes, matrix};
use super::float;
use crate::error::ImageError;

/// What libyuv multiplies by, in its units.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Constants {
    luma_scale: u32,
    luma_offset: i32,
    blue_of_u: i32,
    green_of_u: i32,
    green_of_v: i32,
    red_of_v: i32,
}

impl Constants {
    /// `None` for the matrices that libyuv does not know.
    fn of(coding: ColourCoding) -> Option<Self> {
        const BT709: u16 = 1;
        const BT601: [u16; 2] = [5, 6];
        const BT2020: u16 = 9;
        const OF_PRIMARIES: u16 = 12;
        let number = match (coding.matrix, coding.primaries) {
            (OF_PRIMARIES, 1 | 2) => BT709,
            (OF_PRIMARIES, primaries @ (5 | 6 | 9)) => primaries,
            (OF_PRIMARIES, _) => return None,
            (matrix::UNKNOWN, _) => BT601[0],
            (number, _) => number,
        };
        let [blue_of_u, green_of_u, green_of_v, red_of_v] = match (number, coding.is_full_range) {
            (5 | 6, true) => [113, 22, 46, 90],
            // Blue's would be 129, 135 and 137, but not to fit into a signed byte.
            (5 | 6, false) => [128, 25, 52, 102],
            (BT709, true) => [119, 12, 30, 101],
            (BT709, false) => [128, 14, 34, 115],
            (BT2020, true) => [120, 11, 37, 94],
            (BT2020, false) => [128, 12, 42, 107],
            _ => return None,
        };
        let (luma_scale, luma_offset) = match (coding.is_full_range, number) {
            (true, _) => (16320, 32),
            (false, BT2020) => (19003, -1160),
            (false, _) => (18997, -1160),
        };
        Some(Self {
            luma_scale,
            luma_offset,
            blue_of_u,
            green_of_u,
            green_of_v,
            red_of_v,
        })
    }

    /// A pixel of luma in 16 bits and chroma in 8.
    fn pixel(self, luma: u32, u: u16, v: u16) -> [u8; 3] {
        let luma = ((luma * self.luma_scale) >> 16) as i32 + self.luma_offset;
        let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
        let colours = [
            luma + self.red_of_v * v,
            luma - self.green_of_u * u - self.green_of_v * v,
            luma + self.blue_of_u * u,
        ];
        colours.map(|colour| (colour >> 6).clamp(0, 255) as u8)
    }
}

/// 8-bit RGB of a picture without transparency: deeper samples are cut to 8 bits first.
pub(super) fn to_rgb(planes: &Planes, coding: ColourCoding) -> Result<Vec<u8>, ImageError> {
    if planes.chroma == Chroma::None {
        return Ok(grey(planes, coding));
    }
    let Some(constants) = Constants::of(coding) else {
        return float::to_rgb(planes, coding);
    };
    let down = planes.depth - 8;
    let wide = |luma: u16| u32::from(luma >> down) * 0x0101;
    Ok(each_pixel(
        planes,
        constants,
        wide,
        |sample| sample >> down,
        |sample| sample,
    ))
}

/// The same of one with transparency, which libyuv has other code for, with other roundings.
pub(super) fn beside_alpha(planes: &Planes, coding: ColourCoding) -> Result<Vec<u8>, ImageError> {
    let constants = Constants::of(coding);
    let (Some(constants), 10 | 12) = (constants, planes.depth) else {
        return to_rgb(planes, coding);
    };
    match (planes.chroma, planes.depth) {
        (Chroma::None, _) | (Chroma::Half | Chroma::Full, 12) => to_rgb(planes, coding),
        (Chroma::Quarter, 12) => {
            let wide = |luma: u16| u32::from(luma << 4 | luma >> 8);
            let [luma, u, v] = &planes.planes;
            let mut pixels = Vec::with_capacity(3 * luma.samples.len());
            for y in 0..luma.height {
                let (u, v) = (u.row(y / 2), v.row(y / 2));
                for (x, &luma) in luma.row(y).iter().enumerate() {
                    pixels.extend(constants.pixel(wide(luma), u[x / 2] >> 4, v[x / 2] >> 4));
                }
            }
            Ok(pixels)
        }
        _ => {
            let wide = |luma: u16| u32::from(luma << 6 | luma >> 4);
            Ok(each_pixel(
                planes,
                constants,
                wide,
                |sample| sample,
                |sample| sample >> 2,
            ))
        }
    }
}

/// Grey is rounded, by libavif.
fn grey(planes: &Planes, coding: ColourCoding) -> Vec<u8> {
    let most = (1 << planes.depth) - 1;
    let up = planes.depth - 8;
    let (black, range) = if coding.is_full_range {
        (0, most)
    } else {
        (16 << up, 219 << up)
    };
    let shade = |sample: u16| {
        let unit = (i32::from(sample).min(most) - black) as f32 / range as f32;
        (0.5 + unit.clamp(0.0, 1.0) * 255.0) as u8
    };
    let samples = planes.planes[0].samples.iter();
    samples.flat_map(|&sample| [shade(sample); 3]).collect()
}

/// Each pixel with chroma between its samples. `before` is done to samples of chroma, `after` to
/// what lies between them.
fn each_pixel(
    planes: &Planes,
    constants: Constants,
    wide: impl Fn(u16) -> u32,
    before: impl Fn(u16) -> u16,
    after: impl Fn(u16) -> u16,
) -> Vec<u8> {
    let [luma, u, v] = &planes.planes;
    let mut pixels = vec![0; 3 * luma.samples.len()];
    let mut between = [vec![0; luma.width], vec![0; luma.width]];
    let rows = pixels.chunks_exact_mut(3 * luma.width.max(1));
    for (y, row) in rows.enumerate() {
        for (line, plane) in between.iter_mut().zip([u, v]) {
            upsample(line, plane, planes.chroma, y, &before);
            line.iter_mut().for_each(|sample| *sample = after(*sample));
        }
        let [u, v] = &between;
        let chroma = u.iter().zip(v);
        let pixels = row.as_chunks_mut::<3>().0.iter_mut();
        for ((pixel, &luma), (&u, &v)) in pixels.zip(luma.row(y)).zip(chroma) {
            *pixel = constants.pixel(wide(luma), u, v);
        }
    }
    pixels
}

/// A row of chroma for the pixels of row `y`: three quarters of the nearest sample and one of the
/// next, in both directions. At the edges there is no next.
fn upsample(
    line: &mut [u16],
    plane: &Plane,
    chroma: Chroma,
    y: usize,
    before: impl Fn(u16) -> u16,
) {
    let (_, down) = chroma.shifts();
    let near = plane.row(y >> down);
    let sample = |row: &[u16], x: usize| u32::from(before(row[x]));
    let next = match chroma {
        Chroma::None | Chroma::Full => {
            for (into, &from) in line.iter_mut().zip(near) {
                *into = before(from);
            }
            return;
        }
        Chroma::Half => None,
        Chroma::Quarter if y % 2 == 1 => Some(y / 2 + 1),
        Chroma::Quarter => (y / 2).checked_sub(1),
    };
    match next.filter(|&next| next < plane.height) {
        None => along(line, plane.width, 2, |x| sample(near, x)),
        Some(next) => {
            let next = plane.row(next);
            along(line, plane.width, 4, |x| {
                3 * sample(near, x) + sample(next, x)
            });
        }
    }
}

/// Fills a row from columns of samples, which lie between its pixels; what is mixed has `bits` of a
/// fraction then, of which the columns bring all but two.
fn along(line: &mut [u16], samples: usize, bits: u32, column: impl Fn(usize) -> u32) {
    let rounded = |sum: u32, bits: u32| ((sum + ((1 << bits) >> 1)) >> bits) as u16;
    let Some(last) = line.len().checked_sub(1) else {
        return;
    };
    line[0] = rounded(column(0), bits - 2);
    let mut left = column(0);
    for (pair, x) in line[1..].chunks_exact_mut(2).zip(1..samples) {
        let right = column(x);
        pair[0] = rounded(3 * left + right, bits);
        pair[1] = rounded(3 * right + left, bits);
        left = right;
    }
    // libyuv takes it from one sample whether it is an edge or not.
    line[last] = rounded(column(last / 2), bits - 2);
}

/// Divides colours by the transparency that they are multiplied by.
pub(super) fn divide(pixels: &mut [u8], alpha: &Plane, depth: u32) {
    let pixels = pixels.as_chunks_mut::<3>().0.iter_mut();
    for (pixel, &alpha) in pixels.zip(&alpha.samples) {
        // In 8 bits and 8 bits of a fraction, as far as 16 bits go.
        let inverse = match u32::from(alpha >> (depth - 8)) {
            0 => 0,
            1 => 0xffff,
            255 => 0x0100,
            alpha => 0x1_0000 / alpha,
        };
        *pixel = pixel.map(|colour| {
            let wide = u64::from(colour) * 0x0101 * u64::from(inverse);
            (wide >> 16).min(255) as u8
        });
    }
}
