//! Lightness and two differences of colour to RGB, in the integers of libtiff and of Pillow.

use super::kinds::Compression;
use super::layout::Layout;
use super::tags;

/// Tables of what each sample adds.
pub(super) struct YCbCr {
    light: [i32; 256],
    red: [i32; 256],
    blue: [i32; 256],
    /// What both add to green, with as many bits below the point as `shift` says.
    green_of_red: [i32; 256],
    green_of_blue: [i32; 256],
    shift: u32,
}

impl YCbCr {
    /// The conversion that Pillow applies to a file: its own where rows are not packed, else
    /// libtiff's.
    pub fn of(layout: &Layout<'_>) -> Self {
        if layout.compression == Compression::None
            && layout.subsampling == (1, 1)
            && !layout.is_planar
        {
            Self::pillows()
        } else {
            Self::libtiffs(layout)
        }
    }

    /// By JPEG's usual coefficients, in six bits.
    fn pillows() -> Self {
        const SHIFT: u32 = 6;
        let table = |factor: f64| {
            // Rounded towards zero from half a unit above.
            std::array::from_fn(|i| {
                (factor * f64::from(1 << SHIFT) * (i as f64 - 128.0) + 0.5) as i32
            })
        };
        let whole = |factor| table(factor).map(|value| value >> SHIFT);
        Self {
            light: std::array::from_fn(|i| i as i32),
            red: whole(1.402),
            blue: whole(1.772),
            green_of_red: table(-0.71414),
            green_of_blue: table(-0.34414),
            shift: SHIFT,
        }
    }

    /// By the file's coefficients and reference values, in sixteen bits.
    fn libtiffs(layout: &Layout<'_>) -> Self {
        const SHIFT: u32 = 16;
        const HALF: i32 = 1 << (SHIFT - 1);
        let stated = |tag, index, default| {
            let entry = layout.directory.entry(tag);
            entry
                .and_then(|entry| entry.real_at(index))
                .unwrap_or(default)
        };
        let luma = |index, default| stated(tags::LUMA, index, default);
        let (red, green, blue) = (luma(0, 0.299), luma(1, 0.587), luma(2, 0.114));
        let reference = [0.0, 255.0, 128.0, 255.0, 128.0, 255.0];
        let reference: [f32; 6] = std::array::from_fn(|i| stated(tags::REFERENCE, i, reference[i]));

        let fixed = |value: f32| {
            let value = if value >= 0.0 { value.min(2.0) } else { 0.0 };
            (f64::from(value) * f64::from(1 << SHIFT) + 0.5) as i32
        };
        let of_red = 2.0 - 2.0 * red;
        let of_blue = 2.0 - 2.0 * blue;
        let (d1, d2) = (fixed(of_red), -fixed(red * of_red / green));
        let (d3, d4) = (fixed(of_blue), -fixed(blue * of_blue / green));
        let level = |code: f32, black: f32, white: f32, range: f32| {
            let span = if white == black { 1.0 } else { white - black };
            let value = (code - black.trunc()) * range / span;
            value.clamp(-4096.0, 4096.0) as i32
        };
        let chroma = |i: usize, at: usize| {
            let (black, white) = (reference[at] - 128.0, reference[at + 1] - 128.0);
            level(i as f32 - 128.0, black, white, 127.0)
        };
        let (cb, cr) = (|i| chroma(i, 2), |i| chroma(i, 4));
        Self {
            light: std::array::from_fn(|i| level(i as f32, reference[0], reference[1], 255.0)),
            red: std::array::from_fn(|i| (d1 * cr(i) + HALF) >> SHIFT),
            blue: std::array::from_fn(|i| (d3 * cb(i) + HALF) >> SHIFT),
            green_of_red: std::array::from_fn(|i| d2 * cr(i)),
            green_of_blue: std::array::from_fn(|i| d4 * cb(i) + HALF),
            shift: SHIFT,
        }
    }

    /// One pixel.
    pub fn to_rgb(&self, [y, cb, cr]: [u8; 3]) -> [u8; 3] {
        let (y, cb, cr) = (self.light[usize::from(y)], usize::from(cb), usize::from(cr));
        let green = (self.green_of_blue[cb] + self.green_of_red[cr]) >> self.shift;
        [y + self.red[cr], y + green, y + self.blue[cb]].map(|value| value.clamp(0, 255) as u8)
    }
}

/// A row of blocks, in each of which pixels share their chroma, to rows of three samples a pixel.
///
/// `blocks` holds as many blocks as the row has: the lightness of `h` by `v` pixels, then both
/// differences.
pub(super) fn spread(blocks: &[u8], (h, v): (usize, usize), width: usize, rows: &mut Vec<u8>) {
    rows.clear();
    rows.resize(3 * width * v, 0);
    for (number, block) in blocks.chunks_exact(h * v + 2).enumerate() {
        let (cb, cr) = (block[h * v], block[h * v + 1]);
        for y in 0..v {
            for x in 0..h.min(width.saturating_sub(number * h)) {
                let at = 3 * (y * width + number * h + x);
                rows[at..at + 3].copy_from_slice(&[block[y * h + x], cb, cr]);
            }
        }
    }
}
