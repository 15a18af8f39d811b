//! Colours for values, and colours to tell curves apart.

use std::sync::LazyLock;

/// Red, green and blue of sRGB.
pub(crate) type Colour = [u8; 3];

pub(crate) const WHITE: Colour = [255, 255, 255];
/// Text and axes.
pub(crate) const INK: Colour = [38, 38, 38];
/// What is said beside.
pub(crate) const MUTED: Colour = [112, 112, 112];
pub(crate) const GRID: Colour = [228, 228, 228];

/// For curves: the palette of Okabe and Ito (2008), which colour-blind people can tell apart, from
/// its blue on and without its yellow, which white swallows.
pub(crate) const CURVES: [Colour; 7] = [
    [0, 114, 178],
    [213, 94, 0],
    [0, 158, 115],
    [204, 121, 167],
    [230, 159, 0],
    [86, 180, 233],
    [38, 38, 38],
];

/// Lightness, chroma and hue in degrees of Oklab (Ottosson 2020) that the scale leads through:
/// black, purple, red, orange, white. Lightness only rises, so that it reads in grey too.
const STATIONS: [[f64; 3]; 7] = [
    [0.14, 0.03, 300.0],
    [0.30, 0.12, 322.0],
    [0.45, 0.16, 362.0],
    [0.61, 0.18, 387.0],
    [0.75, 0.145, 415.0],
    [0.88, 0.10, 440.0],
    [1.0, 0.0, 455.0],
];

/// Colours at equal distances.
static SCALE: LazyLock<[Colour; 256]> = LazyLock::new(scale);

/// The colour of a value from 0 (nearly black) to 1 (white); what is outside counts as the nearer
/// end, what is no number as 0.
///
/// Equal steps of the value are equal steps in Oklab, a perceptual colour space, and the lightness
/// only rises: of two values the larger is the lighter, for every eye and in grey.
pub fn colour(value: f64) -> [u8; 3] {
    // What is no number becomes 0 in the conversion.
    SCALE[(value.clamp(0.0, 1.0) * 255.0).round() as usize]
}

/// Black or white, whichever is easier to read on a background.
pub(crate) fn ink_on(background: Colour) -> Colour {
    if luma(background) > 140.0 { INK } else { WHITE }
}

/// How bright a colour is, from 0 to 255: Rec. 601's luma.
pub(crate) fn luma(colour: Colour) -> f64 {
    let parts = colour.iter().zip([0.299, 0.587, 0.114]);
    parts.map(|(&part, weight)| f64::from(part) * weight).sum()
}

fn scale() -> [Colour; 256] {
    /// Points to measure the way by.
    const POINTS: usize = 2048;
    let points: Vec<[f64; 3]> = (0..=POINTS)
        .map(|i| on_the_way(i as f64 / POINTS as f64))
        .collect();
    let mut travelled = vec![0.0];
    for pair in points.windows(2) {
        let squares = (0..3).map(|i| (pair[1][i] - pair[0][i]).powi(2));
        let step = squares.sum::<f64>().sqrt();
        travelled.push(travelled[travelled.len() - 1] + step);
    }
    let length = travelled[POINTS];
    std::array::from_fn(|i| {
        let wanted = length * i as f64 / 255.0;
        let point = travelled.partition_point(|&way| way < wanted).min(POINTS);
        srgb(points[point]).map(|part| (part.clamp(0.0, 1.0) * 255.0).round() as u8)
    })
}

/// The colour in Oklab at a share of the way through the stations.
fn on_the_way(share: f64) -> [f64; 3] {
    let along = share * (STATIONS.len() - 1) as f64;
    let from = (along as usize).min(STATIONS.len() - 2);
    let part = along - from as f64;
    let [lightness, chroma, hue] =
        std::array::from_fn(|i| STATIONS[from][i] * (1.0 - part) + STATIONS[from + 1][i] * part);
    let hue = hue.to_radians();
    [lightness, chroma * hue.cos(), chroma * hue.sin()]
}

/// Oklab to sRGB from 0 to 1, with the matrices of its definition.
fn srgb([lightness, a, b]: [f64; 3]) -> [f64; 3] {
    let l = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let m = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let s = (lightness - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3);
    let linear = [
        4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s,
        -1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s,
        -0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701_0 * s,
    ];
    linear.map(|part| match part <= 0.003_130_8 {
        true => 12.92 * part,
        false => 1.055 * part.powf(1.0 / 2.4) - 0.055,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_one_that_screens_have() {
        for i in 0..=100 {
            let parts = srgb(on_the_way(f64::from(i) / 100.0));
            let fits = |part: &f64| (-0.002..=1.002).contains(part);
            assert!(parts.iter().all(fits), "{i}: {parts:?}");
        }
    }

    #[test]
    fn it_only_gets_lighter() {
        let lumas: Vec<f64> = SCALE.iter().map(|&c| luma(c)).collect();
        assert!(lumas.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(colour(1.0), WHITE);
        assert_eq!(colour(7.0), WHITE);
        assert_eq!(colour(f64::NAN), colour(0.0));
        assert_eq!(colour(-1.0), colour(0.0));
    }
}
