//! What a network on kernels of our own can do, whatever it computes in.

use std::fmt;

use super::head::Head;
use super::isa::Isa;
use super::parallel::{self, Threads};
use super::pixels::Pixel;
use super::workspace::{Pool, Workspace};
use crate::model::{Precision, Softmax};
use crate::pixels::COLOURS;

/// A network on kernels of our own, in whatever they compute: what the engine needs of it. Images are
/// bytes `[N, H, W, 3]`, or scaled pixels `[N, 3, H, W]`, and come with their height and width.
pub(super) trait Passes: fmt::Debug + Send + Sync + Sized + 'static {
    /// Whether it computes in integers.
    const IS_INTEGER: bool;
    /// The same network, with the same weights, whose passes run on so many threads.
    fn with_threads(&self, threads: usize) -> Self;
    fn isa(&self) -> Isa;
    fn precision(&self) -> Precision;
    /// How its logits become scores.
    fn softmax(&self) -> Softmax {
        Softmax::Exact
    }
    fn embedding_len(&self) -> usize;
    /// 0 without a classifier.
    fn classes(&self) -> usize {
        self.head().map_or(0, Head::outputs)
    }
    /// Rows and columns of the feature maps.
    fn features_size(&self, size: (usize, usize)) -> (usize, usize);
    /// `[N, embedding_len, rows, columns]`.
    fn features<P: Pixel>(&self, pixels: &[P], size: (usize, usize)) -> Vec<f32>;
    /// Its classifier, if it has one.
    fn head(&self) -> Option<Head<'_>>;
    /// Blocks after the stem.
    fn blocks(&self) -> usize;
    /// What its passes lend each other.
    fn pool(&self) -> &Pool;
    /// How many threads its passes run on.
    fn threads(&self) -> Threads;
    /// One image on `threads` threads. What comes of it is left in the workspace, see
    /// [`ends`](Self::ends).
    fn run_one<P: Pixel>(
        &self,
        pixels: &[P],
        size: (usize, usize),
        head: Option<Head>,
        workspace: &mut Workspace,
        threads: Threads,
    );

    /// Of the two images, the one that the last layer read, in whose place the embedding goes, and
    /// the one that it wrote, in whose place the logits go, if they are wanted.
    fn ends<T>(&self, [even, odd]: [T; 2]) -> [T; 2] {
        match self.blocks() % 2 {
            0 => [even, odd],
            _ => [odd, even],
        }
    }

    /// What comes of a batch: embeddings, or their logits.
    fn run<P: Pixel>(&self, pixels: &[P], size: (usize, usize), head: Option<Head>) -> Vec<f32> {
        let image_len = COLOURS * size.0 * size.1;
        let images = pixels.len() / image_len;
        let len = head.map_or(self.embedding_len(), Head::outputs);
        let mut outputs = vec![0.0; images * len];
        let pairs = pixels
            .chunks_exact(image_len)
            .zip(outputs.chunks_exact_mut(len));
        parallel::spread(self.threads(), images, pairs, |(image, output), threads| {
            self.pool().lend(|workspace| {
                self.run_one(image, size, head, workspace, threads);
                let [embedding, logits] = self.ends(workspace.images.each_ref());
                let found = if head.is_some() { logits } else { embedding };
                output.copy_from_slice(&found.floats()[..output.len()]);
            });
        });
        outputs
    }

    /// `[N, embedding_len]`.
    fn embed<P: Pixel>(&self, pixels: &[P], size: (usize, usize)) -> Vec<f32> {
        self.run(pixels, size, None)
    }

    /// `[N, classes]`, or embeddings without a classifier.
    fn forward<P: Pixel>(&self, pixels: &[P], size: (usize, usize)) -> Vec<f32> {
        self.run(pixels, size, self.head())
    }

    /// Embeddings to logits.
    fn classify(&self, embeddings: &[f32]) -> Vec<f32> {
        match self.head() {
            Some(head) => head.logits(embeddings, self.embedding_len(), self.threads()),
            None => embeddings.to_vec(),
        }
    }

    /// Its work piece by piece, where it can be taken apart.
    fn pieces(&self, _size: (usize, usize)) -> Vec<Piece<'_>> {
        Vec::new()
    }
}

/// A kernel's work in one layer on one image.
pub struct Piece<'a> {
    /// `stem`, `depthwise` or `pointwise`.
    pub kernel: &'static str,
    /// Rows, columns and channels of what is read, and what comes of them: `112x112x32 /2`,
    /// `56x56x64-128`.
    pub shape: String,
    /// Multiplications and additions.
    pub operations: usize,
    /// Does it.
    pub run: Box<dyn FnMut() + 'a>,
}
