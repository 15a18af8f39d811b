//! What a network on kernels of our own can do, whatever it computes in.

use std::fmt;

use super::isa::Isa;
use super::pixels::Pixel;
use crate::model::Precision;

/// A network on kernels of our own, in whatever they compute: what the engine needs of it. Images are
/// bytes `[N, H, W, 3]`, or scaled pixels `[N, 3, H, W]`, and come with their height and width.
pub(super) trait Passes: fmt::Debug + Send + Sync + Sized + 'static {
    /// Whether it computes in integers.
    const IS_INTEGER: bool;
    /// The same network, with the same weights, whose passes run on so many threads.
    fn with_threads(&self, threads: usize) -> Self;
    fn isa(&self) -> Isa;
    fn precision(&self) -> Precision;
    fn embedding_len(&self) -> usize;
    /// 0 without a classifier.
    fn classes(&self) -> usize;
    /// Rows and columns of the feature maps.
    fn features_size(&self, size: (usize, usize)) -> (usize, usize);
    /// `[N, embedding_len, rows, columns]`.
    fn features<P: Pixel>(&self, pixels: &[P], size: (usize, usize)) -> Vec<f32>;
    /// `[N, embedding_len]`.
    fn embed<P: Pixel>(&self, pixels: &[P], size: (usize, usize)) -> Vec<f32>;
    /// `[N, classes]`, or embeddings without a classifier.
    fn forward<P: Pixel>(&self, pixels: &[P], size: (usize, usize)) -> Vec<f32>;
    /// Embeddings to logits.
    fn classify(&self, embeddings: &[f32]) -> Vec<f32>;
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
