//! The inner loops in integers, one file an instruction set.
//!
//! `depthwise`, `pointwise` and `stem` hold each loop once, over the vector types of `generic`; the other
//! files bring their vectors and instantiate the loops where their instructions may be used. All of them give the same
//! integers: sums are exact in 32 bits, and [requantisation](requantise) is three operations of
//! f32 that every machine rounds alike.
//!
//! Layouts: activations `[pixel][channel]` in u8, channels padded with zeros to a multiple of
//! [`CHANNELS`], so that no loop has a tail of channels.

#[cfg(target_arch = "x86_64")]
pub(in crate::cpu) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(in crate::cpu) mod avx512_vnni;
#[cfg(target_arch = "x86_64")]
pub(in crate::cpu) mod avx_vnni;
mod depthwise;
mod generic;
#[cfg(target_arch = "aarch64")]
pub(in crate::cpu) mod neon;
#[cfg(target_arch = "aarch64")]
pub(in crate::cpu) mod neon_dotprod;
#[cfg(target_arch = "aarch64")]
pub(in crate::cpu) mod neon_i8mm;
mod pointwise;
#[cfg(any(test, not(target_arch = "x86_64")))]
pub(in crate::cpu) mod portable;
pub(in crate::cpu) mod reference;
#[cfg(target_arch = "x86_64")]
pub(in crate::cpu) mod sse2;
mod stem;

use crate::cpu::kernels::Offsets;

/// Channels are padded to a multiple of this, whatever the instruction set.
pub(in crate::cpu) const CHANNELS: usize = 16;

/// Room for the weights of a channel's 3x3 window as the depthwise kernels read them, 16-bit values: where
/// they are pairs, the last of each column has nothing beside it.
pub(in crate::cpu) const DEPTHWISE_WEIGHTS: usize = 12;

/// The kernels of an instruction set.
#[derive(Debug)]
pub(in crate::cpu) struct Kernels {
    /// Bytes of an activation in a tile, which goes from the depthwise kernel to the pointwise
    /// one, and of a pointwise weight: 1, or 2 where only 16-bit products are exact.
    pub tile_bytes: usize,
    /// Output channels in a vector of sums.
    pub lanes: usize,
    /// Vectors in a panel of pointwise weights.
    pub panel_vectors: usize,
    /// Channels in a block of depthwise weights. Where fewer are left, blocks are of
    /// `narrow_block`.
    pub block: usize,
    pub narrow_block: usize,
    /// Words of 32 bits that a channel's factor takes.
    pub factor_words: usize,
    /// How weights and tiles lie.
    pub layout: Layout,
    depthwise: unsafe fn(&Depthwise, &mut [u8]),
    pointwise: unsafe fn(&Pointwise, Output),
    stem: unsafe fn(&Stem, Output),
    peak: unsafe fn(usize) -> usize,
}

/// What of the order of weights and tiles instruction sets differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) struct Layout {
    /// Whether 16-bit products are added in pairs, whose weights lie side by side. Else those of a
    /// vector's channels do.
    pub pairs: bool,
    /// Whether pointwise weights in bytes are unsigned: what is [taken off](Pointwise::corrections) each
    /// makes them so.
    pub unsigned: bool,
    /// Whether bytes are multiplied by eights, of two pixels at once: eight of a channel's weights lie
    /// side by side, and in a tile eight of a pixel's channels and those of the next pixel.
    pub eights: bool,
}

impl Layout {
    /// Where machines add the products of pairs and of signed bytes.
    pub const PAIRS: Self = Self {
        pairs: true,
        unsigned: false,
        eights: false,
    };

    /// Bytes of a channel's pointwise weights that lie side by side.
    pub fn group_bytes(self) -> usize {
        if self.eights { 8 } else { 4 }
    }

    /// Pixels that a tile has room for, if it is for so many.
    pub fn tile_pixels(self, pixels: usize) -> usize {
        if self.eights {
            pixels.next_multiple_of(2)
        } else {
            pixels
        }
    }

    /// The bytes that pointwise weights can be.
    pub fn weight_range(self) -> (i32, i32) {
        match self.unsigned {
            true => (0, u8::MAX.into()),
            false => (i8::MIN.into(), i8::MAX.into()),
        }
    }
}

impl Kernels {
    /// Output channels in a panel of pointwise weights.
    pub fn panel(&self) -> usize {
        self.lanes * self.panel_vectors
    }

    /// Where in a tile an activation is, in bytes; `stride` are the activations from a pixel to the next.
    pub fn tile_place(&self, pixel: usize, stride: usize, channel: usize) -> usize {
        match self.layout.eights {
            true => eights_place(pixel, stride, channel),
            false => (pixel * stride + channel) * self.tile_bytes,
        }
    }

    /// Runs a depthwise convolution of a few rows into a tile, `[pixel][output_stride]` of
    /// `tile_bytes` each.
    pub fn depthwise(&self, task: &Depthwise, tile: &mut [u8]) {
        task.check(tile.len() / self.tile_bytes, self);
        // SAFETY: a table of kernels is only reached through an `Isa`, which exists only where
        // the machine has its instructions; `check` is what the kernel asks of its arguments.
        unsafe { (self.depthwise)(task, tile) }
    }

    /// Runs a pointwise convolution of a few pixels of a tile.
    ///
    /// # Safety
    /// No other thread may touch, at the same time, the channels of the pixels that the task
    /// writes to.
    pub unsafe fn pointwise(&self, task: &Pointwise, output: Output) {
        task.check(self, output.len);
        // SAFETY: as above; what the caller promises besides is passed on.
        unsafe { (self.pointwise)(task, output) }
    }

    /// Runs the stem for a row of its output.
    ///
    /// # Safety
    /// As [`pointwise`](Self::pointwise).
    pub unsafe fn stem(&self, task: &Stem, output: Output) {
        task.check(self, output.len);
        // SAFETY: as above; what the caller promises besides is passed on.
        unsafe { (self.stem)(task, output) }
    }

    /// Multiplies and adds in registers for some steps; returns how many operations that was.
    pub fn peak(&self, steps: usize) -> usize {
        // SAFETY: as above, and it takes no arguments that matter.
        unsafe { (self.peak)(steps) }
    }
}

/// The integers that a layer gives.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct Bounds {
    /// The least and the greatest of them, less the zero point.
    pub low: f32,
    pub high: f32,
    /// The one that stands for 0. It is added after rounding, which would take halves elsewhere
    /// after an odd one.
    pub zero: i32,
}

impl Bounds {
    /// The same where the zero point is 0, which the compiler sees then.
    fn without_zero(self) -> Self {
        Self { zero: 0, ..self }
    }

    fn check(self, most: f32) {
        let zero = self.zero as f32;
        assert!(self.low + zero >= 0.0 && self.high + zero <= most && self.low <= self.high);
    }
}

/// A 3x3 depthwise convolution of some rows of an image that is padded with its zero point.
pub(in crate::cpu) struct Depthwise<'a> {
    /// `[row][column][channel]`, from the first row and column under the first window on.
    pub input: &'a [u8],
    /// Whether those are of 16 bits, as some stems give them; else they are bytes.
    pub reads_words: bool,
    /// Activations from a row of the input to the next.
    pub row_stride: usize,
    /// Channels, a multiple of [`CHANNELS`].
    pub channels: usize,
    /// Blocks of `[kx][pair of ky][half][channel][2]`, see [`pack_depthwise`].
    pub weight: &'a [i16],
    /// Blocks of `[half][channel]`.
    pub bias: &'a [i32],
    /// What a sum is multiplied with, `factor_words` for each in the order of the bias.
    pub multiplier: &'a [f32],
    /// 1 or 2.
    pub stride: usize,
    /// Output rows.
    pub rows: usize,
    /// Output pixels of a row.
    pub columns: usize,
    /// Activations from a pixel of the tile to the next.
    pub output_stride: usize,
    /// What becomes of the sums.
    pub bounds: Bounds,
}

impl Depthwise<'_> {
    fn check(&self, output: usize, kernels: &Kernels) {
        let factor_words = kernels.factor_words;
        assert!(self.rows > 0 && self.columns > 0 && matches!(self.stride, 1 | 2));
        assert!(self.channels.is_multiple_of(CHANNELS) && self.output_stride >= self.channels);
        assert!(self.weight.len() >= DEPTHWISE_WEIGHTS * self.channels);
        assert!(self.bias.len() >= self.channels);
        assert!(self.multiplier.len() >= self.channels * factor_words);
        self.bounds.check(255.0);
        let last_row = (self.rows - 1) * self.stride + 2;
        let last_column = (self.columns - 1) * self.stride + 2;
        let last = last_row * self.row_stride + (last_column + 1) * self.channels;
        assert!(self.input.len() >= last * activation_bytes(self.reads_words));
        let pixels = kernels.layout.tile_pixels(self.rows * self.columns);
        assert!(output >= (pixels - 1) * self.output_stride + self.channels);
        assert!(!kernels.layout.eights || output >= pixels * self.output_stride);
    }
}

/// A product of a tile's pixels and packed weights.
pub(in crate::cpu) struct Pointwise<'a> {
    /// A tile, see [`Kernels::tile_place`].
    pub input: &'a [u8],
    /// Activations from a pixel of the input to the next.
    pub input_stride: usize,
    /// Input channels, a multiple of [`CHANNELS`].
    pub depth: usize,
    /// Panels of weights `[depth / group][panel][group]` of `tile_bytes` each, a group being of
    /// [`group_bytes`](Layout::group_bytes); the last ones may be narrower.
    pub weight: &'a [u8],
    /// `[output channel]`, padded as the weights are.
    pub bias: &'a [i32],
    /// What a sum is multiplied with, `[output channel][factor_words]`.
    pub multiplier: &'a [f32],
    /// Output channels, a multiple of the vector's sums.
    pub channels: usize,
    /// Where the first of these channels of the first pixel lies in the output, in activations.
    pub start: usize,
    /// Where each pixel lies from there, in activations.
    pub offsets: Offsets<'a>,
    /// What is added to all sums of each pixel; empty where nothing is.
    pub corrections: &'a [i32],
    /// Whether activations are written in 16 bits; else they are bytes.
    pub writes_words: bool,
    /// What becomes of the sums.
    pub bounds: Bounds,
}

impl Pointwise<'_> {
    fn check(&self, kernels: &Kernels, output: usize) {
        let tile_bytes = kernels.tile_bytes;
        let pixels = self.offsets.list().len();
        assert!(self.channels.is_multiple_of(kernels.lanes));
        assert!(self.depth.is_multiple_of(CHANNELS));
        assert!(self.bias.len() >= self.channels);
        assert!(self.multiplier.len() >= self.channels * kernels.factor_words);
        assert!(self.corrections.is_empty() || self.corrections.len() >= pixels);
        assert!(self.weight.len() >= self.depth * self.channels * tile_bytes && self.depth > 0);
        assert!(self.input_stride >= self.depth);
        self.bounds.check(largest(self.writes_words));
        let read = match kernels.layout.eights {
            true => kernels.layout.tile_pixels(pixels) * self.input_stride,
            false => pixels.saturating_sub(1) * self.input_stride + self.depth,
        };
        assert!(pixels == 0 || self.input.len() >= read * tile_bytes);
        let last = self.offsets.list().last().copied().unwrap_or(0);
        let end = self.start + last + self.channels;
        assert!(end * activation_bytes(self.writes_words) <= output);
    }
}

/// Pairs of values under the stem's window: three rows of nine values and one that counts for
/// nothing.
pub(in crate::cpu) const STEM_PAIRS: usize = 15;

/// A row of the stem's output.
pub(in crate::cpu) struct Stem<'a> {
    /// The lines under the windows, `[column][colour]` in 16 bits, with zeros at both ends.
    pub input: &'a [i16],
    /// Where the pairs under the first window begin.
    pub taps: [usize; STEM_PAIRS],
    /// Values from a window to the next.
    pub step: usize,
    /// Panels of weights `[pair][panel][2]`, or `[pair][vector][2][lane]` where they are not in
    /// [pairs](Layout::pairs); the last ones may be narrower.
    pub weight: &'a [i16],
    /// `[output channel]`, padded as the weights are.
    pub bias: &'a [i32],
    /// What a sum is multiplied with, `[output channel][factor_words]`.
    pub multiplier: &'a [f32],
    /// Output channels, a multiple of the vector's sums.
    pub channels: usize,
    /// Output pixels.
    pub columns: usize,
    /// Whether activations are written in 16 bits; else they are bytes.
    pub writes_words: bool,
    /// Where the first channel of the first pixel lies in the output, in activations.
    pub start: usize,
    /// Activations from a pixel of the output to the next.
    pub output_stride: usize,
    /// What becomes of the sums.
    pub bounds: Bounds,
}

impl Stem<'_> {
    fn check(&self, kernels: &Kernels, output: usize) {
        assert!(self.channels.is_multiple_of(kernels.lanes) && self.columns > 0);
        assert!(self.bias.len() >= self.channels);
        assert!(self.multiplier.len() >= self.channels * kernels.factor_words);
        assert!(self.weight.len() >= 2 * STEM_PAIRS * self.channels);
        self.bounds
            .check(if self.writes_words { 4095.0 } else { 255.0 });
        let last_tap = self.taps.iter().max().copied().unwrap_or(0);
        assert!(self.input.len() >= (self.columns - 1) * self.step + last_tap + 2);
        assert!(self.output_stride >= self.channels);
        let last = self.start + (self.columns - 1) * self.output_stride;
        assert!((last + self.channels) * activation_bytes(self.writes_words) <= output);
    }
}

/// Bytes that an activation takes.
pub(in crate::cpu) fn activation_bytes(is_word: bool) -> usize {
    1 + usize::from(is_word)
}

/// The largest activation of so many bytes: words have 12 bits.
fn largest(is_word: bool) -> f32 {
    if is_word { 4095.0 } else { 255.0 }
}

/// Memory that several threads write to, each its own pixels or channels.
#[derive(Clone, Copy)]
pub(in crate::cpu) struct Output {
    start: *mut u8,
    len: usize,
}

// SAFETY: it is a pointer that is only used through unsafe functions, whose callers promise
// that no two threads touch the same place at once.
unsafe impl Send for Output {}
// SAFETY: as above.
unsafe impl Sync for Output {}

impl Output {
    /// Some bytes.
    pub fn new(bytes: &mut [u8]) -> Self {
        Self {
            start: bytes.as_mut_ptr(),
            len: bytes.len(),
        }
    }

    /// The memory of floats as bytes.
    pub fn of_floats(floats: crate::cpu::kernels::Output) -> Self {
        let (start, len) = floats.raw();
        Self {
            start: start.cast(),
            len: len * size_of::<f32>(),
        }
    }

    /// All of it, to read.
    ///
    /// # Safety
    /// What it was made of is still there, and nobody writes to it for as long as this is used.
    pub unsafe fn bytes<'a>(self) -> &'a [u8] {
        // SAFETY: pointer and length are those of a slice; the rest is the caller's promise.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }

    /// A part of it, to write.
    ///
    /// # Safety
    /// What it was made of is still there, and nobody else touches this part for as long as this
    /// is used.
    pub unsafe fn part_mut<'a>(self, part: std::ops::Range<usize>) -> &'a mut [u8] {
        assert!(part.start <= part.end && part.end <= self.len);
        // SAFETY: the part is within; the rest is the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(part.start), part.len()) }
    }
}

/// A sum of products to an activation: `round(sum * multiplier)` within the bounds, halves to
/// even, and then the zero point. The sum becomes f32 first, which above 2^24 rounds it; this is the arithmetic of
/// LiteRT's default kernels, and of ONNX Runtime's and OpenVINO's convolutions.
#[cfg(any(test, not(target_arch = "x86_64")))]
#[inline(always)]
pub(in crate::cpu) fn requantise(sum: i32, multiplier: f32, bounds: Bounds) -> u8 {
    let scaled = (sum as f32 * multiplier).max(bounds.low).min(bounds.high);
    (scaled.round_ties_even() as i32 + bounds.zero) as u8
}

/// [`Kernels::tile_place`] for bytes that are multiplied by [eights](Layout::eights).
pub(in crate::cpu) fn eights_place(pixel: usize, stride: usize, channel: usize) -> usize {
    pixel / 2 * 2 * stride + channel / 8 * 16 + pixel % 2 * 8 + channel % 8
}

/// Where the weight of a channel and a place in the window lies in packed depthwise weights, and
/// where the channel's bias lies, for blocks of this many channels; both from the beginning of
/// all blocks when `channel` counts from there.
///
/// Kernels that multiply two rows of the window at once do it in 16-bit pairs. Interleaving the rows of
/// a vector leaves each of its 128-bit parts with the lower four of its eight channels in one
/// vector and the upper four in another, hence the halves. The others have the channels of a block side
/// by side, a column of the window after the other.
pub(in crate::cpu) fn depthwise_place(
    layout: Layout,
    block: usize,
    channel: usize,
    tap: usize,
) -> (usize, usize) {
    let (ky, kx) = (tap / 3, tap % 3);
    let (first, within) = (channel / block * block, channel % block);
    if !layout.pairs {
        let vector = kx * 3 + ky;
        return (first * DEPTHWISE_WEIGHTS + vector * block + within, channel);
    }
    let half = within / 4 % 2;
    let lane = within / 8 * 4 + within % 4;
    let vector = (kx * 2 + ky / 2) * 2 + half;
    let weight = first * DEPTHWISE_WEIGHTS + (vector * block / 2 + lane) * 2 + ky % 2;
    (weight, first + half * block / 2 + lane)
}
