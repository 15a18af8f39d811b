//! The inner loops, one file an instruction set.
//!
//! `generic` holds each loop once, over a vector type; the other files bring their vector and
//! instantiate the loops where their instructions may be used. Layouts: activations
//! `[pixel][channel]`, channels padded with zeros to a multiple of the vector, so that no loop
//! has a tail of channels. Arithmetic is in f32; what activations are stored in is an [`Element`],
//! here f32 itself.

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_stem;
pub(super) mod generic;
#[cfg(target_arch = "aarch64")]
pub(super) mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_stem;
pub(super) mod peak;
pub(super) mod portable;
pub(super) mod stem;

use super::element::Element;
use super::pixels::StemPixels;
use crate::pixels::COLOURS;

/// The kernels of an instruction set, for activations of a type.
#[derive(Debug)]
pub(super) struct Kernels<E: 'static = f32> {
    /// Floats in a vector; channels are padded to a multiple of it.
    pub lanes: usize,
    /// Vectors in a panel of pointwise weights.
    pub panel_vectors: usize,
    /// A channel's pointwise weights that lie side by side; the depth is padded to a multiple of it.
    pub group: usize,
    pub(super) depthwise: unsafe fn(&Depthwise<E>, &mut [E]),
    pub(super) pointwise: unsafe fn(&Pointwise<E>, Output<E>),
    pub(super) bytes: unsafe fn(&StemPixels<E>, &[u8], [&mut [E]; COLOURS]),
    pub(super) stem: unsafe fn(&Stem<E>, Output<E>),
    pub(super) peak: unsafe fn(usize) -> usize,
}

impl<E: Element> Kernels<E> {
    /// Output channels in a panel of pointwise weights.
    pub fn panel(&self) -> usize {
        self.lanes * self.panel_vectors
    }

    /// Runs a depthwise convolution of a few rows into `output`, `[pixel][output_stride]`.
    pub fn depthwise(&self, task: &Depthwise<E>, output: &mut [E]) {
        task.check(self.lanes, output.len());
        // SAFETY: a table of kernels is only reached through an `Isa`, which exists only where
        // the machine has its instructions; `check` is what the kernel asks of its arguments.
        unsafe { (self.depthwise)(task, output) }
    }

    /// Runs a pointwise convolution of a few pixels.
    ///
    /// # Safety
    /// No other thread may touch, at the same time, the channels of the pixels that the task
    /// writes to.
    pub unsafe fn pointwise(&self, task: &Pointwise<E>, output: Output<E>) {
        task.check(self.lanes, self.group, output.len);
        // SAFETY: as above; what the caller promises besides is passed on.
        unsafe { (self.pointwise)(task, output) }
    }

    /// Writes a row of bytes `[column][colour]` as a line of each colour, of what the stem reads for
    /// them.
    pub fn bytes(&self, pixels: &[u8], values: &StemPixels<E>, lines: [&mut [E]; COLOURS]) {
        assert!(
            lines
                .iter()
                .all(|line| line.len() * COLOURS == pixels.len())
        );
        // SAFETY: as above.
        unsafe { (self.bytes)(values, pixels, lines) }
    }

    /// Runs the stem for a row of its output.
    ///
    /// # Safety
    /// As [`pointwise`](Self::pointwise).
    pub unsafe fn stem(&self, task: &Stem<E>, output: Output<E>) {
        task.check(self.lanes, output.len);
        // SAFETY: as above; what the caller promises besides is passed on.
        unsafe { (self.stem)(task, output) }
    }

    /// Multiplies and adds in registers for some steps; returns how many operations that was.
    pub fn peak(&self, steps: usize) -> usize {
        // SAFETY: as above, and it takes no arguments that matter.
        unsafe { (self.peak)(steps) }
    }
}

/// Bytes of a cache line.
#[cfg(target_arch = "x86_64")]
const LINE_BYTES: usize = 64;

/// Asks for `len` elements that will be read at once to be brought into the first-level cache.
#[inline(always)]
fn prefetch_near<E>(start: *const E, len: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..len).step_by(LINE_BYTES / size_of::<E>()) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which reads nothing wherever it points; every x86-64 has it.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(line).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (start, len);
}

/// Asks for memory that will be read soon to be brought into the second-level cache.
#[inline]
pub(super) fn prefetch<E>(elements: &[E]) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..elements.len()).step_by(LINE_BYTES / size_of::<E>()) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        let line = elements.as_ptr().wrapping_add(line);
        // SAFETY: a hint, which reads nothing; every x86-64 has it.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = elements;
}

/// A 3x3 depthwise convolution of some rows of an image that is padded with zeros.
pub(super) struct Depthwise<'a, E = f32> {
    /// `[row][column][channel]`, from the first row and column under the first window on.
    pub input: &'a [E],
    /// Elements from a row of the input to the next.
    pub row_stride: usize,
    /// Channels, a multiple of the vector.
    pub channels: usize,
    /// `[ky][kx][channel]`.
    pub weight: &'a [f32],
    /// `[channel]`.
    pub bias: &'a [f32],
    /// 1 or 2.
    pub stride: usize,
    /// Output rows.
    pub rows: usize,
    /// Output pixels of a row.
    pub columns: usize,
    /// Elements from a pixel of the output to the next.
    pub output_stride: usize,
    /// The activation's maximum.
    pub high: f32,
}

impl<E> Depthwise<'_, E> {
    fn check(&self, lanes: usize, output: usize) {
        assert!(self.rows > 0 && self.columns > 0 && matches!(self.stride, 1 | 2));
        assert!(self.channels.is_multiple_of(lanes) && self.output_stride >= self.channels);
        assert!(self.weight.len() >= 9 * self.channels && self.bias.len() >= self.channels);
        let last_row = (self.rows - 1) * self.stride + 2;
        let last_column = (self.columns - 1) * self.stride + 2;
        let last = last_row * self.row_stride + (last_column + 1) * self.channels;
        assert!(self.input.len() >= last);
        let pixels = self.rows * self.columns;
        assert!(output >= (pixels - 1) * self.output_stride + self.channels);
    }
}

/// A product of pixels and packed weights.
pub(super) struct Pointwise<'a, E = f32> {
    /// `[pixel][channel]`.
    pub input: &'a [E],
    /// Elements from a pixel of the input to the next.
    pub input_stride: usize,
    /// Input channels that count, a multiple of [`Kernels::group`].
    pub depth: usize,
    /// Panels of weights `[depth / group][panel][group]`; the last ones may be narrower.
    pub weight: &'a [E],
    /// `[output channel]`, padded as the weights are.
    pub bias: &'a [f32],
    /// Output channels, a multiple of the vector.
    pub channels: usize,
    /// Where the first of these channels of the first pixel lies in the output.
    pub start: usize,
    /// Where each pixel lies from there.
    pub offsets: Offsets<'a>,
    /// The activation's bounds.
    pub bounds: (f32, f32),
}

impl<E: Element> Pointwise<'_, E> {
    fn check(&self, lanes: usize, group: usize, output: usize) {
        let pixels = self.offsets.0.len();
        assert!(self.channels.is_multiple_of(lanes) && self.bias.len() >= self.channels);
        assert!(self.weight.len() >= self.depth * self.channels && self.depth > 0);
        assert!(self.input_stride >= self.depth && self.depth.is_multiple_of(group));
        assert!(pixels == 0 || self.input.len() >= (pixels - 1) * self.input_stride + self.depth);
        let last = self.offsets.0.last().copied().unwrap_or(0);
        assert!(self.start + last + self.channels <= output);
    }
}

/// Where pixels lie in an image, ascending: the last is the largest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offsets<'a>(&'a [usize]);

impl<'a> Offsets<'a> {
    /// All of them, in order.
    pub fn list(self) -> &'a [usize] {
        self.0
    }

    /// A single pixel.
    pub const ONE: Offsets<'static> = Offsets(&[0]);

    /// The first `pixels` of some rows, from the first one on: `columns` pixels of `channels`
    /// elements each, and `row_stride` from a row to the next. `list` holds what was asked for
    /// last, and is only written where this is something else.
    pub fn of_rows(
        list: &'a mut OffsetList,
        rows: usize,
        columns: usize,
        channels: usize,
        row_stride: usize,
    ) -> Self {
        assert!(channels * columns <= row_stride);
        let shape = (columns, channels, row_stride);
        if list.shape != shape {
            list.offsets.clear();
            list.shape = shape;
        }
        for row in list.offsets.len() / columns..rows {
            let start = row * row_stride;
            let pixels = (0..columns).map(|column| start + column * channels);
            list.offsets.extend(pixels);
        }
        Self(&list.offsets[..rows * columns])
    }
}

/// The memory of [`Offsets`].
#[derive(Debug, Default)]
pub(super) struct OffsetList {
    shape: (usize, usize, usize),
    offsets: Vec<usize>,
}

/// A row of the stem's output.
pub(super) struct Stem<'a, E = f32> {
    /// The lines under the windows, with zeros around them.
    pub input: &'a [E],
    /// Where the groups of values under the first window lie, in the order of the weights.
    pub taps: &'a [usize],
    /// Panels of weights `[tap][panel][group]`; the last ones may be narrower.
    pub weight: &'a [E],
    /// `[output channel]`, padded as the weights are.
    pub bias: &'a [f32],
    /// Output channels, a multiple of the vector.
    pub channels: usize,
    /// Output channels that are not padding. What is written to the others doesn't matter.
    pub outputs: usize,
    /// Output pixels.
    pub columns: usize,
    /// Where the first of these channels of the first pixel lies in the output.
    pub start: usize,
    /// Elements from a pixel of the output to the next.
    pub output_stride: usize,
    /// The activation's bounds.
    pub bounds: (f32, f32),
}

impl<E: Element> Stem<'_, E> {
    fn check(&self, lanes: usize, output: usize) {
        assert!(self.channels.is_multiple_of(lanes) && self.bias.len() >= self.channels);
        assert!(self.taps.len() == E::STEM_TAPS.len() && self.columns > 0);
        assert!(self.weight.len() >= self.taps.len() * E::GROUP * self.channels);
        let last_tap = self.taps.iter().max().copied().unwrap_or(0);
        let columns = self.columns.next_multiple_of(lanes);
        assert!(self.input.len() >= columns * stem::STRIDE + last_tap);
        assert!(self.output_stride >= self.channels);
        assert!(self.outputs <= self.channels);
        let last = self.start + (self.columns - 1) * self.output_stride;
        assert!(last + self.channels <= output);
    }
}

/// Memory that several threads write to, each its own pixels or channels.
#[derive(Debug)]
pub(super) struct Output<E = f32> {
    start: *mut E,
    len: usize,
}

impl<E> Clone for Output<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Output<E> {}

// SAFETY: it is a pointer that is only used through unsafe functions, whose callers promise
// that no two threads touch the same place at once.
unsafe impl<E: Send> Send for Output<E> {}
// SAFETY: as above.
unsafe impl<E: Sync> Sync for Output<E> {}

impl Output {
    /// The same memory for other elements.
    pub fn of<E: Element>(self) -> Output<E> {
        Output {
            start: self.start.cast(),
            len: self.len * size_of::<f32>() / size_of::<E>(),
        }
    }
}

impl<E: Element> Output<E> {
    /// The elements of a slice, which stays borrowed for as long as the caller makes it.
    pub fn new(elements: &mut [E]) -> Self {
        Self {
            start: elements.as_mut_ptr(),
            len: elements.len(),
        }
    }

    /// Where it begins, and its length in elements.
    pub fn raw(self) -> (*mut E, usize) {
        (self.start, self.len)
    }

    /// All of it, to read.
    ///
    /// # Safety
    /// What it was made of is still there, and nobody writes to it for as long as this is used.
    pub unsafe fn elements<'a>(self) -> &'a [E] {
        // SAFETY: pointer and length are those of a slice; the rest is the caller's promise.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }

    /// A part of it, to write.
    ///
    /// # Safety
    /// What it was made of is still there, and nobody else touches this part for as long as this
    /// is used.
    pub unsafe fn part_mut<'a>(self, part: std::ops::Range<usize>) -> &'a mut [E] {
        assert!(part.start <= part.end && part.end <= self.len);
        // SAFETY: the part is within; the rest is the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(part.start), part.len()) }
    }

    /// Fills a part with zeros.
    ///
    /// # Safety
    /// What it was made of is still there, and nobody else touches this part meanwhile.
    pub unsafe fn zero(self, part: std::ops::Range<usize>) {
        assert!(part.start <= part.end && part.end <= self.len);
        // SAFETY: the part is within; the rest is the caller's promise.
        unsafe { std::ptr::write_bytes(self.start.add(part.start), 0, part.len()) }
    }
}
