//! The network's work piece by piece, on one thread, for measurements.

use candle_core::DType;

use super::bf16::Bf16;
use super::buffer::{Buffer, floats_of};
use super::element::Element;
use super::isa::Isa;
use super::kernels::Output;
use super::network::CpuNetwork;
use super::passes::Piece;
use super::pixels::Picture;
use super::tiled_layer::{Input, LayerShape, TiledLayer};
use super::tiles::tiles;
use super::workspace::Scratch;
use crate::model::Precision;
use crate::pixels::COLOURS;

/// Which of a layer's two kernels.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Depthwise,
    /// Reading what a tile holds.
    Pointwise,
    Stem,
}

impl<E: Element> CpuNetwork<E> {
    /// The pieces of its layers, in order.
    pub fn kernel_pieces(&self, size: (usize, usize)) -> Vec<Piece<'_>> {
        let parts = |shape: LayerShape<'_>| match shape.block {
            Some(_) => [Some(Part::Depthwise), Some(Part::Pointwise)],
            None => [Some(Part::Stem), None],
        };
        let shapes = self.shapes(size);
        let parts =
            shapes.flat_map(|shape| parts(shape).into_iter().flatten().map(move |p| (shape, p)));
        parts.map(|(shape, part)| self.piece(shape, part)).collect()
    }

    fn piece<'a>(&'a self, shape: LayerShape<'a>, part: Part) -> Piece<'a> {
        let [read, written] = [shape.read, shape.written];
        let outputs = shape.dense.outputs;
        let pixels = written.rows.len * written.columns.len;
        let depth = match part {
            // Without what is there for nothing.
            Part::Stem => 9 * COLOURS,
            _ => shape.dense.depth,
        };
        let product = pixels * depth * outputs;
        let out = format!("{}x{}", written.rows.len, written.columns.len);
        let (kernel, name, products) = match part {
            Part::Stem => {
                let name = format!("{out}x{depth}-{outputs}");
                ("stem", name, product)
            }
            Part::Pointwise => {
                let name = format!("{out}x{depth}-{outputs}");
                ("pointwise", name, product)
            }
            Part::Depthwise => {
                let channels = shape.dense.depth;
                let size = format!("{}x{}x{channels}", read.rows.len, read.columns.len);
                let name = format!("{size} /{}", shape.stride);
                ("depthwise", name, pixels * 9 * channels)
            }
        };
        let input = vec![E::of(1.0); read.len()];
        let pixels = vec![100u8; if part == Part::Stem { read.len() } else { 0 }];
        let mut output = Buffer::zeros(floats_of::<E>(written.len()));
        let mut scratch = Scratch {
            tile: Buffer::zeros(shape.tile_floats::<E>()),
            ..Scratch::default()
        };
        let tile: &mut [E] = bytemuck::cast_slice_mut(scratch.tile.floats_mut());
        tile.fill(E::of(1.0));
        let run = move || {
            let layer = TiledLayer {
                kernels: self.kernels,
                shape,
                input: match part {
                    Part::Stem => Input::Picture(Picture::Bytes(&pixels), &self.pixels),
                    _ => Input::Activations(&input),
                },
                output: Output::new(output.floats_mut()).of(),
            };
            let (all, channels) = (0..written.rows.len, 0..shape.dense.channels);
            match (part, shape.block) {
                (Part::Depthwise, Some(block)) => {
                    for (rows, _) in tiles(written, all) {
                        let tile = bytemuck::cast_slice_mut(scratch.tile.floats_mut());
                        layer.depthwise(&input, &block.depthwise, rows, tile);
                    }
                }
                (Part::Pointwise, _) => {
                    for (rows, _) in tiles(written, all) {
                        layer.product(rows, channels.clone(), &mut scratch);
                    }
                }
                _ => {
                    let picture = Picture::Bytes(&pixels);
                    layer.stem(picture, &self.pixels, all, channels, &mut scratch);
                }
            }
        };
        Piece {
            kernel,
            shape: name,
            operations: 2 * products,
            run: Box::new(run),
        }
    }
}

impl Isa {
    /// Multiplies and adds in registers for some steps, as the kernels for `precision` do; returns how
    /// many operations that was, 0 where it has no such kernels.
    #[doc(hidden)]
    pub fn peak(self, precision: Precision, steps: usize) -> usize {
        match precision {
            Precision::Int8 => self.int8_kernels().peak(steps),
            Precision::Float(DType::F32) => self.kernels().peak(steps),
            Precision::Float(DType::BF16) => {
                Bf16::kernels(self).map_or(0, |kernels| kernels.peak(steps))
            }
            // Nobody waits for these.
            Precision::Int8Reference | Precision::Float(_) => 0,
        }
    }
}
