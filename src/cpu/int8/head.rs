//! A classifier in integers, from an embedding in integers, each given as the numbers that they stand
//! for.

use std::ops::Range;

use super::kernels::{Kernels, Output, Pointwise};
use super::layer::correction;
use super::weights::PackedInt8;
use crate::cpu::barrier::Member;
use crate::cpu::kernels::{self as float_kernels, Offsets};
use crate::model::Scale;

/// A classifier's weights, and how the integers that it takes and gives stand for numbers.
#[derive(Debug, Clone)]
pub(super) struct Classifier {
    pub weights: PackedInt8,
    pub input: Scale,
    pub output: Scale,
}

/// A classifier, and what multiplies.
#[derive(Clone, Copy)]
pub(in crate::cpu) struct IntegerHead<'a> {
    classifier: &'a Classifier,
    kernels: &'static Kernels,
}

impl<'a> IntegerHead<'a> {
    pub(super) fn new(classifier: &'a Classifier, kernels: &'static Kernels) -> Self {
        Self {
            classifier,
            kernels,
        }
    }

    /// Classes.
    pub fn outputs(self) -> usize {
        self.classifier.weights.outputs
    }

    /// Classes, padded.
    pub fn channels(self) -> usize {
        self.classifier.weights.channels
    }

    /// Logits `[classes]` of an embedding.
    pub fn logits(self, embedding: &[f32], logits: &mut [f32]) {
        let channels = 0..self.channels();
        let integers = self.some(embedding, channels);
        for (logit, integer) in logits.iter_mut().zip(integers) {
            *logit = self.classifier.output.number(integer);
        }
    }

    /// One thread's share of an embedding's logits.
    ///
    /// # Safety
    /// All of the embedding is there, nobody writes to it meanwhile, and nobody but the other
    /// members touches the logits.
    pub unsafe fn share(
        self,
        embedding: float_kernels::Output,
        logits: float_kernels::Output,
        member: Member,
    ) {
        let panel = self.kernels.panel();
        let share = member.share(self.channels().div_ceil(panel));
        let channels = share.start * panel..(share.end * panel).min(self.channels());
        if channels.is_empty() {
            return;
        }
        // SAFETY: the caller's promise.
        let integers = self.some(unsafe { embedding.elements() }, channels.clone());
        // SAFETY: the caller's promise; each thread has channels of its own.
        let logits = unsafe { logits.part_mut(channels) };
        for (logit, integer) in logits.iter_mut().zip(integers) {
            *logit = self.classifier.output.number(integer);
        }
    }

    /// Some of an embedding's logits, as integers.
    fn some(self, embedding: &[f32], channels: Range<usize>) -> Vec<u8> {
        let Self {
            classifier,
            kernels,
        } = self;
        let PackedInt8 { depth, inputs, .. } = classifier.weights;
        let integers = embedding[..inputs].iter();
        let integers: Vec<u8> = integers.map(|&x| classifier.input.integer(x)).collect();
        let pixels = kernels.layout.tile_pixels(1);
        let mut tile = vec![0u8; pixels * depth * kernels.tile_bytes];
        for (channel, integer) in integers.iter().enumerate() {
            let at = kernels.tile_place(0, depth, channel);
            if kernels.tile_bytes == 1 {
                tile[at] = *integer;
            } else {
                tile[at..at + 2].copy_from_slice(&i16::from(*integer).to_ne_bytes());
            }
        }
        let weights = &classifier.weights;
        let corrections = [correction(&integers, weights.offset)];
        let mut bytes = vec![0u8; channels.len()];
        let factors = channels.start * kernels.factor_words;
        let task = Pointwise {
            input: &tile,
            input_stride: depth,
            depth,
            weight: &weights.weight_bytes()[channels.start * depth * kernels.tile_bytes..],
            bias: &weights.bias()[channels.start..],
            multiplier: &weights.multiplier()[factors..],
            channels: channels.len(),
            start: 0,
            offsets: Offsets::ONE,
            corrections: match weights.offset {
                0 => &[],
                _ => &corrections,
            },
            writes_words: false,
            bounds: weights.bounds(),
        };
        // SAFETY: the bytes are this thread's own.
        unsafe { kernels.pointwise(&task, Output::new(&mut bytes)) };
        bytes
    }
}
