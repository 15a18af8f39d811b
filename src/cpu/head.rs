//! The classifier behind networks that compute in whatever they do.

use std::ops::Range;

use super::barrier::Member;
use super::int8::IntegerHead;
use super::kernels::{self, Kernels, Offsets, Output};
use super::parallel::{self, Threads};
use super::weights::Packed;

/// A classifier. Embeddings and logits are floats, whatever it computes in.
#[derive(Clone, Copy)]
pub(super) enum Head<'a> {
    Floats(FloatHead<'a>),
    Integers(IntegerHead<'a>),
}

impl Head<'_> {
    /// Classes.
    pub fn outputs(self) -> usize {
        match self {
            Self::Floats(head) => head.outputs(),
            Self::Integers(head) => head.outputs(),
        }
    }

    /// Logits `[N, classes]` of embeddings `[N, depth]`.
    pub fn logits(self, embeddings: &[f32], depth: usize, threads: Threads) -> Vec<f32> {
        let images = embeddings.len() / depth;
        let mut logits = vec![0.0; images * self.outputs()];
        let one = |embedding: &[f32], logits: &mut [f32]| match self {
            Self::Floats(head) => head.one(embedding, logits),
            Self::Integers(head) => head.logits(embedding, logits),
        };
        if images == 1 {
            // Handing a single row to the team would take longer than the row.
            one(embeddings, &mut logits);
        } else {
            let rows = embeddings
                .chunks_exact(depth)
                .zip(logits.chunks_exact_mut(self.outputs()));
            parallel::for_each(threads, rows, |(embedding, logits)| one(embedding, logits));
        }
        logits
    }

    /// One thread's share of an embedding's logits.
    ///
    /// # Safety
    /// All of the embedding is there, nobody writes to it meanwhile, and nobody but the other
    /// members touches the logits.
    pub unsafe fn share(self, embedding: Output, logits: Output, member: Member) {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Self::Floats(head) => head.share(embedding, logits, member),
                Self::Integers(head) => head.share(embedding, logits, member),
            }
        }
    }
}

/// A classifier's weights in f32, and what multiplies them.
#[derive(Clone, Copy)]
pub(super) struct FloatHead<'a> {
    pub weights: &'a Packed,
    pub kernels: &'static Kernels,
}

impl FloatHead<'_> {
    /// Classes.
    fn outputs(self) -> usize {
        self.weights.outputs
    }

    /// Logits `[classes]` of an embedding.
    fn one(self, embedding: &[f32], logits: &mut [f32]) {
        let channels = self.weights.channels;
        let mut padded = vec![0.0; channels];
        // SAFETY: `padded` is this thread's own.
        unsafe { self.some(embedding, Output::new(&mut padded), 0..channels) };
        logits.copy_from_slice(&padded[..self.outputs()]);
    }

    /// One thread's share of an embedding's logits.
    ///
    /// # Safety
    /// All of the embedding is there, nobody writes to it meanwhile, and nobody but the other
    /// members touches the logits.
    unsafe fn share(self, embedding: Output, logits: Output, member: Member) {
        let Packed {
            depth, channels, ..
        } = *self.weights;
        let panel = self.kernels.panel();
        let share = member.share(channels.div_ceil(panel));
        let channels = share.start * panel..(share.end * panel).min(channels);
        if channels.is_empty() {
            return;
        }
        // SAFETY: the caller's promise; each thread has channels of its own.
        unsafe { self.some(&embedding.elements()[..depth], logits, channels) };
    }

    /// Some of an embedding's logits.
    ///
    /// # Safety
    /// Nobody else touches these logits meanwhile.
    unsafe fn some(self, embedding: &[f32], logits: Output, channels: Range<usize>) {
        let Self { weights, kernels } = self;
        let task = kernels::Pointwise {
            input: embedding,
            input_stride: weights.depth,
            depth: weights.depth,
            weight: &weights.weight::<f32>()[channels.start * weights.depth..],
            bias: &weights.bias()[channels.start..],
            channels: channels.len(),
            start: channels.start,
            offsets: Offsets::ONE,
            bounds: weights.bounds,
        };
        // SAFETY: the caller's promise.
        unsafe { kernels.pointwise(&task, logits) };
    }
}
