//! The two passes of the resampler: weighted sums of samples along one direction.
//!
//! Sums are of integers, so the order in which they are taken does not show: the loops of every
//! instruction set give the same bytes, and the fastest that the processor has are taken.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_dotprod;
mod portable;
mod taps;
#[cfg(test)]
mod tests;

use std::ops::Range;

use image::RgbImage;

pub(super) use self::taps::Taps;
use crate::processor::Feature;

/// Bytes of a pixel.
pub(super) const CHANNELS: usize = 3;

/// Resamples along x. `pixels` has lines of `width` pixels, the first of which is the taps'
/// position `offset`.
pub(super) fn resample_columns(pixels: &[u8], width: usize, taps: &Taps, offset: usize) -> Vec<u8> {
    let task = Columns {
        pixels,
        width,
        taps,
        offset,
    };
    let mut output = vec![0; task.lines().len() * task.written()];
    Loops::fastest().columns(&task, &mut output);
    output
}

/// Resamples along y the given columns of `image`, whose first line is the taps' position
/// `offset`.
pub(super) fn resample_rows(
    image: &RgbImage,
    taps: &Taps,
    offset: usize,
    columns: Range<usize>,
) -> Vec<u8> {
    let task = Rows {
        pixels: image.as_raw(),
        stride: image.width() as usize * CHANNELS,
        part: columns.start * CHANNELS..columns.end * CHANNELS,
        taps,
        offset,
    };
    let mut output = vec![0; taps.len() * task.part.len()];
    Loops::fastest().rows(&task, &mut output);
    output
}

/// Lines to be resampled along x.
struct Columns<'a> {
    pixels: &'a [u8],
    /// Pixels of a line.
    width: usize,
    taps: &'a Taps,
    /// The taps' position that a line begins with.
    offset: usize,
}

impl Columns<'_> {
    fn lines(&self) -> std::slice::ChunksExact<'_, u8> {
        self.pixels.chunks_exact(self.width * CHANNELS)
    }

    /// Bytes of a line that comes of it.
    fn written(&self) -> usize {
        self.taps.len() * CHANNELS
    }
}

/// Lines to be resampled along y.
struct Rows<'a> {
    pixels: &'a [u8],
    /// Bytes from a line to the next.
    stride: usize,
    /// The bytes of each line that are wanted.
    part: Range<usize>,
    taps: &'a Taps,
    /// The taps' position of the first line.
    offset: usize,
}

impl Rows<'_> {
    /// What is wanted of the line at a position of the taps', and all bytes behind it.
    fn starting_at(&self, begin: usize) -> &[u8] {
        &self.pixels[(begin - self.offset) * self.stride + self.part.start..]
    }

    /// What is wanted of each line from a position of the taps' on.
    fn lines(&self, begin: usize) -> impl Iterator<Item = &[u8]> {
        let lines = self.starting_at(begin).chunks(self.stride);
        lines.map(|line| &line[..self.part.len()])
    }
}

/// The loops for an instruction set.
struct Loops {
    /// What of a processor they need.
    needs: &'static [Feature],
    columns: unsafe fn(&Columns, &mut [u8]),
    rows: unsafe fn(&Rows, &mut [u8]),
}

impl Loops {
    /// Those of this architecture, the fastest first.
    fn all() -> Vec<&'static Self> {
        vec![
            #[cfg(target_arch = "x86_64")]
            &avx2::LOOPS,
            #[cfg(target_arch = "aarch64")]
            &neon_dotprod::LOOPS,
            #[cfg(target_arch = "aarch64")]
            &neon::LOOPS,
            &portable::LOOPS,
        ]
    }

    /// Those that this processor has what they need for, the fastest first.
    fn available() -> impl Iterator<Item = &'static Self> {
        let all = Self::all().into_iter();
        all.filter(|loops| loops.needs.iter().all(|feature| feature.is_here()))
    }

    fn fastest() -> &'static Self {
        Self::available().next().unwrap_or(&portable::LOOPS)
    }

    fn columns(&self, task: &Columns, output: &mut [u8]) {
        assert_eq!(output.len(), task.lines().len() * task.written());
        // SAFETY: loops are only taken from those that the processor has what they need for.
        unsafe { (self.columns)(task, output) }
    }

    fn rows(&self, task: &Rows, output: &mut [u8]) {
        assert_eq!(output.len(), task.taps.len() * task.part.len());
        // SAFETY: as above.
        unsafe { (self.rows)(task, output) }
    }
}
