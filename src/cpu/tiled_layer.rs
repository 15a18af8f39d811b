//! One layer on one image, tile by tile: a depthwise layer's output goes through a scratch that
//! stays in the cache into the pointwise product, and so do the pixels under the stem's windows.

use std::ops::Range;

use super::barrier::Member;
use super::buffer::floats_of;
use super::element::Element;
use super::kernels::{self, Kernels, Offsets, Output};
use super::pixels::{Picture, StemPixels};
use super::tiles::{share, tile_rows, tiles};
use super::weights::Packed;
use super::workspace::{PaddedImage, Scratch, Scratches};
use crate::model::SeparableBlock;
use crate::pixels::COLOURS;

/// An image of fewer bytes is in the second-level cache, having just been written.
const CACHED_BYTES: usize = 512 << 10;

/// Bytes between the pixels of a tile beyond their channels: rows a power of two apart would
/// fall into the same few sets of the cache.
const SKEW_BYTES: usize = 64;

/// Rows under a row of the stem's windows.
const STEM_ROWS: usize = 3;

/// Elements that kernels may read beyond a line of the stem's: three vectors.
const BEYOND: usize = 48;

/// A layer for an input size: the stem, or a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct LayerShape<'a> {
    pub read: PaddedImage,
    pub written: PaddedImage,
    pub stride: usize,
    /// `None` for the stem.
    pub block: Option<&'a SeparableBlock<Packed>>,
    /// The stem's weights, or the block's pointwise ones.
    pub dense: &'a Packed,
}

impl LayerShape<'_> {
    /// Elements from a pixel of a tile to the next, or, for the stem, from a line to the next.
    fn tile_stride<E>(&self) -> usize {
        match self.block {
            Some(block) => block.depthwise.channels + SKEW_BYTES / size_of::<E>(),
            None => (self.read.columns.total() + BEYOND).next_multiple_of(32),
        }
    }

    /// Floats of the largest tile.
    pub fn tile_floats<E: Element>(&self) -> usize {
        let strides = match self.block {
            Some(_) => tile_rows(self.written) * self.written.columns.len,
            None => E::STEM_LINES,
        };
        floats_of::<E>(strides * self.tile_stride::<E>())
    }
}

/// One layer's work on one image.
pub(super) struct TiledLayer<'a, E: 'static> {
    pub kernels: &'static Kernels<E>,
    pub shape: LayerShape<'a>,
    pub input: Input<'a, E>,
    pub output: Output<E>,
}

/// What a layer reads.
#[derive(Clone, Copy)]
pub(super) enum Input<'a, E> {
    /// The stem.
    Picture(Picture<'a>, &'a StemPixels<E>),
    /// A block: what the layer before it wrote, with zeros around it.
    Activations(&'a [E]),
}

impl<E: Element> TiledLayer<'_, E> {
    /// A thread's share: rows, or output channels where rows are few.
    pub fn run(&self, scratches: Scratches, member: Member) {
        let LayerShape { written, dense, .. } = self.shape;
        let panel = self.kernels.panel();
        let Some((rows, channels)) = share(written, dense.channels, panel, member) else {
            return;
        };
        let scratch = &mut scratches.of(member.number);
        match (self.input, self.shape.block) {
            (Input::Activations(input), Some(block)) => {
                self.block(input, &block.depthwise, rows, channels, scratch);
            }
            (Input::Picture(picture, values), _) => {
                self.stem(picture, values, rows, channels, scratch);
            }
            // There is no such layer: only the stem is none of a block.
            (Input::Activations(_), None) => {}
        }
    }

    /// Some rows and channels of a block's output, tile by tile.
    fn block(
        &self,
        input: &[E],
        depthwise: &Packed,
        rows: Range<usize>,
        channels: Range<usize>,
        scratch: &mut Scratch,
    ) {
        for (tile, next) in tiles(self.shape.written, rows) {
            let activations = bytemuck::cast_slice_mut(scratch.tile.floats_mut());
            self.depthwise(input, depthwise, tile.clone(), activations);
            // While the product keeps the arithmetic busy, the next tile's input comes nearer.
            if size_of_val(input) > CACHED_BYTES {
                kernels::prefetch(self.input_rows(input, tile.end, next));
            }
            self.product(tile, channels.clone(), scratch);
        }
    }

    /// The product of a tile that holds the depthwise output.
    pub fn product(&self, rows: Range<usize>, channels: Range<usize>, scratch: &mut Scratch) {
        let LayerShape { written, dense, .. } = self.shape;
        let Scratch { tile, offsets, .. } = scratch;
        let task = kernels::Pointwise {
            input: bytemuck::cast_slice(tile.floats()),
            input_stride: self.shape.tile_stride::<E>(),
            depth: dense.depth,
            weight: &dense.weight::<E>()[channels.start * dense.depth..],
            bias: &dense.bias()[channels.start..],
            channels: channels.len(),
            start: written.offset(rows.start, 0) + channels.start,
            offsets: Offsets::of_rows(
                offsets,
                rows.len(),
                written.columns.len,
                written.channels,
                written.row_stride(),
            ),
            bounds: dense.bounds,
        };
        // SAFETY: threads are given different rows or different channels, and the offsets are
        // those of the rows.
        unsafe { self.kernels.pointwise(&task, self.output) };
    }

    /// The input that some rows need and the rows before them did not.
    fn input_rows<'i>(&self, input: &'i [E], first: usize, rows: usize) -> &'i [E] {
        let stride = self.shape.stride;
        let row_stride = self.shape.read.row_stride();
        let start = (first * stride + 3 - stride) * row_stride;
        let end = start + rows * stride * row_stride;
        let end = end.min(input.len());
        input.get(start..end).unwrap_or_default()
    }

    /// The depthwise output of a tile.
    pub fn depthwise(&self, input: &[E], weights: &Packed, rows: Range<usize>, output: &mut [E]) {
        let LayerShape { read, stride, .. } = self.shape;
        let row_stride = read.row_stride();
        let task = kernels::Depthwise {
            input: &input[rows.start * stride * row_stride..],
            row_stride,
            channels: weights.channels,
            weight: weights.weight(),
            bias: weights.bias(),
            stride,
            rows: rows.len(),
            columns: self.shape.written.columns.len,
            output_stride: self.shape.tile_stride::<E>(),
            high: weights.bounds.1,
        };
        self.kernels.depthwise(&task, output);
    }

    /// Some rows and channels of the stem's output. What it reads is the picture as it came, without
    /// zeros around it.
    pub fn stem(
        &self,
        picture: Picture,
        values: &StemPixels<E>,
        rows: Range<usize>,
        channels: Range<usize>,
        scratch: &mut Scratch,
    ) {
        let LayerShape {
            read,
            written,
            dense,
            ..
        } = self.shape;
        let stride = self.shape.tile_stride::<E>();
        let mut taps = [0; kernels::stem::MOST_TAPS];
        let taps = &mut taps[..E::STEM_TAPS.len()];
        for (tap, (line, column)) in taps.iter_mut().zip(E::STEM_TAPS) {
            *tap = line * stride + column;
        }
        let tile: &mut [E] = bytemuck::cast_slice_mut(scratch.tile.floats_mut());
        let tile = &mut tile[..E::STEM_LINES * stride];
        let read_lines = STEM_ROWS * COLOURS * stride;
        let three_lines = COLOURS * stride;
        for row in rows.clone() {
            let mut first = 0;
            if row > rows.start {
                // What was the last row under the windows above is the first one now.
                first = STEM_ROWS - self.shape.stride.min(STEM_ROWS);
                tile.copy_within((STEM_ROWS - first) * three_lines..read_lines, 0);
            }
            let lines = tile[..read_lines].chunks_exact_mut(three_lines);
            let lines = lines.enumerate().skip(first);
            for (ky, lines) in lines {
                let from = (row * self.shape.stride + ky).checked_sub(read.rows.before);
                picture.lines(from, read, values, self.kernels, stride, lines);
            }
            E::make_lines(tile, stride, written.columns.len);
            let task = kernels::Stem {
                input: tile,
                taps,
                weight: &dense.weight::<E>()[channels.start * dense.depth..],
                bias: &dense.bias()[channels.start..],
                channels: channels.len(),
                outputs: dense.outputs.min(channels.end) - channels.start,
                columns: written.columns.len,
                start: written.offset(row, 0) + channels.start,
                output_stride: written.channels,
                bounds: dense.bounds,
            };
            // SAFETY: threads are given different rows or different channels.
            unsafe { self.kernels.stem(&task, self.output) };
        }
    }
}
