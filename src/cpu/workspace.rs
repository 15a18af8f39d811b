//! What a pass needs besides the weights, kept from pass to pass.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::buffer::Buffer;
use super::kernels::OffsetList;
use crate::ops::Span;

/// An image in memory: `[row][column][channel]` with the zeros around it that the convolution
/// that reads it wants.
#[derive(Debug, Clone, Copy)]
pub(super) struct PaddedImage {
    pub rows: PaddedSpan,
    pub columns: PaddedSpan,
    pub channels: usize,
}

/// One direction of an image: its length and the zeros at both ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct PaddedSpan {
    pub before: usize,
    pub len: usize,
    pub after: usize,
}

impl PaddedSpan {
    pub fn new(len: usize, span: Span) -> Self {
        Self {
            before: span.before,
            len,
            after: span.after,
        }
    }

    /// With the zeros.
    pub fn total(self) -> usize {
        self.before + self.len + self.after
    }
}

impl PaddedImage {
    /// An image with nothing around it.
    pub fn unpadded(rows: usize, columns: usize, channels: usize) -> Self {
        let direction = |len| PaddedSpan {
            before: 0,
            len,
            after: 0,
        };
        Self {
            rows: direction(rows),
            columns: direction(columns),
            channels,
        }
    }

    /// Values from a row to the next.
    pub fn row_stride(&self) -> usize {
        self.columns.total() * self.channels
    }

    /// Values in all.
    pub fn len(&self) -> usize {
        self.rows.total() * self.row_stride()
    }

    /// Where a pixel of the image begins.
    pub fn offset(&self, row: usize, column: usize) -> usize {
        (self.rows.before + row) * self.row_stride()
            + (self.columns.before + column) * self.channels
    }

    /// Calls `zero` with each range of the values around the image.
    pub fn border(&self, mut zero: impl FnMut(std::ops::Range<usize>)) {
        let left = self.columns.before * self.channels;
        let right = self.columns.after * self.channels;
        zero(0..self.offset(0, 0));
        for row in 0..self.rows.len {
            // The end of a row and, but for the last, the beginning of the next one.
            let end = self.offset(row, self.columns.len);
            zero(end..(end + right + left).min(self.len()));
        }
        zero(self.offset(self.rows.len, 0).min(self.len())..self.len());
    }
}

/// A thread's own memory.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// The depthwise output of a tile, or the lines under the stem's windows.
    pub tile: Buffer,
    /// Where each pixel of a tile lies in the output image.
    pub offsets: OffsetList,
    /// What is added to all sums of each pixel of a tile, in integers.
    pub corrections: Vec<i32>,
}

/// The memory of one pass.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    /// What a layer reads and what it writes, in turn.
    pub images: [Buffer; 2],
    scratches: Vec<Mutex<Scratch>>,
}

impl Workspace {
    /// Makes room, where there is less, for images, tiles and threads.
    pub fn reserve(&mut self, image: usize, tile: usize, threads: usize) {
        for buffer in &mut self.images {
            buffer.reserve(image);
        }
        while self.scratches.len() < threads {
            self.scratches.push(Mutex::default());
        }
        for scratch in &mut self.scratches {
            let scratch = scratch.get_mut().unwrap_or_else(PoisonError::into_inner);
            scratch.tile.reserve(tile);
        }
    }

    /// The two images, and the threads' memory.
    pub fn parts(&mut self) -> ([&mut Buffer; 2], Scratches<'_>) {
        (self.images.each_mut(), Scratches(&self.scratches))
    }
}

/// Each thread's memory, by its number.
#[derive(Clone, Copy)]
pub(super) struct Scratches<'a>(&'a [Mutex<Scratch>]);

impl<'a> Scratches<'a> {
    /// The memory of a thread, which nobody else asks for.
    pub fn of(self, thread: usize) -> MutexGuard<'a, Scratch> {
        self.0[thread]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Workspaces that no pass is using.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<Vec<Workspace>>);

impl Pool {
    /// Lends a workspace for the time of `pass`.
    pub fn lend<T>(&self, pass: impl FnOnce(&mut Workspace) -> T) -> T {
        let free = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut workspace = free().pop().unwrap_or_default();
        let result = pass(&mut workspace);
        free().push(workspace);
        result
    }
}
