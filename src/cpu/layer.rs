//! One layer on one image, tile by tile: a depthwise layer's output goes through a scratch that
//! stays in the cache into the pointwise product, and so do the pixels under the stem's windows.

use super::kernels::{self, Kernels, Output};
use super::team::Member;
use super::weights::{Block, Packed};
use super::workspace::{Layout, Scratch, Scratches};

/// Pixels that go through the depthwise and the pointwise kernel together: few enough that
/// their channels stay in the second-level cache, many enough to use a panel of weights often.
/// Fourteen rows of fourteen, which is all of the layers where most of the weights are.
const TILE_PIXELS: usize = 196;

/// An image of fewer floats is in the second-level cache, having just been written.
const CACHED_FLOATS: usize = 128 << 10;

/// Fewest pixels for each thread; where there are fewer, threads share out the channels.
const THREAD_PIXELS: usize = 42;

/// Floats between the pixels of a tile beyond their channels: rows a power of two apart would
/// fall into the same few sets of the cache.
const SKEW: usize = 16;

/// Inputs of the stem: three colours under a 3x3 window.
const STEM_DEPTH: usize = 27;

/// Rows of a tile.
fn tile_rows(rows: usize, columns: usize) -> usize {
    (TILE_PIXELS / columns).clamp(1, rows)
}

/// Floats of a layer's largest tile, for an output of this size and this many inputs a pixel.
pub(super) fn tile_floats(rows: usize, columns: usize, depth: usize) -> usize {
    tile_rows(rows, columns) * columns * (depth + SKEW)
}

/// One layer's work on one image: the stem, or a block.
pub(super) struct Layer<'a> {
    pub kernels: &'static Kernels,
    pub input: &'a [f32],
    pub read: Layout,
    pub written: Layout,
    pub output: Output,
    pub stride: usize,
    /// `None` for the stem.
    pub block: Option<&'a Block>,
    /// The stem's weights, or the block's pointwise ones.
    pub dense: &'a Packed,
}

impl Layer<'_> {
    /// A thread's share: rows, or output channels where rows are few.
    pub fn run(&self, scratches: Scratches, member: Member) {
        let threads = member.threads();
        let rows = self.written.rows.len;
        let pixels = rows * self.written.columns.len;
        let by_rows = pixels >= THREAD_PIXELS * threads && rows >= threads;
        let panel = self.kernels.panel();
        let panels = self.dense.channels.div_ceil(panel);
        let share = |of: usize| {
            let at = |thread| of * thread / threads;
            at(member.number)..at(member.number + 1)
        };
        let (rows, panels) = match by_rows {
            true => (share(rows), 0..panels),
            false => (0..rows, share(panels)),
        };
        if rows.is_empty() || panels.is_empty() {
            return;
        }
        let channels = panels.start * panel..(panels.end * panel).min(self.dense.channels);
        self.rows(rows, channels, &mut scratches.of(member.number));
    }

    /// Some rows and channels of the output, tile by tile.
    fn rows(
        &self,
        rows: std::ops::Range<usize>,
        channels: std::ops::Range<usize>,
        scratch: &mut Scratch,
    ) {
        let (dense, columns) = (self.dense, self.written.columns.len);
        let most = tile_rows(self.written.rows.len, columns);
        // Tiles of about the same height.
        let tiles = rows.len().div_ceil(most);
        let at = |tile| rows.start + rows.len() * tile / tiles;
        for tile_number in 0..tiles {
            let (first, end) = (at(tile_number), at(tile_number + 1));
            let Scratch { tile, offsets } = &mut *scratch;
            let stride = match self.block {
                Some(block) => self.depthwise(block, first, end - first, tile.floats_mut()),
                None => self.windows(first, end - first, tile.floats_mut()),
            };
            offsets.clear();
            for row in first..end {
                let start = self.written.offset(row, 0) + channels.start;
                let pixels = (0..columns).map(|column| start + column * self.written.channels);
                offsets.extend(pixels);
            }
            let task = kernels::Pointwise {
                input: tile.floats(),
                input_stride: stride,
                depth: dense.depth,
                weight: &dense.weight()[channels.start * dense.depth..],
                bias: &dense.bias()[channels.start..],
                channels: channels.len(),
                offsets,
                bounds: dense.bounds,
            };
            // While the product keeps the arithmetic busy, the next tile's input comes nearer.
            if self.input.len() > CACHED_FLOATS {
                let next = at((tile_number + 2).min(tiles)) - end;
                kernels::prefetch(self.input_rows(end, next));
            }
            // SAFETY: threads are given different rows or different channels, and the offsets
            // are those of the rows.
            unsafe { self.kernels.pointwise(&task, self.output) };
        }
    }

    /// The input that some rows need and the rows before them did not.
    fn input_rows(&self, first: usize, rows: usize) -> &[f32] {
        let stride = self.read.row_stride();
        let start = (first * self.stride + 3 - self.stride) * stride;
        let end = start + rows * self.stride * stride;
        let end = end.min(self.input.len());
        self.input.get(start..end).unwrap_or_default()
    }

    /// The depthwise output of some rows; returns the floats from a pixel to the next.
    fn depthwise(&self, block: &Block, first: usize, rows: usize, output: &mut [f32]) -> usize {
        let weights = &block.depthwise;
        let output_stride = weights.channels + SKEW;
        let row_stride = self.read.row_stride();
        let task = kernels::Depthwise {
            input: &self.input[first * self.stride * row_stride..],
            row_stride,
            channels: weights.channels,
            weight: weights.weight(),
            bias: weights.bias(),
            stride: self.stride,
            rows,
            columns: self.written.columns.len,
            output_stride,
            high: weights.bounds.1,
        };
        self.kernels.depthwise(&task, output);
        output_stride
    }

    /// The pixels under the stem's windows of some rows, `[ky][kx][c]` for each; returns the
    /// floats from a pixel to the next.
    fn windows(&self, first: usize, rows: usize, output: &mut [f32]) -> usize {
        const ROW: usize = 9;
        let output_stride = STEM_DEPTH + SKEW;
        let row_stride = self.read.row_stride();
        let columns = self.written.columns.len;
        let mut pixels = output.chunks_exact_mut(output_stride);
        for row in first..first + rows {
            let top = row * self.stride * row_stride;
            for (column, pixel) in pixels.by_ref().take(columns).enumerate() {
                let left = top + column * self.stride * 3;
                let (rows, _) = pixel.as_chunks_mut::<ROW>();
                for (ky, row) in rows.iter_mut().take(3).enumerate() {
                    // Of a known length, a copy is two moves and not a call.
                    if let Some(window) = self.input[left + ky * row_stride..].first_chunk() {
                        *row = *window;
                    }
                }
            }
        }
        output_stride
    }
}
