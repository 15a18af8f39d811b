//! The whole network in integers, layer by layer and tile by tile.

use std::sync::Arc;

use super::head::{self, IntegerHead};
use super::kernels::{self, Kernels, Output};
use super::layer::{BlockPass, BlockShape};
use super::stem::StemPass;
use super::weights::{self, PackedInt8};
use crate::cpu::barrier::Member;
use crate::cpu::head::{FloatHead, Head};
use crate::cpu::isa::Isa;
use crate::cpu::kernels as float_kernels;
use crate::cpu::network::{convolved, padded};
use crate::cpu::parallel::{self, Threads};
use crate::cpu::passes::{Passes, Piece};
use crate::cpu::pixels::{Picture, Pixel};
use crate::cpu::weights::{Packed, pack_classifier};
use crate::cpu::workspace::{PaddedImage, Pool, Scratches, Workspace};
use crate::error::{Error, Result};
use crate::model::{
    Assembly, Blueprint, IntegerAverage, IntegerClassifier, Levels, PixelIntegers, Precision,
    QuantisedNetwork, Rounding, Softmax,
};
use crate::pixels::COLOURS;

/// MobileNet V1 in eight bits, packed for an instruction set.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct Int8Network {
    isa: Isa,
    pub(super) kernels: &'static Kernels,
    /// But for the classifier.
    pub(super) layers: Assembly<PackedInt8>,
    classifier: Classifier,
    /// What the stem reads.
    pixels: PixelIntegers,
    /// The scale of each channel of the last block's output.
    steps: Arc<[f32]>,
    average: Option<IntegerAverage>,
    rounding: Rounding,
    softmax: Softmax,
    pool: Arc<Pool>,
    threads: Threads,
}

/// A classifier, if there is one.
#[derive(Debug, Clone)]
enum Classifier {
    None,
    Floats(Packed),
    Integers(head::Classifier),
}

/// The memory of a pass: the blocks use its bytes, the classifier its floats.
type Images = [float_kernels::Output; 2];

impl Int8Network {
    /// Packs the weights of a network's convolutions. A classifier in floats is the blueprint's.
    ///
    /// # Errors
    /// What is wrong with a tensor.
    pub fn new(blueprint: Blueprint, network: QuantisedNetwork, isa: Isa) -> Result<Self> {
        let kernels = match network.rounding {
            Rounding::Once => isa.int8_kernels(),
            Rounding::Reference => &kernels::reference::KERNELS,
        };
        Self::with_kernels(blueprint, network, isa, kernels)
    }

    /// The same with these kernels, for which the machine has the instructions.
    pub(super) fn with_kernels(
        blueprint: Blueprint,
        network: QuantisedNetwork,
        isa: Isa,
        kernels: &'static Kernels,
    ) -> Result<Self> {
        let expected = blueprint.config.embedding_len();
        if network.steps.len() != expected {
            let steps = network.steps.len();
            let message = format!("{steps} scales of an embedding of {expected} values");
            return Err(Error::network(message));
        }
        let (config, rounding) = (blueprint.config, network.rounding);
        let classifier = match (&network.classifier, &network.average) {
            (Some(classifier), Some(average)) => {
                let IntegerClassifier {
                    convolution,
                    output,
                } = classifier;
                let input = average.output;
                let packed =
                    weights::pack_classifier(config, convolution, input.zero, rounding, kernels)?;
                packed.map_or(Classifier::None, |weights| {
                    Classifier::Integers(head::Classifier {
                        weights,
                        input,
                        output: *output,
                    })
                })
            }
            (Some(_), None) => {
                let message = "a classifier in integers of an embedding in floats";
                return Err(Error::network(message));
            }
            (None, _) => match pack_classifier(blueprint, isa.kernels())? {
                Some(packed) => Classifier::Floats(packed),
                None => Classifier::None,
            },
        };
        Ok(Self {
            isa,
            kernels,
            layers: weights::pack(config, &network, kernels)?,
            classifier,
            average: network.average,
            rounding,
            softmax: network.softmax,
            pixels: network.pixels,
            steps: network.steps.into(),
            pool: Arc::default(),
            threads: Threads::default(),
        })
    }

    /// The last block's activations as integers, `[row][column][channel]`, of one image.
    #[cfg(test)]
    pub fn integers<P: Pixel>(&self, pixels: &[P], size: (usize, usize)) -> Vec<u8> {
        self.pool.lend(|workspace| {
            self.run_one(pixels, size, None, workspace, self.threads);
            let [_, last] = self.ends(workspace.images.each_ref());
            let written = self.written(size);
            let bytes: &[u8] = bytemuck::cast_slice(last.floats());
            let pixels = bytes[..written.len()].chunks_exact(written.channels);
            pixels
                .flat_map(|pixel| pixel[..self.embedding_len()].to_vec())
                .collect()
        })
    }

    /// One thread's rows of the stem.
    fn stem(
        &self,
        picture: Picture,
        size: (usize, usize),
        images: Images,
        scratches: Scratches,
        member: Member,
    ) {
        let written = self.stem_written(size);
        let output = Output::of_floats(images[1]);
        if member.number == 0 {
            // SAFETY: nobody reads this image before the barrier that follows.
            unsafe { fill_border(written, self.layers.stem.output, output) };
        }
        let pass = self.stem_pass(picture, size, output);
        pass.run(
            member.share(written.rows.len),
            &mut scratches.of(member.number),
        );
    }

    pub(super) fn stem_pass<'a>(
        &'a self,
        picture: Picture<'a>,
        size: (usize, usize),
        output: Output,
    ) -> StemPass<'a> {
        StemPass {
            kernels: self.kernels,
            weights: &self.layers.stem,
            read: padded(size, COLOURS, self.layers.stem.params),
            written: self.stem_written(size),
            picture,
            pixels: &self.pixels,
            output,
        }
    }

    /// One thread's part of all blocks. The stem wrote image 1, block `i` reads image `(i + 1) % 2`.
    fn pass(&self, size: (usize, usize), images: Images, scratches: Scratches, member: Member) {
        for (number, shape) in self.shapes(size).enumerate() {
            let output = Output::of_floats(images[number % 2]);
            if member.number == 0 {
                // SAFETY: nobody reads this image before the barrier below.
                unsafe { fill_border(shape.written, shape.block.pointwise.output, output) };
            }
            // SAFETY: nobody writes to this image before the barrier below.
            let input = unsafe { Output::of_floats(images[(number + 1) % 2]).bytes() };
            let pass = BlockPass {
                kernels: self.kernels,
                input: &input[..shape.read_bytes()],
                output,
                shape,
            };
            pass.run(scratches, member);
            member.wait();
        }
    }

    /// One thread's part of the average over the last image, and of its logits.
    fn end(&self, size: (usize, usize), images: Images, head: Option<Head>, member: Member) {
        let [embedding, last] = self.ends(images);
        let written = self.written(size);
        let share = member.share(written.channels / CHANNELS_A_SHARE);
        let channels = share.start * CHANNELS_A_SHARE..share.end * CHANNELS_A_SHARE;
        // SAFETY: nobody writes to this image before the barrier below.
        let pixels = &unsafe { Output::of_floats(last).bytes() }[..written.len()];
        // SAFETY: nobody reads the other image before the barrier, and each thread writes to
        // channels of its own.
        let averages = unsafe { embedding.part_mut(channels.clone()) };
        let read = Last {
            pixels,
            channels: written.channels,
            zero: self.last_zero(),
            steps: &self.steps,
            rule: self.average,
        };
        read.average(channels.start, averages);
        let Some(head) = head else { return };
        member.wait();
        // SAFETY: from here on the embedding is only read, and the last image is read no more.
        unsafe { head.share(embedding, last, member) };
    }

    /// The stem's output, as the first block wants to read it.
    pub(super) fn stem_written(&self, size: (usize, usize)) -> PaddedImage {
        let size = convolved(size, self.layers.stem.params);
        let channels = self
            .layers
            .stem
            .outputs
            .next_multiple_of(super::kernels::CHANNELS);
        match self.layers.blocks.first() {
            Some(first) => padded(size, channels, first.depthwise.params),
            None => PaddedImage::unpadded(size.0, size.1, channels),
        }
    }

    /// What stands for 0 in the last block's output.
    fn last_zero(&self) -> u8 {
        let last = self.layers.blocks.last();
        let last = last.map_or(&self.layers.stem, |block| &block.pointwise);
        last.output.zero
    }

    /// The last block's output.
    fn written(&self, size: (usize, usize)) -> PaddedImage {
        let last = self.shapes(size).last();
        last.map_or_else(|| self.stem_written(size), |shape| shape.written)
    }

    /// The blocks for an input size.
    pub(super) fn shapes(&self, size: (usize, usize)) -> impl Iterator<Item = BlockShape<'_>> {
        let mut read = self.stem_written(size);
        let mut given = &self.layers.stem;
        let blocks = self.layers.blocks.iter().enumerate();
        blocks.map(move |(number, block)| {
            let size = convolved((read.rows.len, read.columns.len), block.depthwise.params);
            let channels = block.pointwise.channels;
            let written = match self.layers.blocks.get(number + 1) {
                Some(next) => padded(size, channels, next.depthwise.params),
                None => PaddedImage::unpadded(size.0, size.1, channels),
            };
            let shape = BlockShape {
                read,
                reads_words: given.output.is_wide(),
                written,
                block,
            };
            read = written;
            given = &block.pointwise;
            shape
        })
    }

    /// Floats of the largest image, or of what takes its place in the end, and of the largest tile
    /// for an input size.
    pub(super) fn sizes(&self, size: (usize, usize)) -> (usize, usize) {
        let logits = match &self.classifier {
            Classifier::None => 0,
            Classifier::Floats(weights) => weights.channels,
            Classifier::Integers(classifier) => classifier.weights.channels,
        };
        let embedding = self
            .embedding_len()
            .next_multiple_of(super::kernels::CHANNELS);
        let stem = self.stem_written(size);
        let stem = stem.len() * kernels::activation_bytes(self.layers.stem.output.is_wide());
        let first = (logits.max(embedding)).max(stem.div_ceil(4));
        let stem_tile =
            StemPass::tile_bytes(padded(size, COLOURS, self.layers.stem.params)).div_ceil(4);
        self.shapes(size)
            .fold((first, stem_tile), |(image, tile), shape| {
                (
                    image.max(shape.written_bytes().div_ceil(4)),
                    tile.max((shape.tile_len() * self.kernels.tile_bytes).div_ceil(4)),
                )
            })
    }
}

impl Passes for Int8Network {
    const IS_INTEGER: bool = true;

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
        match self.rounding {
            Rounding::Once => Precision::Int8,
            Rounding::Reference => Precision::Int8Reference,
        }
    }

    fn softmax(&self) -> Softmax {
        self.softmax
    }

    fn embedding_len(&self) -> usize {
        self.layers
            .blocks
            .last()
            .map_or(0, |last| last.pointwise.outputs)
    }

    fn head(&self) -> Option<Head<'_>> {
        match &self.classifier {
            Classifier::None => None,
            Classifier::Floats(weights) => Some(Head::Floats(FloatHead {
                weights,
                kernels: self.isa.kernels(),
            })),
            Classifier::Integers(classifier) => {
                Some(Head::Integers(IntegerHead::new(classifier, self.kernels)))
            }
        }
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
        let images = images.map(|buffer| float_kernels::Output::new(buffer.floats_mut()));
        let picture = P::picture(pixels);
        parallel::run(threads, |member| {
            self.stem(picture, size, images, scratches, member);
            member.wait();
            self.pass(size, images, scratches, member);
            self.end(size, images, head, member);
        });
    }

    fn features_size(&self, size: (usize, usize)) -> (usize, usize) {
        let written = self.written(size);
        (written.rows.len, written.columns.len)
    }

    fn features<P: Pixel>(&self, pixels: &[P], size: (usize, usize)) -> Vec<f32> {
        let written = self.written(size);
        let mut maps = Vec::new();
        for image in pixels.chunks_exact(COLOURS * size.0 * size.1) {
            self.pool.lend(|workspace| {
                self.run_one(image, size, None, workspace, self.threads);
                let [_, last] = self.ends(workspace.images.each_ref());
                let bytes: &[u8] = bytemuck::cast_slice(last.floats());
                for channel in 0..self.embedding_len() {
                    let pixels = bytes[..written.len()].chunks_exact(written.channels);
                    let (zero, step) = (i16::from(self.last_zero()), self.steps[channel]);
                    let number = |value: u8| f32::from(i16::from(value) - zero) * step;
                    maps.extend(pixels.map(|pixel| number(pixel[channel])));
                }
            });
        }
        maps
    }

    fn pieces(&self, size: (usize, usize)) -> Vec<Piece<'_>> {
        self.kernel_pieces(size)
    }
}

/// Puts around an image what stands for 0, in bytes or, where that is 0, in words.
///
/// # Safety
/// Nobody reads the image meanwhile, or writes to its border.
unsafe fn fill_border(image: PaddedImage, levels: Levels, output: Output) {
    let bytes = kernels::activation_bytes(levels.is_wide());
    image.border(|range| {
        let range = range.start * bytes..range.end * bytes;
        // SAFETY: the caller's promise.
        unsafe { output.part_mut(range) }.fill(levels.zero);
    });
}

/// Channels of the average that a thread takes at least: floats of a cache line.
const CHANNELS_A_SHARE: usize = 16;

/// The last block's output.
struct Last<'a> {
    /// `[pixel][channel]`.
    pixels: &'a [u8],
    /// Channels, padded.
    channels: usize,
    /// What stands for 0.
    zero: u8,
    /// The scale of each channel.
    steps: &'a [f32],
    /// How the average is taken, where it is one of integers.
    rule: Option<IntegerAverage>,
}

impl Last<'_> {
    /// The global average pool of some channels, from the `first` on: exact sums, and then one
    /// multiplication and one division, or what a file's operator does.
    fn average(&self, first: usize, averages: &mut [f32]) {
        let count = self.pixels.len() / self.channels;
        let mut sums = vec![0u32; averages.len()];
        for pixel in self.pixels.chunks_exact(self.channels) {
            for (sum, value) in sums.iter_mut().zip(&pixel[first..]) {
                *sum += u32::from(*value);
            }
        }
        if let Some(rule) = self.rule {
            for (average, sum) in averages.iter_mut().zip(sums) {
                *average = rule.output.number(rule.of(sum, count));
            }
            return;
        }
        // Of images of at most 4096 pixels a side the sums are far from what 32 bits hold.
        let zeros = count as i32 * i32::from(self.zero);
        let count = count as f32;
        // Padding has no scale, and nobody asks for it.
        let steps = self.steps.get(first..).unwrap_or_default();
        for ((average, sum), step) in averages.iter_mut().zip(&sums).zip(steps) {
            *average = (*sum as i32).wrapping_sub(zeros) as f32 * step / count;
        }
    }
}
