//! One layer on one image in integers, tile by tile: a depthwise layer's output goes through a
//! scratch that stays in the cache into the pointwise product.

use std::ops::Range;

use super::kernels::{self, Kernels, Output};
use super::weights::PackedInt8;
use crate::cpu::barrier::Member;
use crate::cpu::kernels::Offsets;
use crate::cpu::tiles::{share, tile_rows, tiles};
use crate::cpu::workspace::{PaddedImage, Scratch, Scratches};
use crate::model::SeparableBlock;

/// Activations between the pixels of a tile beyond their channels: rows a power of two apart
/// would fall into the same few sets of the cache.
const SKEW: usize = 64;

/// A block for an input size.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockShape<'a> {
    pub read: PaddedImage,
    /// Whether what it reads is in 16 bits.
    pub reads_words: bool,
    pub written: PaddedImage,
    pub block: &'a SeparableBlock<PackedInt8>,
}

impl BlockShape<'_> {
    /// Activations from a pixel of a tile to the next.
    fn tile_stride(&self) -> usize {
        self.block.depthwise.channels + SKEW
    }

    /// Bytes of what it reads.
    pub fn read_bytes(&self) -> usize {
        self.read.len() * kernels::activation_bytes(self.reads_words)
    }

    /// Bytes of what it writes.
    pub fn written_bytes(&self) -> usize {
        let is_wide = self.block.pointwise.output.is_wide();
        self.written.len() * kernels::activation_bytes(is_wide)
    }

    /// Activations of the largest tile.
    pub fn tile_len(&self) -> usize {
        // Some kernels take two pixels at a time.
        let pixels = tile_rows(self.written) * self.written.columns.len;
        pixels.next_multiple_of(2) * self.tile_stride()
    }
}

/// One block's work on one image.
pub(super) struct BlockPass<'a> {
    pub kernels: &'static Kernels,
    pub shape: BlockShape<'a>,
    pub input: &'a [u8],
    pub output: Output,
}

impl BlockPass<'_> {
    /// A thread's share: rows, or output channels where rows are few.
    pub fn run(&self, scratches: Scratches, member: Member) {
        let BlockShape { written, block, .. } = self.shape;
        let (dense, panel) = (&block.pointwise, self.kernels.panel());
        let Some((rows, channels)) = share(written, dense.channels, panel, member) else {
            return;
        };
        let scratch = &mut scratches.of(member.number);
        for (tile, _) in tiles(written, rows) {
            let bytes = bytemuck::cast_slice_mut(scratch.tile.floats_mut());
            self.depthwise(&block.depthwise, tile.clone(), bytes);
            self.correct(tile.len(), scratch);
            self.product(tile, channels.clone(), scratch);
        }
    }

    /// The product of a tile that holds the depthwise output.
    pub fn product(&self, rows: Range<usize>, channels: Range<usize>, scratch: &mut Scratch) {
        let BlockShape { written, block, .. } = self.shape;
        let dense = &block.pointwise;
        let Scratch {
            tile,
            offsets,
            corrections,
        } = scratch;
        let weight = channels.start * dense.depth * self.kernels.tile_bytes;
        let factors = channels.start * self.kernels.factor_words;
        let task = kernels::Pointwise {
            input: bytemuck::cast_slice(tile.floats()),
            input_stride: self.shape.tile_stride(),
            depth: dense.depth,
            weight: &dense.weight_bytes()[weight..],
            bias: &dense.bias()[channels.start..],
            multiplier: &dense.multiplier()[factors..],
            channels: channels.len(),
            start: written.offset(rows.start, 0) + channels.start,
            offsets: Offsets::of_rows(
                offsets,
                rows.len(),
                written.columns.len,
                written.channels,
                written.row_stride(),
            ),
            corrections: if dense.offset == 0 { &[] } else { corrections },
            writes_words: dense.output.is_wide(),
            bounds: dense.bounds(),
        };
        // SAFETY: threads are given different rows or different channels, and the offsets are
        // those of the rows.
        unsafe { self.kernels.pointwise(&task, self.output) };
    }

    /// What is taken off the weights is added to the sums of a tile of so many rows again, for each
    /// pixel of it.
    pub fn correct(&self, rows: usize, scratch: &mut Scratch) {
        let BlockShape { written, block, .. } = self.shape;
        let offset = block.pointwise.offset;
        if offset == 0 {
            return;
        }
        let stride = self.shape.tile_stride();
        let tile: &[u8] = bytemuck::cast_slice(scratch.tile.floats());
        let inputs = block.pointwise.inputs;
        scratch.corrections.clear();
        scratch
            .corrections
            .extend((0..rows * written.columns.len).map(|pixel| {
                // In pieces as long as bytes of a pixel lie side by side.
                let piece = if self.kernels.layout.eights {
                    8
                } else {
                    inputs
                };
                let channels = (0..inputs).step_by(piece.max(1));
                let sums = channels.map(|channel| {
                    let start = self.kernels.tile_place(pixel, stride, channel);
                    let len = piece.min(inputs - channel);
                    correction(&tile[start..start + len], offset)
                });
                sums.fold(0, i32::wrapping_add)
            }));
    }

    /// The depthwise output of a tile.
    pub fn depthwise(&self, weights: &PackedInt8, rows: Range<usize>, tile: &mut [u8]) {
        let read = self.shape.read;
        let stride = weights.params.stride;
        let bytes = kernels::activation_bytes(self.shape.reads_words);
        let row_stride = read.row_stride();
        let task = kernels::Depthwise {
            input: &self.input[rows.start * stride * row_stride * bytes..],
            reads_words: self.shape.reads_words,
            row_stride,
            channels: weights.channels,
            weight: weights.weight_words(),
            bias: weights.bias(),
            multiplier: weights.multiplier(),
            stride,
            rows: rows.len(),
            columns: self.shape.written.columns.len,
            output_stride: self.shape.tile_stride(),
            bounds: weights.bounds(),
        };
        self.kernels.depthwise(&task, tile);
    }
}

/// What is added to the sums of a pixel's activations where `offset` was taken off every weight.
pub(super) fn correction(activations: &[u8], offset: i32) -> i32 {
    let sum: u32 = activations.iter().map(|&value| u32::from(value)).sum();
    offset.wrapping_mul(sum as i32)
}
