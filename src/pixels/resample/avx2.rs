//! The same with AVX2, which multiplies integers side by side.

use std::arch::x86_64::{
    __m128i, __m256i, _mm_add_epi32, _mm_cvtsi32_si128, _mm_cvtsi128_si32, _mm_packs_epi32,
    _mm_packus_epi16, _mm_set1_epi32, _mm_sra_epi32, _mm256_add_epi32, _mm256_broadcastsi128_si256,
    _mm256_castsi256_si128, _mm256_extracti128_si256, _mm256_madd_epi16, _mm256_setzero_si256,
    _mm256_shuffle_epi8, _mm256_slli_epi32,
};

use std::ops::Range;

use bytemuck::{cast, pod_read_unaligned};

use super::{CHANNELS, Columns, Loops, Rows, Taps, portable};
use crate::processor::Feature;

pub(super) static LOOPS: Loops = Loops {
    needs: &[Feature::Avx2],
    columns,
    rows,
};

/// Bytes behind a line that [`line`] may read, and multiply with nothing.
const READ_BEHIND: usize = 16;
/// Pixels that are read at once: twelve of sixteen bytes.
const GROUP: usize = 4;
/// A weight of more than 16 bits is multiplied in two parts, the lower of this many bits.
const LOW_BITS: u32 = 11;

/// Weights in the order in which [`line`] multiplies them.
struct PackedTaps {
    /// For each output the first byte it reads, and where its weights lie.
    spans: Vec<(usize, Range<usize>)>,
    weights: Vec<Weights>,
    half: i32,
    precision: u32,
}

/// The weights of four pixels: two side by side for each channel and one more, in two
/// halves.
struct Weights {
    high: [i16; 16],
    low: [i16; 16],
}

impl PackedTaps {
    /// `offset` is the taps' position that a line begins with.
    fn new(taps: &Taps, offset: usize) -> Self {
        let mut packed = Self {
            spans: Vec::with_capacity(taps.len()),
            weights: Vec::new(),
            half: taps.half(),
            precision: taps.precision,
        };
        for (begin, weights) in taps.iter() {
            let start = packed.weights.len();
            for group in weights.chunks(GROUP) {
                let weight = |lane: usize| group.get(lane / 8 * 2 + lane % 2).unwrap_or(&0);
                packed.weights.push(Weights {
                    high: std::array::from_fn(|lane| (weight(lane) >> LOW_BITS) as i16),
                    low: std::array::from_fn(|lane| (weight(lane) & ((1 << LOW_BITS) - 1)) as i16),
                });
            }
            let span = start..packed.weights.len();
            packed.spans.push(((begin - offset) * CHANNELS, span));
        }
        packed
    }
}

#[target_feature(enable = "avx2")]
fn columns(task: &Columns, output: &mut [u8]) {
    let taps = PackedTaps::new(task.taps, task.offset);
    let mut padded = vec![0; task.width * CHANNELS + READ_BEHIND];
    for (input, output) in task.lines().zip(output.chunks_exact_mut(task.written())) {
        padded[..input.len()].copy_from_slice(input);
        line(&padded, &taps, output);
    }
}

/// One line along x; `line` has [`READ_BEHIND`] bytes more than it has samples.
#[target_feature(enable = "avx2")]
fn line(line: &[u8], taps: &PackedTaps, output: &mut [u8]) {
    // The samples of a channel from two pixels side by side, each in 16 bits: of the first
    // two pixels in the lower half, of the others in the upper.
    const Z: i8 = -1;
    let pairs: __m256i = cast([
        [0, Z, 3, Z, 1, Z, 4, Z, 2, Z, 5, Z, Z, Z, Z, Z],
        [6, Z, 9, Z, 7, Z, 10, Z, 8, Z, 11, Z, Z, Z, Z, Z],
    ]);
    let half = _mm_set1_epi32(taps.half);
    let precision = _mm_cvtsi32_si128(taps.precision as i32);
    let outputs = output.chunks_exact_mut(CHANNELS);
    for ((start, weights), pixel) in taps.spans.iter().zip(outputs) {
        let mut high = _mm256_setzero_si256();
        let mut low = _mm256_setzero_si256();
        let inputs = line[*start..]
            .windows(READ_BEHIND)
            .step_by(GROUP * CHANNELS);
        for (bytes, weights) in inputs.zip(&taps.weights[weights.clone()]) {
            let bytes: __m128i = pod_read_unaligned(bytes);
            let samples = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bytes), pairs);
            high = _mm256_add_epi32(high, _mm256_madd_epi16(samples, cast(weights.high)));
            low = _mm256_add_epi32(low, _mm256_madd_epi16(samples, cast(weights.low)));
        }
        // Either part may overflow; the whole fits, and is right modulo 2^32.
        let sums = _mm256_add_epi32(_mm256_slli_epi32::<{ LOW_BITS as i32 }>(high), low);
        let sums = _mm_add_epi32(
            _mm256_castsi256_si128(sums),
            _mm256_extracti128_si256::<1>(sums),
        );
        let rounded = _mm_add_epi32(sums, half);
        let values = _mm_sra_epi32(rounded, precision);
        let words = _mm_packs_epi32(values, values);
        let bytes = _mm_cvtsi128_si32(_mm_packus_epi16(words, words)).to_le_bytes();
        pixel.copy_from_slice(&bytes[..CHANNELS]);
    }
}

/// What the compiler makes of the plain loop with these instructions.
#[target_feature(enable = "avx2")]
fn rows(task: &Rows, output: &mut [u8]) {
    portable::each_row(task, output);
}
