//! The two passes of the resampler: weighted sums of samples along one direction.
//!
//! Sums are of integers, so the order in which they are taken does not show.

use image::RgbImage;

use super::filter::Resampler;
use super::line::Line;

/// Bytes of a pixel.
pub(super) const CHANNELS: usize = 3;
/// Fractional bits of a weight: 32, less 8 for a sample and 2 for headroom, as in Pillow.
const PRECISION: u32 = 22;
/// The largest weight, its fractional bits among it, that fits into torchvision's 16 bits.
const LARGEST: f64 = 32_767.0;

/// For every output position along one direction, the input positions and their weights.
pub(super) struct Taps {
    /// First input position of each output, and where its weights lie.
    spans: Vec<(usize, std::ops::Range<usize>)>,
    weights: Vec<i32>,
    /// Fractional bits of the weights.
    precision: u32,
}

impl Taps {
    /// The `wanted` outputs of a line.
    pub fn new(line: &Line, wanted: std::ops::Range<usize>) -> Self {
        let mut exact = Vec::new();
        let precision = if line.resampler == Resampler::Torchvision {
            // Decided by all outputs, wanted or not.
            let mut largest = 0.0;
            for output in 0..line.to {
                line.weights(output, &mut exact);
                largest = exact.iter().copied().fold(largest, f64::max);
            }
            narrow_precision(largest)
        } else {
            PRECISION
        };
        let mut taps = Self {
            spans: Vec::with_capacity(wanted.len()),
            weights: Vec::new(),
            precision,
        };
        let one = f64::from(1 << precision);
        for output in wanted {
            let begin = line.weights(output, &mut exact);
            let start = taps.weights.len();
            let integers = exact.iter().map(|weight| (weight * one).round() as i32);
            taps.weights.extend(integers);
            taps.spans.push((begin, start..taps.weights.len()));
        }
        taps
    }

    /// What rounds to the nearest.
    fn half(&self) -> i32 {
        1 << (self.precision - 1)
    }

    /// A sum, without its fraction.
    fn to_byte(&self, sum: i32) -> u8 {
        (sum >> self.precision).clamp(0, 255) as u8
    }

    /// Each output's first input and weights.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &[i32])> {
        let spans = self.spans.iter();
        spans.map(|(begin, weights)| (*begin, &self.weights[weights.clone()]))
    }

    /// The inputs that any output needs.
    pub fn reach(&self) -> std::ops::Range<usize> {
        let start = self.iter().map(|(begin, _)| begin).min().unwrap_or(0);
        let end = self.iter().map(|(begin, weights)| begin + weights.len());
        start..end.max().unwrap_or(start)
    }
}

/// Torchvision's fractional bits: the most with which the largest weight fits into 16 bits.
fn narrow_precision(largest: f64) -> u32 {
    let fits = |precision: &u32| 0.5 + largest * f64::from(1 << precision) < LARGEST + 1.0;
    (1..=PRECISION).rev().find(fits).unwrap_or(1)
}

/// Resamples along x. `pixels` has lines of `width` pixels, the first of which is the taps'
/// position `offset`.
pub(super) fn resample_columns(pixels: &[u8], width: usize, taps: &Taps, offset: usize) -> Vec<u8> {
    let lines = pixels.len() / (width * CHANNELS);
    let mut output = vec![0; lines * taps.spans.len() * CHANNELS];
    let inputs = pixels.chunks_exact(width * CHANNELS);
    let outputs = output.chunks_exact_mut(taps.spans.len() * CHANNELS);
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        let taps = avx2::PackedTaps::new(taps, offset);
        let mut line = vec![0; width * CHANNELS + avx2::READ_BEHIND];
        for (input, output) in inputs.zip(outputs) {
            line[..input.len()].copy_from_slice(input);
            // SAFETY: the processor has AVX2.
            unsafe { avx2::columns(&line, &taps, output) };
        }
        return output;
    }
    for (input, output) in inputs.zip(outputs) {
        columns(input, taps, offset, output);
    }
    output
}

/// One line along x.
fn columns(line: &[u8], taps: &Taps, offset: usize, output: &mut [u8]) {
    for ((begin, weights), pixel) in taps.iter().zip(output.chunks_exact_mut(CHANNELS)) {
        let mut sums = [taps.half(); CHANNELS];
        let inputs = line[(begin - offset) * CHANNELS..].chunks_exact(CHANNELS);
        for (samples, weight) in inputs.zip(weights) {
            for (sum, sample) in sums.iter_mut().zip(samples) {
                *sum += i32::from(*sample) * weight;
            }
        }
        pixel.copy_from_slice(&sums.map(|sum| taps.to_byte(sum)));
    }
}

/// Resamples along y the given columns of `image`, whose first line is the taps' position
/// `offset`.
pub(super) fn resample_rows(
    image: &RgbImage,
    taps: &Taps,
    offset: usize,
    columns: std::ops::Range<usize>,
) -> Vec<u8> {
    let line = image.width() as usize * CHANNELS;
    let part = columns.start * CHANNELS..columns.end * CHANNELS;
    let mut output = vec![0; taps.spans.len() * part.len()];
    let mut sums = vec![0; part.len()];
    for ((begin, weights), output) in taps.iter().zip(output.chunks_exact_mut(part.len())) {
        let lines = image.as_raw().chunks_exact(line).skip(begin - offset);
        let lines = lines.map(|line| &line[part.clone()]).zip(weights);
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            unsafe { avx2::rows(lines, taps, &mut sums, output) };
            continue;
        }
        rows(lines, taps, &mut sums, output);
    }
    output
}

/// One line along y from lines and their weights; `sums` is room to work in.
#[inline(always)]
fn rows<'a>(
    lines: impl Iterator<Item = (&'a [u8], &'a i32)>,
    taps: &Taps,
    sums: &mut [i32],
    output: &mut [u8],
) {
    sums.fill(taps.half());
    for (line, weight) in lines {
        for (sum, sample) in sums.iter_mut().zip(line) {
            *sum += i32::from(*sample) * weight;
        }
    }
    for (byte, sum) in output.iter_mut().zip(sums) {
        *byte = taps.to_byte(*sum);
    }
}

/// The same with AVX2, which multiplies integers side by side.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m128i, __m256i, _mm_add_epi32, _mm_cvtsi32_si128, _mm_cvtsi128_si32, _mm_packs_epi32,
        _mm_packus_epi16, _mm_set1_epi32, _mm_sra_epi32, _mm256_add_epi32,
        _mm256_broadcastsi128_si256, _mm256_castsi256_si128, _mm256_extracti128_si256,
        _mm256_madd_epi16, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_slli_epi32,
    };

    use bytemuck::{cast, pod_read_unaligned};

    use super::{CHANNELS, Taps};

    /// Bytes behind a line that [`columns`] may read, and multiply with nothing.
    pub const READ_BEHIND: usize = 16;
    /// Pixels that are read at once: twelve of sixteen bytes.
    const GROUP: usize = 4;
    /// A weight of more than 16 bits is multiplied in two parts, the lower of this many bits.
    const LOW_BITS: u32 = 11;

    /// Weights in the order in which [`columns`] multiplies them.
    pub struct PackedTaps {
        /// For each output the first byte it reads, and where its weights lie.
        spans: Vec<(usize, std::ops::Range<usize>)>,
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
        pub fn new(taps: &Taps, offset: usize) -> Self {
            let mut packed = Self {
                spans: Vec::with_capacity(taps.spans.len()),
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
                        low: std::array::from_fn(|lane| {
                            (weight(lane) & ((1 << LOW_BITS) - 1)) as i16
                        }),
                    });
                }
                let span = start..packed.weights.len();
                packed.spans.push(((begin - offset) * CHANNELS, span));
            }
            packed
        }
    }

    /// One line along x; `line` has [`READ_BEHIND`] bytes more than it has samples.
    #[target_feature(enable = "avx2")]
    pub fn columns(line: &[u8], taps: &PackedTaps, output: &mut [u8]) {
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

    /// [`super::rows`], compiled for AVX2.
    #[target_feature(enable = "avx2")]
    pub fn rows<'a>(
        lines: impl Iterator<Item = (&'a [u8], &'a i32)>,
        taps: &Taps,
        sums: &mut [i32],
        output: &mut [u8],
    ) {
        super::rows(lines, taps, sums, output);
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use crate::pixels::filter::Filter;
    use crate::pixels::frame::Span;

    #[test]
    fn avx2_sums_up_to_the_same_bytes() {
        if !is_x86_feature_detected!("avx2") {
            return crate::skipped::skip("this processor has no AVX2");
        }
        for (from, to) in [
            (1, 1),
            (1, 9),
            (2, 1),
            (7, 5),
            (16, 17),
            (500, 341),
            (5003, 31),
        ] {
            for (filter, resampler) in [
                (Filter::Bilinear, Resampler::Pillow),
                (Filter::Bicubic, Resampler::Pillow),
                (Filter::Lanczos, Resampler::Torchvision),
            ] {
                let line = Line {
                    from,
                    part: Span::whole(from),
                    to,
                    filter,
                    resampler,
                };
                let taps = Taps::new(&line, 0..to);
                for darkest in [0, 254] {
                    let line: Vec<u8> = (0..from * CHANNELS)
                        .map(|i| (i * 7919 % 256).max(darkest) as u8)
                        .collect();
                    let mut expected = vec![0; to * CHANNELS];
                    columns(&line, &taps, 0, &mut expected);
                    assert_eq!(resample_columns(&line, from, &taps, 0), expected, "{from}");
                    let lines = || line.chunks(CHANNELS).zip(&taps.weights);
                    let mut sums = [0; CHANNELS];
                    let (mut plain, mut fast) = ([0; CHANNELS], [1; CHANNELS]);
                    rows(lines(), &taps, &mut sums, &mut plain);
                    // SAFETY: the processor has AVX2.
                    unsafe { avx2::rows(lines(), &taps, &mut sums, &mut fast) };
                    assert_eq!(plain, fast);
                }
            }
        }
    }
}
