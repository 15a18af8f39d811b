//! CIE's L*a*b* under daylight of 5000 K to sRGB, in the integers of Pillow's colour engine, Little
//! CMS: it computes the colours of a grid in full and all others between them, which bends what is
//! beyond sRGB.

use std::sync::LazyLock;

/// Places of the grid along each axis.
const PLACES: usize = 33;
/// What a place and the next one differ by, in the engine's sixteen bits below the point.
const ONE: i64 = 1 << 16;
/// The highest of sixteen bits.
const MOST: f64 = 65535.0;

/// The grid, the last axis' places behind each other, in sixteen bits.
static GRID: LazyLock<Vec<[u16; 3]>> = LazyLock::new(|| {
    let places = 0..PLACES * PLACES * PLACES;
    let level = |place: usize| (place as f64 * MOST / (PLACES - 1) as f64).round();
    let colour = |at: usize| {
        let [lightness, a, b] =
            [at / PLACES / PLACES, at / PLACES % PLACES, at % PLACES].map(level);
        in_full(
            lightness * 100.0 / MOST,
            a / 257.0 - 128.0,
            b / 257.0 - 128.0,
        )
    };
    places.map(colour).collect()
});

/// Lightness in 255ths of white, and two differences of colour as signed bytes.
pub(super) fn lab_to_rgb([lightness, a, b]: [u8; 3]) -> [u8; 3] {
    // Both differences from the lowest on.
    let values = [lightness, a ^ 0x80, b ^ 0x80];
    let mut place = [0; 3];
    let mut beyond = [0; 3];
    for axis in 0..3 {
        let value = i64::from(values[axis]) * 257 * (PLACES - 1) as i64;
        let fixed = value + (value + 0x7fff) / 0xffff;
        place[axis] = (fixed / ONE) as usize;
        beyond[axis] = fixed % ONE;
    }
    // From the place before to the one behind, along the axis first on which the colour is nearest
    // to the latter.
    let mut axes = [0, 1, 2];
    axes.sort_by_key(|&axis| -beyond[axis]);
    let colour = |[l, a, b]: [usize; 3]| GRID[(l * PLACES + a) * PLACES + b].map(i64::from);
    let first = colour(place);
    let (mut before, mut sum) = (first, [0; 3]);
    for axis in axes {
        if values[axis] != u8::MAX {
            place[axis] += 1;
        }
        let next = colour(place);
        for channel in 0..3 {
            sum[channel] += (next[channel] - before[channel]) * beyond[axis];
        }
        before = next;
    }
    std::array::from_fn(|channel| {
        let rest = sum[channel] + 0x8001;
        let wide = first[channel] + ((rest + (rest >> 16)) >> 16);
        ((wide * 65281 + (1 << 23)) >> 24) as u8
    })
}

/// One colour in sixteen bits, cut off where sRGB ends.
fn in_full(lightness: f64, a: f64, b: f64) -> [u16; 3] {
    const WHITE: [f64; 3] = [0.9642, 1.0, 0.8249];
    // To the primaries of sRGB, whose white is another daylight (Bradford's adaptation).
    const PRIMARIES: [[f64; 3]; 3] = [
        [3.134186364236819, -1.6172089589982752, -0.49069406400638405],
        [-0.9787485041906941, 1.9161300967735873, 0.03343339915999557],
        [
            0.07196392780224675,
            -0.22899387345320327,
            1.4057537328964445,
        ],
    ];
    let y = (lightness + 16.0) / 116.0;
    let linear = |t: f64| {
        if t <= 24.0 / 116.0 {
            108.0 / 841.0 * (t - 16.0 / 116.0)
        } else {
            t * t * t
        }
    };
    let xyz = [y + a * 0.002, y, y - b * 0.005].map(linear);
    PRIMARIES.map(|row| {
        let light: f64 = (0..3).map(|i| row[i] * xyz[i] * WHITE[i]).sum();
        let light = light.clamp(0.0, 1.0);
        let threshold = ((0.04045 + 0.055) / 1.055_f64).powf(2.4);
        let level = if light >= threshold {
            1.055 * light.powf(1.0 / 2.4) - 0.055
        } else {
            12.92 * light
        };
        (level * MOST + 0.5) as u16
    })
}
