//! The stem with few output channels: with the channels side by side, half of a vector of 16 would
//! be padding, so here pixels lie side by side until they are stored.

use std::arch::x86_64::*;

use super::stem::STRIDE;
use super::{Output, Stem};

/// Output channels at most.
pub(super) const CHANNELS: usize = 8;

/// Pixels in a vector.
const LANES: usize = 16;

/// One row of the output.
///
/// # Safety
/// The machine has AVX-512, [`Stem::check`] passed with vectors of 16, and nobody else writes to
/// what the task writes to.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn stem(task: &Stem, output: Output) {
    let mut pixel = 0;
    while pixel < task.columns {
        // SAFETY: `check` covers whole vectors of pixels, though not all of them are stored.
        unsafe {
            pixel += match task.columns - pixel > LANES {
                true => tile::<2>(task, pixel, output),
                false => tile::<1>(task, pixel, output),
            };
        }
    }
}

/// `VECTORS` vectors of pixels by 8 channels, in registers. Returns how many pixels that is.
///
/// A pixel's sum is taken in the order of the other kernels, to the bit.
#[target_feature(enable = "avx512f")]
unsafe fn tile<const VECTORS: usize>(task: &Stem, pixel: usize, output: Output) -> usize {
    // SAFETY: `check` covers the lines up to whole vectors, and weights and bias of 16 channels;
    // no more pixels are stored than there are.
    unsafe {
        let input = task.input.as_ptr().add(pixel * STRIDE);
        let mut weight = task.weight.as_ptr();
        let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        let mut sums = [[_mm512_setzero_ps(); CHANNELS]; VECTORS];
        for sums in &mut sums {
            for (sum, bias) in sums.iter_mut().zip(task.bias) {
                *sum = _mm512_set1_ps(*bias);
            }
        }
        for tap in task.taps {
            // Every second value, from an even place on: that of most taps is where vectors begin
            // on a cache line.
            let second = tap % 2;
            let places = _mm512_add_epi32(even, _mm512_set1_epi32(second as i32));
            let mut values = [_mm512_setzero_ps(); VECTORS];
            for (v, value) in values.iter_mut().enumerate() {
                let line = input.add(tap - second + v * LANES * STRIDE);
                let (near, far) = (_mm512_loadu_ps(line), _mm512_loadu_ps(line.add(LANES)));
                *value = _mm512_permutex2var_ps(near, places, far);
            }
            for c in 0..CHANNELS {
                let weight = _mm512_set1_ps(*weight.add(c));
                for (sums, value) in sums.iter_mut().zip(values) {
                    sums[c] = _mm512_fmadd_ps(value, weight, sums[c]);
                }
            }
            weight = weight.add(LANES);
        }
        let low = _mm512_set1_ps(task.bounds.0);
        let high = _mm512_set1_ps(task.bounds.1);
        for (v, sums) in sums.iter().enumerate() {
            let first = pixel + v * LANES;
            let pixels = (task.columns - first).min(LANES);
            let to = output.start.add(task.start + first * task.output_stride);
            let sums = sums.map(|sum| _mm512_min_ps(high, _mm512_max_ps(low, sum)));
            let [a, b, c, d, e, f, g, h] = sums;
            store([a, b, c, d], to, task.output_stride, pixels);
            store([e, f, g, h], to.add(4), task.output_stride, pixels);
        }
    }
    VECTORS * LANES
}

/// Four channels of some of 16 pixels to where each pixel lies.
#[target_feature(enable = "avx512f")]
unsafe fn store([a, b, c, d]: [__m512; 4], to: *mut f32, stride: usize, pixels: usize) {
    let pair = |low, high| (_mm512_castps_pd(low), _mm512_castps_pd(high));
    let (first, second) = pair(_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d));
    let (third, fourth) = pair(_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d));
    // Each quarter `q` of these has the four channels of pixel `4 * q + i`.
    let quarters = [
        _mm512_unpacklo_pd(first, second),
        _mm512_unpackhi_pd(first, second),
        _mm512_unpacklo_pd(third, fourth),
        _mm512_unpackhi_pd(third, fourth),
    ];
    for (i, quarters) in quarters.into_iter().enumerate() {
        let quarters = _mm512_castpd_ps(quarters);
        let quarters = [
            _mm512_extractf32x4_ps::<0>(quarters),
            _mm512_extractf32x4_ps::<1>(quarters),
            _mm512_extractf32x4_ps::<2>(quarters),
            _mm512_extractf32x4_ps::<3>(quarters),
        ];
        for (q, channels) in quarters.into_iter().enumerate() {
            let pixel = 4 * q + i;
            if pixel < pixels {
                // SAFETY: the caller's pointer is good for that many pixels.
                unsafe { _mm_storeu_ps(to.add(pixel * stride), channels) };
            }
        }
    }
}
