//! What the stem reads, and the stem with few output channels: with the channels side by side, half of
//! a vector of 16 would be padding, so here pixels lie side by side until they are stored.

use std::arch::x86_64::*;

use super::Bf16;
use crate::cpu::kernels::stem::STRIDE;
use crate::cpu::kernels::{Output, Stem};
use crate::cpu::pixels::StemPixels;
use crate::pixels::COLOURS;

/// Output channels at most.
pub(super) const CHANNELS: usize = 8;

/// Pixels in a vector; a pair of each is as much as a window moves by.
const LANES: usize = 16;

/// Writes a row of pixels `[column][colour]` as a line of each colour, 16 at a time: each byte less the
/// one that becomes 0.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub(super) fn bytes(values: &StemPixels<Bf16>, pixels: &[u8], lines: [&mut [Bf16]; COLOURS]) {
    let columns = pixels.len() / COLOURS;
    // Four pixels to each quarter of a vector, and then a colour of each to four bytes.
    let spread = _mm512_setr_epi32(0, 1, 2, 0, 3, 4, 5, 0, 6, 7, 8, 0, 9, 10, 11, 0);
    let pick = |colour: i32| {
        // The upper bit of a place makes a zero.
        let place = |pixel: i32| (pixel * COLOURS as i32 + colour) | 0x8080_8000u32 as i32;
        _mm512_broadcast_i32x4(_mm_setr_epi32(place(0), place(1), place(2), place(3)))
    };
    let picks = [pick(0), pick(1), pick(2)];
    let zeros = values.zero.map(|zero| _mm512_set1_ps(zero));
    let starts = lines.map(|line| line.as_mut_ptr());
    for column in (0..columns).step_by(LANES) {
        let left = (columns - column).min(LANES);
        let which = (1u64 << (left * COLOURS)) - 1;
        // SAFETY: only the bytes of pixels that are there are read, and as many elements are written to
        // each line, which `Kernels::bytes` has found to be as long as there are pixels.
        unsafe {
            let from = pixels.as_ptr().add(column * COLOURS);
            let bytes = _mm512_maskz_loadu_epi8(which, from.cast());
            let bytes = _mm512_permutexvar_epi32(spread, bytes);
            for ((pick, zero), start) in picks.iter().zip(zeros).zip(starts) {
                let colour = _mm512_cvtepi32_ps(_mm512_shuffle_epi8(bytes, *pick));
                let short = _mm512_cvtneps_pbh(_mm512_sub_ps(colour, zero));
                let short = std::mem::transmute::<__m256bh, __m256i>(short);
                let which = ((1u32 << left) - 1) as __mmask16;
                _mm256_mask_storeu_epi16(start.add(column).cast(), which, short);
            }
        }
    }
}

/// One row of the output.
///
/// # Safety
/// The machine has AVX-512 BF16, [`Stem`]'s check passed with vectors of 16, and nobody else writes to
/// what the task writes to.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) unsafe fn stem(task: &Stem<Bf16>, output: Output<Bf16>) {
    let mut pixel = 0;
    while pixel < task.columns {
        // SAFETY: the check covers whole vectors of pixels, though not all of them are stored.
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
/// A pixel's sum is taken in the order of the other kernel, to the bit.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn tile<const VECTORS: usize>(
    task: &Stem<Bf16>,
    pixel: usize,
    output: Output<Bf16>,
) -> usize {
    // SAFETY: the check covers the lines up to whole vectors, and weights and bias of 16 channels;
    // no more pixels are stored than there are.
    unsafe {
        let input = task.input.as_ptr().add(pixel * STRIDE);
        let mut weight = task.weight.as_ptr().cast::<i32>();
        let mut sums = [[_mm512_setzero_ps(); CHANNELS]; VECTORS];
        for sums in &mut sums {
            for (sum, bias) in sums.iter_mut().zip(task.bias) {
                *sum = _mm512_set1_ps(*bias);
            }
        }
        for tap in task.taps {
            let mut values = [_mm512_setzero_si512(); VECTORS];
            for (v, value) in values.iter_mut().enumerate() {
                let pairs = input.add(tap + v * LANES * STRIDE);
                *value = _mm512_loadu_si512(pairs.cast());
            }
            for c in 0..CHANNELS {
                let weight = pairs(_mm512_set1_epi32(weight.add(c).read_unaligned()));
                for (sums, value) in sums.iter_mut().zip(values) {
                    sums[c] = _mm512_dpbf16_ps(sums[c], pairs(value), weight);
                }
            }
            weight = weight.add(LANES);
        }
        let low = _mm512_set1_ps(task.bounds.0);
        let high = _mm512_set1_ps(task.bounds.1);
        for (v, sums) in sums.iter().enumerate() {
            let first = pixel + v * LANES;
            let pixels = (task.columns - first).min(LANES);
            let (start, len) = output.raw();
            debug_assert!(task.start + (first + pixels - 1) * task.output_stride + CHANNELS <= len);
            let to = start.add(task.start + first * task.output_stride);
            let sums = sums.map(|sum| _mm512_min_ps(high, _mm512_max_ps(low, sum)));
            store(sums, to, task.output_stride, pixels);
        }
    }
    VECTORS * LANES
}

/// The bits of 16 pairs.
#[target_feature(enable = "avx512f,avx512bf16")]
fn pairs(bits: __m512i) -> __m512bh {
    // SAFETY: both types are 64 bytes of whatever bits.
    unsafe { std::mem::transmute(bits) }
}

/// Eight channels of some of 16 pixels, rounded, to where each pixel lies.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn store(
    [a, b, c, d, e, f, g, h]: [__m512; 8],
    to: *mut Bf16,
    stride: usize,
    pixels: usize,
) {
    // One from the lower half, one from the upper half, and so on.
    let places: [u16; 32] = std::array::from_fn(|i| (i / 2 + i % 2 * LANES) as u16);
    // SAFETY: as long as a vector.
    let places = unsafe { _mm512_loadu_si512(places.as_ptr().cast()) };
    // Two channels of each pixel.
    let pair = |first, second| {
        let halves = _mm512_cvtne2ps_pbh(second, first);
        // SAFETY: both types are 64 bytes of whatever bits.
        let halves = unsafe { std::mem::transmute::<__m512bh, __m512i>(halves) };
        _mm512_permutexvar_epi16(places, halves)
    };
    let (ab, cd, ef, gh) = (pair(a, b), pair(c, d), pair(e, f), pair(g, h));
    let (first, second) = (_mm512_unpacklo_epi32(ab, cd), _mm512_unpacklo_epi32(ef, gh));
    let (third, fourth) = (_mm512_unpackhi_epi32(ab, cd), _mm512_unpackhi_epi32(ef, gh));
    // Each quarter `q` of these has the channels of pixel `4 * q + i`.
    let quarters = [
        _mm512_unpacklo_epi64(first, second),
        _mm512_unpackhi_epi64(first, second),
        _mm512_unpacklo_epi64(third, fourth),
        _mm512_unpackhi_epi64(third, fourth),
    ];
    for (i, quarters) in quarters.into_iter().enumerate() {
        let quarters = [
            _mm512_extracti32x4_epi32::<0>(quarters),
            _mm512_extracti32x4_epi32::<1>(quarters),
            _mm512_extracti32x4_epi32::<2>(quarters),
            _mm512_extracti32x4_epi32::<3>(quarters),
        ];
        for (q, channels) in quarters.into_iter().enumerate() {
            let pixel = 4 * q + i;
            if pixel < pixels {
                // SAFETY: the caller's pointer is good for that many pixels.
                unsafe { _mm_storeu_si128(to.add(pixel * stride).cast(), channels) };
            }
        }
    }
}
