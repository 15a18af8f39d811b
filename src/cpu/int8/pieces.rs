//! The network's work piece by piece, on one thread, for measurements.

use super::kernels::{self, Output};
use super::layer::{BlockPass, BlockShape};
use super::network::Int8Network;
use crate::cpu::buffer::Buffer;
use crate::cpu::kernels as float_kernels;
use crate::cpu::passes::Piece;
use crate::cpu::pixels::Picture;
use crate::cpu::tiles::tiles;
use crate::cpu::workspace::Scratch;
use crate::pixels::COLOURS;

impl Int8Network {
    /// The pieces of its layers, in order.
    pub(super) fn kernel_pieces(&self, size: (usize, usize)) -> Vec<Piece<'_>> {
        let blocks = self
            .shapes(size)
            .flat_map(|shape| [self.depthwise_piece(shape), self.pointwise_piece(shape)]);
        std::iter::once(self.stem_piece(size))
            .chain(blocks)
            .collect()
    }

    fn stem_piece(&self, size: (usize, usize)) -> Piece<'_> {
        let stem = &self.layers.stem;
        let written = self.stem_written(size);
        let out = (written.rows.len, written.columns.len);
        let bytes = vec![100; size.0 * size.1 * COLOURS];
        let bytes_each = kernels::activation_bytes(stem.output.is_wide());
        let mut output = Buffer::zeros((written.len() * bytes_each).div_ceil(4));
        let mut scratch = self.scratch(size);
        let run = move || {
            let picture = Picture::Bytes(&bytes);
            let floats = float_kernels::Output::new(output.floats_mut());
            let pass = self.stem_pass(picture, size, Output::of_floats(floats));
            pass.run(0..written.rows.len, &mut scratch);
        };
        Piece {
            kernel: "stem",
            shape: format!("{}x{}x27-{}", out.0, out.1, stem.outputs),
            operations: 2 * out.0 * out.1 * 27 * stem.outputs,
            run: Box::new(run),
        }
    }

    fn depthwise_piece<'a>(&'a self, shape: BlockShape<'a>) -> Piece<'a> {
        let depthwise = &shape.block.depthwise;
        let (read, written) = (shape.read, shape.written);
        let channels = depthwise.outputs;
        let size = format!("{}x{}x{channels}", read.rows.len, read.columns.len);
        let run = self.run_tiles(shape, |pass, rows, scratch: &mut Scratch| {
            let bytes = bytemuck::cast_slice_mut(scratch.tile.floats_mut());
            pass.depthwise(&pass.shape.block.depthwise, rows, bytes);
        });
        Piece {
            kernel: "depthwise",
            shape: format!("{size} /{}", depthwise.params.stride),
            operations: 2 * written.rows.len * written.columns.len * 9 * channels,
            run,
        }
    }

    fn pointwise_piece<'a>(&'a self, shape: BlockShape<'a>) -> Piece<'a> {
        let written = shape.written;
        let dense = &shape.block.pointwise;
        let (inputs, outputs) = (shape.block.depthwise.outputs, dense.outputs);
        let pixels = written.rows.len * written.columns.len;
        let size = format!("{}x{}", written.rows.len, written.columns.len);
        let run = self.run_tiles(shape, |pass, rows, scratch: &mut Scratch| {
            pass.correct(rows.len(), scratch);
            pass.product(rows, 0..pass.shape.block.pointwise.channels, scratch);
        });
        Piece {
            kernel: "pointwise",
            shape: format!("{size}x{inputs}-{outputs}"),
            operations: 2 * pixels * inputs * outputs,
            run,
        }
    }

    /// Does something with each tile of a block.
    fn run_tiles<'a>(
        &'a self,
        shape: BlockShape<'a>,
        work: impl Fn(&BlockPass, std::ops::Range<usize>, &mut Scratch) + 'a,
    ) -> Box<dyn FnMut() + 'a> {
        let input = vec![1; shape.read_bytes()];
        let mut output = Buffer::zeros(shape.written_bytes().div_ceil(4));
        let mut scratch = Scratch::default();
        let tile = shape.tile_len() * self.kernels.tile_bytes;
        scratch.tile.reserve(tile.div_ceil(4));
        Box::new(move || {
            let floats = float_kernels::Output::new(output.floats_mut());
            let pass = BlockPass {
                kernels: self.kernels,
                shape,
                input: &input,
                output: Output::of_floats(floats),
            };
            for (rows, _) in tiles(shape.written, 0..shape.written.rows.len) {
                work(&pass, rows, &mut scratch);
            }
        })
    }

    fn scratch(&self, size: (usize, usize)) -> Scratch {
        let mut scratch = Scratch::default();
        scratch.tile.reserve(self.sizes(size).1);
        scratch
    }
}
