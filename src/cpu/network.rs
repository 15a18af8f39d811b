//! The whole network, layer by layer and tile by tile.

use rayon::prelude::*;

use super::isa::Isa;
use super::kernels::{self, Kernels, Output};
use super::layers::{Dense, Depthwise, stem_weight, values};
use super::team::{self, Member, Sentinel};
use super::workspace::{Layout, Pool, Rows, Scratch, Scratches, Workspace};
use crate::error::{Error, Result};
use crate::model::{ConvolutionKind, FoldedConvolution};
use crate::ops::{Activation, ConvParams};

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

/// MobileNet V1 with its weights packed for an instruction set.
#[derive(Debug)]
pub(crate) struct CpuNetwork {
    isa: Isa,
    stem: Dense,
    stem_params: ConvParams,
    blocks: Vec<Block>,
    classifier: Option<Dense>,
    /// Embedding and classes without what pads them to vectors.
    embedding_len: usize,
    classes: usize,
    pool: Pool,
}

/// A depthwise-separable block.
#[derive(Debug)]
struct Block {
    depthwise: Depthwise,
    params: ConvParams,
    pointwise: Dense,
}

impl CpuNetwork {
    /// Packs the weights of a network's convolutions, which are in order.
    pub fn new(
        convolutions: impl Iterator<Item = Result<FoldedConvolution>>,
        isa: Isa,
    ) -> Result<Self> {
        let kernels = isa.kernels();
        let dense = |weight: &[f32], folded: &FoldedConvolution, bounds| -> Result<_> {
            let bias = values(&folded.bias)?;
            Ok(Dense::new(weight, &bias, bounds, kernels))
        };
        let mut stem = None;
        let mut depthwise = None;
        let mut blocks: Vec<Block> = Vec::new();
        let mut classifier = None;
        let mut widths = (0, 0);
        for folded in convolutions {
            let folded = &folded?;
            let weight = values(&folded.weight)?;
            let params = folded.params;
            let outputs = folded.bias.elem_count();
            match folded.kind {
                ConvolutionKind::Standard => {
                    let bounds = bounds(params.activation);
                    stem = Some((dense(&stem_weight(&weight), folded, bounds)?, params));
                }
                ConvolutionKind::Depthwise => {
                    let bias = values(&folded.bias)?;
                    let high = bounds(params.activation).1;
                    depthwise = Some((Depthwise::new(&weight, &bias, high, kernels), params));
                }
                ConvolutionKind::Pointwise => {
                    let pointwise = dense(&weight, folded, bounds(params.activation))?;
                    if let Some((depthwise, params)) = depthwise.take() {
                        blocks.push(Block {
                            depthwise,
                            params,
                            pointwise,
                        });
                    }
                    widths.0 = outputs;
                }
                ConvolutionKind::Classifier => {
                    let any = (f32::NEG_INFINITY, f32::INFINITY);
                    classifier = Some(dense(&weight, folded, any)?);
                    widths.1 = outputs;
                }
            }
        }
        let Some((stem, stem_params)) = stem else {
            return Err(Error::Config("a network without a stem".into()));
        };
        Ok(Self {
            isa,
            stem,
            stem_params,
            blocks,
            classifier,
            embedding_len: widths.0,
            classes: widths.1,
            pool: Pool::default(),
        })
    }

    /// The instruction set that it runs on.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Length of the embedding.
    pub fn embedding_len(&self) -> usize {
        self.embedding_len
    }

    /// Classes, or 0 without a classifier.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Embeddings `[N, embedding_len]` of images `[N, 3, height, width]`.
    ///
    /// A batch of at least as many images as there are threads runs an image a thread; fewer
    /// images run one after the other on all threads. What comes out is the same.
    pub fn embed(&self, pixels: &[f32], height: usize, width: usize) -> Vec<f32> {
        let image_len = 3 * height * width;
        let images = pixels.len() / image_len;
        let mut embeddings = vec![0.0; images * self.embedding_len];
        let threads = rayon::current_num_threads();
        let one = |image: &[f32], output: &mut [f32], threads| {
            self.pool
                .lend(|w| self.embed_one(image, (height, width), output, w, threads));
        };
        if threads > 1 && images >= threads {
            pixels
                .par_chunks_exact(image_len)
                .zip(embeddings.par_chunks_exact_mut(self.embedding_len))
                .for_each(|(image, output)| one(image, output, 1));
        } else {
            let outputs = embeddings.chunks_exact_mut(self.embedding_len);
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
        let images = embeddings.len() / self.embedding_len;
        let mut logits = Vec::with_capacity(images * self.classes);
        let mut padded = vec![0.0; classifier.channels];
        for embedding in embeddings.chunks_exact(self.embedding_len) {
            let task = kernels::Pointwise {
                input: embedding,
                input_stride: self.embedding_len,
                depth: classifier.depth,
                weight: classifier.weight.floats(),
                bias: classifier.bias.floats(),
                channels: classifier.channels,
                offsets: &[0],
                bounds: classifier.bounds,
            };
            // SAFETY: `padded` is this thread's own.
            unsafe { self.kernels().pointwise(&task, Output::new(&mut padded)) };
            logits.extend_from_slice(&padded[..self.classes]);
        }
        logits
    }

    fn kernels(&self) -> &'static Kernels {
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
        let channels = self.blocks.last().map_or(0, |b| b.pointwise.channels);
        let (rows, columns) = self.output_size(size);
        let values = &last.floats()[..rows * columns * channels];
        average(values, channels, embedding);
    }

    /// One thread's part of all layers. Image `i` of the two is read by layers whose number is
    /// even or odd as `i` is, and written by the others.
    fn pass(
        &self,
        pixels: &[f32],
        (height, width): (usize, usize),
        images: [Output; 2],
        scratches: Scratches,
        member: Member,
    ) {
        let mut params = self.stem_params;
        let mut layout = padded(height, width, 3, params);
        if member.number == 0 {
            // SAFETY: the others wait until this is done.
            interleave(pixels, layout, unsafe { images[0].floats_mut() });
        }
        member.wait();
        for layer in 0..=self.blocks.len() {
            let block = layer.checked_sub(1).map(|i| &self.blocks[i]);
            let next = self.blocks.get(layer);
            let dense = block.map_or(&self.stem, |block| &block.pointwise);
            let (rows, columns) = convolved((layout.rows.len, layout.columns.len), params);
            let written = match next {
                Some(next) => padded(rows, columns, dense.channels, next.params),
                None => Layout::unpadded(rows, columns, dense.channels),
            };
            let output = images[(layer + 1) % 2];
            if member.number == 0 {
                // SAFETY: nobody reads this image before the barrier below, and what the others
                // write meanwhile is not its border.
                written.border(|range| unsafe { output.zero(range) });
            }
            Layer {
                kernels: self.kernels(),
                // SAFETY: nobody writes to this image before the barrier below.
                input: &unsafe { images[layer % 2].floats() }[..layout.len()],
                read: layout,
                written,
                output,
                stride: params.stride,
                block,
                dense,
            }
            .run(scratches, member);
            member.wait();
            layout = written;
            if let Some(next) = next {
                params = next.params;
            }
        }
    }

    /// Height and width of the last layer's output.
    fn output_size(&self, size: (usize, usize)) -> (usize, usize) {
        let layers = self.blocks.iter().map(|block| block.params);
        let layers = std::iter::once(self.stem_params).chain(layers);
        layers.fold(size, convolved)
    }

    /// Floats of the largest image and of the largest tile for an input size.
    fn sizes(&self, size: (usize, usize)) -> (usize, usize) {
        let params = self.stem_params;
        let mut largest = (padded(size.0, size.1, 3, params).len(), 0);
        let mut size = convolved(size, params);
        let mut depth = STEM_DEPTH;
        let mut channels = self.stem.channels;
        for layer in 0..=self.blocks.len() {
            let next = self.blocks.get(layer);
            let (rows, columns) = size;
            let image = match next {
                Some(next) => padded(rows, columns, channels, next.params),
                None => Layout::unpadded(rows, columns, channels),
            };
            let tile = tile_rows(rows, columns) * columns * (depth + SKEW);
            largest = (largest.0.max(image.len()), largest.1.max(tile));
            if let Some(next) = next {
                size = convolved(size, next.params);
                depth = next.depthwise.channels;
                channels = next.pointwise.channels;
            }
        }
        largest
    }
}

/// Height and width of a 3x3 convolution's output.
fn convolved((height, width): (usize, usize), params: ConvParams) -> (usize, usize) {
    let span = |len| params.padding.span(len, 3, params.stride).output;
    (span(height), span(width))
}

/// An image as a convolution of these settings wants to read it.
fn padded(height: usize, width: usize, channels: usize, params: ConvParams) -> Layout {
    let direction = |len| Rows::new(len, params.padding.span(len, 3, params.stride));
    Layout {
        rows: direction(height),
        columns: direction(width),
        channels,
    }
}

/// Rows of a tile.
fn tile_rows(rows: usize, columns: usize) -> usize {
    (TILE_PIXELS / columns).clamp(1, rows)
}

fn bounds(activation: Activation) -> (f32, f32) {
    match activation {
        Activation::Relu => (0.0, f32::INFINITY),
        Activation::Relu6 => (0.0, 6.0),
    }
}

/// `[3][row][column]` to `[row][column][3]` with its border.
fn interleave(pixels: &[f32], layout: Layout, output: &mut [f32]) {
    layout.border(|range| output[range].fill(0.0));
    let (height, width) = (layout.rows.len, layout.columns.len);
    let (red, rest) = pixels.split_at(height * width);
    let (green, blue) = rest.split_at(height * width);
    for row in 0..height {
        let part = row * width..(row + 1) * width;
        let colours = red[part.clone()].iter();
        let colours = colours.zip(&green[part.clone()]).zip(&blue[part]);
        let start = layout.offset(row, 0);
        let line = output[start..start + 3 * width].chunks_exact_mut(3);
        for (pixel, ((r, g), b)) in line.zip(colours) {
            pixel.copy_from_slice(&[*r, *g, *b]);
        }
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

/// One layer's work on one image: the stem, or a block.
struct Layer<'a> {
    kernels: &'static Kernels,
    input: &'a [f32],
    read: Layout,
    written: Layout,
    output: Output,
    stride: usize,
    /// `None` for the stem.
    block: Option<&'a Block>,
    /// The stem's weights, or the block's pointwise ones.
    dense: &'a Dense,
}

impl Layer<'_> {
    /// A thread's share: rows, or output channels where rows are few.
    fn run(&self, scratches: Scratches, member: Member) {
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
                weight: &dense.weight.floats()[channels.start * dense.depth..],
                bias: &dense.bias.floats()[channels.start..],
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
            weight: weights.weight.floats(),
            bias: weights.bias.floats(),
            stride: self.stride,
            rows,
            columns: self.written.columns.len,
            output_stride,
            high: weights.high,
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
