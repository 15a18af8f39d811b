//! The whole network, layer by layer and tile by tile.

use std::sync::Arc;

use super::barrier::Member;
use super::buffer::floats_of;
use super::element::Element;
use super::head::{FloatHead, Head};
use super::isa::Isa;
use super::kernels::{Kernels, Output};
use super::parallel::{self, Threads};
use super::passes::{Passes, Piece};
use super::pixels::{Picture, Pixel, StemPixels};
use super::tiled_layer::{Input, LayerShape, TiledLayer};
use super::weights::{Packed, pack};
use super::workspace::{PaddedImage, PaddedSpan, Pool, Scratches, Workspace};
use crate::error::{Error, Result};
use crate::model::{Assembly, Blueprint, Precision};
use crate::ops::ConvParams;
use crate::pixels::COLOURS;

/// MobileNet V1 with its weights packed for an instruction set, and activations of a type.
#[derive(Debug)]
pub(crate) struct CpuNetwork<E: Element = f32> {
    isa: Isa,
    pub(super) kernels: &'static Kernels<E>,
    layers: Assembly<Packed>,
    /// What the stem reads for pixels.
    pub(super) pixels: Arc<StemPixels<E>>,
    pool: Arc<Pool>,
    threads: Threads,
}

impl<E: Element> Clone for CpuNetwork<E> {
    fn clone(&self) -> Self {
        Self {
            layers: self.layers.clone(),
            pixels: Arc::clone(&self.pixels),
            pool: Arc::clone(&self.pool),
            ..*self
        }
    }
}

impl<E: Element> CpuNetwork<E> {
    /// Packs the weights of a network's convolutions.
    ///
    /// # Errors
    /// What is wrong with a tensor; an instruction set without such kernels.
    pub fn new(blueprint: Blueprint, isa: Isa) -> Result<Self> {
        match E::kernels(isa) {
            Some(kernels) => Self::with_kernels(blueprint, isa, kernels),
            None => {
                let message = format!("{isa} has no kernels for {}", E::PRECISION);
                Err(Error::config("isa", message))
            }
        }
    }

    /// The same with these kernels, for which the machine has the instructions.
    pub(super) fn with_kernels(
        blueprint: Blueprint,
        isa: Isa,
        kernels: &'static Kernels<E>,
    ) -> Result<Self> {
        Ok(Self {
            isa,
            kernels,
            layers: pack(blueprint, kernels, isa.kernels())?,
            pixels: Arc::new(StemPixels::new(blueprint.pixel_scale)),
            pool: Arc::default(),
            threads: Threads::default(),
        })
    }

    /// One thread's part of the average over the last image, and of its logits.
    fn end(&self, size: (usize, usize), images: [Output; 2], head: Option<Head>, member: Member) {
        let [embedding, last] = self.ends(images);
        let Some(LayerShape { written, .. }) = self.shapes(size).last() else {
            return;
        };
        let lanes = self.kernels.lanes;
        let share = member.share(written.channels / lanes);
        let channels = share.start * lanes..share.end * lanes;
        // SAFETY: nobody writes to this image before the barrier below.
        let pixels = &unsafe { last.of::<E>().elements() }[..written.len()];
        // SAFETY: nobody reads the other image before the barrier, and each thread writes to
        // channels of its own.
        let averages = unsafe { embedding.part_mut(channels.clone()) };
        average(pixels, written.channels, channels.start, averages);
        let Some(head) = head else { return };
        member.wait();
        // SAFETY: from here on the embedding is only read, and the last image is read no more.
        unsafe { head.share(embedding, last, member) };
    }

    /// One thread's part of all layers. Image `i` of the two is read by layers whose number is
    /// even or odd as `i` is, and written by the others.
    fn pass(
        &self,
        picture: Picture,
        size: (usize, usize),
        images: [Output; 2],
        scratches: Scratches,
        member: Member,
    ) {
        for (number, shape) in self.shapes(size).enumerate() {
            let output = images[(number + 1) % 2].of();
            if member.number == 0 {
                // SAFETY: nobody reads this image before the barrier below, and what the others
                // write meanwhile is not its border.
                let zero = |range| unsafe { output.zero(range) };
                shape.written.border(zero);
            }
            TiledLayer {
                kernels: self.kernels,
                input: match number {
                    0 => Input::Picture(picture, &self.pixels),
                    _ => {
                        // SAFETY: nobody writes to this image before the barrier below.
                        let image = unsafe { images[number % 2].of().elements() };
                        Input::Activations(&image[..shape.read.len()])
                    }
                },
                output,
                shape,
            }
            .run(scratches, member);
            member.wait();
        }
    }

    /// The layers for an input size: the stem, then the blocks.
    pub(super) fn shapes(&self, size: (usize, usize)) -> impl Iterator<Item = LayerShape<'_>> {
        let mut size = size;
        let mut channels = COLOURS;
        (0..=self.layers.blocks.len()).map(move |number| {
            let block = number.checked_sub(1).map(|i| &self.layers.blocks[i]);
            let dense = block.map_or(&self.layers.stem, |block| &block.pointwise);
            let params = block
                .map_or(&self.layers.stem, |block| &block.depthwise)
                .params;
            let read = padded(size, channels, params);
            size = convolved(size, params);
            channels = dense.channels;
            let written = match self.layers.blocks.get(number) {
                Some(next) => padded(size, channels, next.depthwise.params),
                None => PaddedImage::unpadded(size.0, size.1, channels),
            };
            LayerShape {
                read,
                written,
                stride: params.stride,
                block,
                dense,
            }
        })
    }

    /// Floats of the largest image, or of what takes its place in the end, and of the largest tile
    /// for an input size.
    fn sizes(&self, size: (usize, usize)) -> (usize, usize) {
        let logits = self
            .layers
            .classifier
            .as_ref()
            .map_or(0, |head| head.channels);
        self.shapes(size).fold((logits, 0), |(image, tile), shape| {
            (
                image.max(floats_of::<E>(shape.written.len())),
                tile.max(shape.tile_floats::<E>()),
            )
        })
    }
}

impl<E: Element> Passes for CpuNetwork<E> {
    const IS_INTEGER: bool = false;

    fn with_threads(&self, threads: usize) -> Self {
        Self {
            threads: Threads::exactly(threads),
            ..self.clone()
        }
    }

    fn isa(&self) -> Isa {
        self.isa
    }

    fn precision(&self) -> Precision {
        E::PRECISION
    }

    fn embedding_len(&self) -> usize {
        self.layers
            .blocks
            .last()
            .map_or(0, |last| last.pointwise.outputs)
    }

    fn head(&self) -> Option<Head<'_>> {
        let weights = self.layers.classifier.as_ref()?;
        Some(Head::Floats(FloatHead {
            weights,
            kernels: self.isa.kernels(),
        }))
    }

    fn blocks(&self) -> usize {
        self.layers.blocks.len()
    }

    fn pool(&self) -> &Pool {
        &self.pool
    }

    fn threads(&self) -> Threads {
        self.threads
    }

    fn run_one<P: Pixel>(
        &self,
        pixels: &[P],
        size: (usize, usize),
        head: Option<Head>,
        workspace: &mut Workspace,
        threads: Threads,
    ) {
        let (image, tile) = self.sizes(size);
        workspace.reserve(image, tile, threads.count());
        let (images, scratches) = workspace.parts();
        let images = images.map(|buffer| Output::new(buffer.floats_mut()));
        let picture = P::picture(pixels);
        parallel::run(threads, |member| {
            self.pass(picture, size, images, scratches, member);
            self.end(size, images, head, member);
        });
    }

    fn features_size(&self, size: (usize, usize)) -> (usize, usize) {
        let last = self.shapes(size).last();
        last.map_or((0, 0), |s| (s.written.rows.len, s.written.columns.len))
    }

    fn features<P: Pixel>(&self, pixels: &[P], size: (usize, usize)) -> Vec<f32> {
        let (rows, columns) = self.features_size(size);
        let channels = self.embedding_len();
        let mut maps = Vec::new();
        for image in pixels.chunks_exact(COLOURS * size.0 * size.1) {
            self.pool.lend(|workspace| {
                self.run_one(image, size, None, workspace, self.threads);
                let [_, last] = self.ends(workspace.images.each_ref());
                // `[pixel][channels]`, and channels padded to whole vectors.
                let padded = self.shapes(size).last().map_or(0, |s| s.written.channels);
                let values: &[E] = bytemuck::cast_slice(last.floats());
                for channel in 0..channels {
                    let pixels = 0..rows * columns;
                    maps.extend(pixels.map(|i| values[i * padded + channel].value()));
                }
            });
        }
        maps
    }

    fn pieces(&self, size: (usize, usize)) -> Vec<Piece<'_>> {
        self.kernel_pieces(size)
    }
}

/// Height and width of a 3x3 convolution's output.
pub(super) fn convolved((height, width): (usize, usize), params: ConvParams) -> (usize, usize) {
    let span = |len| params.padding.span(len, 3, params.stride).output;
    (span(height), span(width))
}

/// An image as a convolution of these settings wants to read it.
pub(super) fn padded(
    (height, width): (usize, usize),
    channels: usize,
    params: ConvParams,
) -> PaddedImage {
    let direction = |len| PaddedSpan::new(len, params.padding.span(len, 3, params.stride));
    PaddedImage {
        rows: direction(height),
        columns: direction(width),
        channels,
    }
}

/// The global average pool of some channels, from the `first` on, of `[pixel][channels]`.
fn average<E: Element>(pixels: &[E], channels: usize, first: usize, averages: &mut [f32]) {
    averages.fill(0.0);
    let count = pixels.len() / channels;
    for pixel in pixels.chunks_exact(channels) {
        for (sum, value) in averages.iter_mut().zip(&pixel[first..]) {
            *sum += value.value();
        }
    }
    for sum in averages {
        *sum /= count as f32;
    }
}
