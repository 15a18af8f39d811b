//! The whole network, layer by layer and tile by tile.

use rayon::prelude::*;

use super::isa::Isa;
use super::kernels::{self, Kernels, Offsets, Output};
use super::layer::{Layer, Shape};
use super::team::{self, Member, Sentinel};
use super::weights::{Block, Packed, pack};
use super::workspace::{Layout, Pool, Rows, Scratches, Workspace};
use crate::error::{Error, Result};
use crate::model::{Config, ConvolutionKind, TensorSource};
use crate::ops::ConvParams;

/// MobileNet V1 with its weights packed for an instruction set.
#[derive(Debug)]
pub(crate) struct CpuNetwork {
    isa: Isa,
    stem: Packed,
    blocks: Vec<Block>,
    classifier: Option<Packed>,
    pool: Pool,
}

impl CpuNetwork {
    /// Packs the weights of a network's convolutions.
    pub fn new(config: &Config, tensors: &dyn TensorSource, isa: Isa) -> Result<Self> {
        let mut stem = None;
        let mut depthwise = None;
        let mut blocks = Vec::new();
        let mut classifier = None;
        for (kind, packed) in pack(config, tensors, isa.kernels())? {
            match kind {
                ConvolutionKind::Standard => stem = Some(packed),
                ConvolutionKind::Depthwise => depthwise = Some(packed),
                ConvolutionKind::Pointwise => {
                    blocks.extend(depthwise.take().map(|depthwise| Block {
                        depthwise,
                        pointwise: packed,
                    }));
                }
                ConvolutionKind::Classifier => classifier = Some(packed),
            }
        }
        let Some(stem) = stem else {
            return Err(Error::Config("a network without a stem".into()));
        };
        Ok(Self {
            isa,
            stem,
            blocks,
            classifier,
            pool: Pool::default(),
        })
    }

    /// The instruction set that it runs on.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Length of the embedding.
    pub fn embedding_len(&self) -> usize {
        self.blocks.last().map_or(0, |last| last.pointwise.outputs)
    }

    /// Classes, or 0 without a classifier.
    pub fn classes(&self) -> usize {
        self.classifier.as_ref().map_or(0, |last| last.outputs)
    }

    /// Embeddings `[N, embedding_len]` of images `[N, 3, height, width]`.
    ///
    /// A batch of at least as many images as there are threads runs an image a thread; fewer
    /// images run one after the other on all threads. What comes out is the same.
    pub fn embed(&self, pixels: &[f32], height: usize, width: usize) -> Vec<f32> {
        let image_len = 3 * height * width;
        let images = pixels.len() / image_len;
        let mut embeddings = vec![0.0; images * self.embedding_len()];
        let threads = rayon::current_num_threads();
        let one = |image: &[f32], output: &mut [f32], threads| {
            self.pool
                .lend(|w| self.embed_one(image, (height, width), output, w, threads));
        };
        if threads > 1 && images >= threads {
            pixels
                .par_chunks_exact(image_len)
                .zip(embeddings.par_chunks_exact_mut(self.embedding_len()))
                .for_each(|(image, output)| one(image, output, 1));
        } else {
            let outputs = embeddings.chunks_exact_mut(self.embedding_len());
            for (image, output) in pixels.chunks_exact(image_len).zip(outputs) {
                one(image, output, threads);
            }
        }
        embeddings
    }

    /// Logits `[N, classes]` of embeddings `[N, embedding_len]`.
    pub fn classify(&self, embeddings: &[f32]) -> Vec<f32> {
        let Some(classifier) = &self.classifier else {
            return embeddings.to_vec();
        };
        let images = embeddings.len() / self.embedding_len();
        let mut logits = vec![0.0; images * self.classes()];
        let one = |padded: &mut Vec<f32>, embedding: &[f32], logits: &mut [f32]| {
            let task = kernels::Pointwise {
                input: embedding,
                input_stride: self.embedding_len(),
                depth: classifier.depth,
                weight: classifier.weight(),
                bias: classifier.bias(),
                channels: classifier.channels,
                start: 0,
                offsets: Offsets::ONE,
                bounds: classifier.bounds,
            };
            // SAFETY: `padded` is this thread's own.
            unsafe { self.kernels().pointwise(&task, Output::new(padded)) };
            logits.copy_from_slice(&padded[..self.classes()]);
        };
        let padded = || vec![0.0; classifier.channels];
        if images == 1 {
            // Handing a single row to the pool would take longer than the row.
            one(&mut padded(), embeddings, &mut logits);
        } else {
            embeddings
                .par_chunks_exact(self.embedding_len())
                .zip(logits.par_chunks_exact_mut(self.classes()))
                .for_each_init(padded, |padded, (embedding, logits)| {
                    one(padded, embedding, logits);
                });
        }
        logits
    }

    pub(super) fn kernels(&self) -> &'static Kernels {
        self.isa.kernels()
    }

    /// One image on `threads` threads.
    fn embed_one(
        &self,
        pixels: &[f32],
        size: (usize, usize),
        embedding: &mut [f32],
        workspace: &mut Workspace,
        threads: usize,
    ) {
        let (image, tile) = self.sizes(size);
        workspace.reserve(image, tile, threads);
        let (images, scratches) = workspace.parts();
        let images = images.map(|buffer| Output::new(buffer.floats_mut()));
        team::run(threads, |member| {
            let _sentinel = Sentinel::new(member);
            self.pass(pixels, size, images, scratches, member);
        });
        let last = &workspace.images[(self.blocks.len() + 1) % 2];
        let Some(Shape { written, .. }) = self.shapes(size).last() else {
            return;
        };
        average(&last.floats()[..written.len()], written.channels, embedding);
    }

    /// One thread's part of all layers. Image `i` of the two is read by layers whose number is
    /// even or odd as `i` is, and written by the others.
    fn pass(
        &self,
        pixels: &[f32],
        size: (usize, usize),
        images: [Output; 2],
        scratches: Scratches,
        member: Member,
    ) {
        for (number, shape) in self.shapes(size).enumerate() {
            let output = images[(number + 1) % 2];
            if member.number == 0 {
                // SAFETY: nobody reads this image before the barrier below, and what the others
                // write meanwhile is not its border.
                let zero = |range| unsafe { output.zero(range) };
                shape.written.border(zero);
            }
            Layer {
                kernels: self.kernels(),
                input: match number {
                    0 => pixels,
                    _ => {
                        // SAFETY: nobody writes to this image before the barrier below.
                        let image = unsafe { images[number % 2].floats() };
                        &image[..shape.read.len()]
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
    pub(super) fn shapes(&self, size: (usize, usize)) -> impl Iterator<Item = Shape<'_>> {
        let mut size = size;
        let mut channels = 3;
        (0..=self.blocks.len()).map(move |number| {
            let block = number.checked_sub(1).map(|i| &self.blocks[i]);
            let dense = block.map_or(&self.stem, |block| &block.pointwise);
            let params = block.map_or(&self.stem, |block| &block.depthwise).params;
            let read = padded(size, channels, params);
            size = convolved(size, params);
            channels = dense.channels;
            let written = match self.blocks.get(number) {
                Some(next) => padded(size, channels, next.depthwise.params),
                None => Layout::unpadded(size.0, size.1, channels),
            };
            Shape {
                read,
                written,
                stride: params.stride,
                block,
                dense,
            }
        })
    }

    /// Floats of the largest image and of the largest tile for an input size.
    fn sizes(&self, size: (usize, usize)) -> (usize, usize) {
        self.shapes(size).fold((0, 0), |(image, tile), shape| {
            (
                image.max(shape.written.len()),
                tile.max(shape.tile_floats()),
            )
        })
    }
}

/// Height and width of a 3x3 convolution's output.
fn convolved((height, width): (usize, usize), params: ConvParams) -> (usize, usize) {
    let span = |len| params.padding.span(len, 3, params.stride).output;
    (span(height), span(width))
}

/// An image as a convolution of these settings wants to read it.
fn padded((height, width): (usize, usize), channels: usize, params: ConvParams) -> Layout {
    let direction = |len| Rows::new(len, params.padding.span(len, 3, params.stride));
    Layout {
        rows: direction(height),
        columns: direction(width),
        channels,
    }
}

/// The global average pool of `[pixel][channels]`.
fn average(pixels: &[f32], channels: usize, embedding: &mut [f32]) {
    embedding.fill(0.0);
    let count = pixels.len() / channels;
    for pixel in pixels.chunks_exact(channels) {
        for (sum, value) in embedding.iter_mut().zip(pixel) {
            *sum += value;
        }
    }
    for sum in embedding {
        *sum /= count as f32;
    }
}
