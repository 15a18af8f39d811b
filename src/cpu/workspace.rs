//! What a pass needs besides the weights, kept from pass to pass.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::buffer::Buffer;
use crate::ops::Span;

/// An image in memory: `[row][column][channel]` with the zeros around it that the convolution
/// that reads it wants.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub rows: Rows,
    pub columns: Rows,
    pub channels: usize,
}

/// One direction of an image: its length and the zeros at both ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows {
    pub before: usize,
    pub len: usize,
    pub after: usize,
}

impl Rows {
    pub fn new(len: usize, span: Span) -> Self {
        Self {
            before: span.before,
            len,
            after: span.after,
        }
    }

    pub fn unpadded(len: usize) -> Self {
        Self {
            before: 0,
            len,
            after: 0,
        }
    }

    fn total(self) -> usize {
        self.before + self.len + self.after
    }
}

impl Layout {
    /// Floats from a row to the next.
    pub fn row_stride(&self) -> usize {
        self.columns.total() * self.channels
    }

    /// Floats in all.
    pub fn len(&self) -> usize {
        self.rows.total() * self.row_stride()
    }

    /// Where a pixel of the image begins.
    pub fn offset(&self, row: usize, column: usize) -> usize {
        (self.rows.before + row) * self.row_stride()
            + (self.columns.before + column) * self.channels
    }

    /// Writes the zeros around the image.
    pub fn zero_border(&self, floats: &mut [f32]) {
        let stride = self.row_stride();
        let inner = self.offset(0, 0);
        let left = self.columns.before * self.channels;
        let right = self.columns.after * self.channels;
        floats[..inner].fill(0.0);
        for row in 0..self.rows.len {
            let end = self.offset(row, self.columns.len);
            // The end of a row and the beginning of the next one.
            floats[end..end + right].fill(0.0);
            floats[end + right..][..left.min(stride)].fill(0.0);
        }
        let end = self.offset(self.rows.len, 0);
        floats[end.min(self.len())..self.len()].fill(0.0);
    }
}

/// A thread's own memory.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// The depthwise output of a tile, or the pixels under the stem's windows.
    pub tile: Buffer,
    /// Where each pixel of a tile lies in the output image.
    pub offsets: Vec<usize>,
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

    /// The images to read from and to write to, and the threads' memory.
    pub fn parts(&mut self) -> (&mut Buffer, &mut Buffer, Scratches<'_>) {
        let [first, second] = &mut self.images;
        (first, second, Scratches(&self.scratches))
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
