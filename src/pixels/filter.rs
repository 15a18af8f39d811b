//! The interpolation kernels that a picture may be resampled with, and whose arithmetic does it.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// The interpolation kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// The pixel that an output's centre falls into, and no other: Keras's `load_img`, unless it is told
    /// otherwise.
    Nearest,
    /// The mean over one pixel.
    Box,
    /// A triangle over two pixels.
    Bilinear,
    /// Hamming's window over two pixels.
    Hamming,
    /// Keys's cubic over four pixels, with a = -0.5.
    Bicubic,
    /// Lanczos's window over six pixels.
    Lanczos,
}

/// Whose arithmetic resamples a picture: how far the kernel is stretched, and what is rounded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resampler {
    /// Pillow's `resize`, also through torchvision and timm, to the same bytes: shrinking stretches the
    /// kernel over all pixels that one covers.
    #[default]
    Pillow,
    /// torchvision's for tensors of bytes (with AVX2), which transformers' image processors use: as Pillow,
    /// but with weights of 16 bits.
    Torchvision,
    /// `tf.image.resize`, and what Keras builds on it: never stretched, so that shrinking passes pixels over, and
    /// never rounded.
    Tensorflow,
    /// The same with `antialias=True`: stretched, and never rounded.
    TensorflowAntialias,
}

impl Filter {
    /// How far it reaches in each direction, in pixels, unless it is stretched.
    pub(super) fn support(self) -> f64 {
        match self {
            Self::Nearest => 0.0,
            Self::Box => 0.5,
            Self::Bilinear | Self::Hamming => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    pub(super) fn weight(self, x: f64) -> f64 {
        const A: f64 = -0.5;
        // Only the box is not the same to the left and to the right: where two meet, one counts.
        let is_in_box = x > -0.5 && x <= 0.5;
        let x = x.abs();
        match self {
            Self::Box if is_in_box => 1.0,
            Self::Bilinear if x < 1.0 => 1.0 - x,
            Self::Hamming if x < 1.0 => sinc(x) * (0.54 + 0.46 * (x * PI).cos()),
            Self::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
            Self::Lanczos if x < 3.0 => sinc(x) * sinc(x / 3.0),
            _ => 0.0,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nearest => "nearest",
            Self::Box => "box",
            Self::Bilinear => "bilinear",
            Self::Hamming => "hamming",
            Self::Bicubic => "bicubic",
            Self::Lanczos => "lanczos",
        }
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let x = x * PI;
    x.sin() / x
}

impl Resampler {
    pub(super) fn is_pillow(&self) -> bool {
        *self == Self::Pillow
    }

    /// Whether it stretches kernels, so that shrinking takes all pixels into account.
    pub(super) fn averages(self) -> bool {
        self != Self::Tensorflow
    }

    /// Whether what it gives are bytes.
    pub(super) fn rounds(self) -> bool {
        matches!(self, Self::Pillow | Self::Torchvision)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pillow => "pillow",
            Self::Torchvision => "torchvision",
            Self::Tensorflow => "tensorflow",
            Self::TensorflowAntialias => "tensorflow-antialias",
        }
    }

    /// Whether it has a kernel.
    pub(crate) fn has(self, filter: Filter) -> bool {
        self.is_pillow() || !matches!(filter, Filter::Box | Filter::Hamming)
    }
}
