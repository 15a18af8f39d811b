//! The interpolation kernels that a picture may be resampled with.

use serde::{Deserialize, Serialize};

/// The interpolation kernel. Shrinking stretches it over all the pixels that one covers, where nothing
/// else is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// A triangle over two pixels.
    Bilinear,
    /// The same, never stretched: a picture made smaller is sampled between two pixels in either
    /// direction, and the others are passed over. So do `tf.image.resize` and Keras's `Resizing`.
    #[serde(rename = "bilinear-sampled")]
    BilinearSampled,
    /// Keys's cubic over four pixels, with a = -0.5.
    Bicubic,
}

impl Filter {
    pub(super) fn support(self) -> f64 {
        match self {
            Self::Bilinear | Self::BilinearSampled => 1.0,
            Self::Bicubic => 2.0,
        }
    }

    /// Whether shrinking takes all pixels into account.
    pub(super) fn averages(self) -> bool {
        self != Self::BilinearSampled
    }

    pub(super) fn weight(self, x: f64) -> f64 {
        const A: f64 = -0.5;
        let x = x.abs();
        match self {
            Self::Bilinear | Self::BilinearSampled if x < 1.0 => 1.0 - x,
            Self::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
            _ => 0.0,
        }
    }
}
