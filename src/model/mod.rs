//! MobileNet V1: its settings, its layers as data, its forward pass, its summary.

mod architecture;
mod config;
mod fold;
mod network;
mod random;
mod summary;

pub use architecture::{BATCH_NORM_PARTS, Convolution, ConvolutionKind};
pub use config::{
    Config, MAX_ALPHA, MAX_SIZE, MIN_SIZE, PUBLISHED_ALPHAS, PUBLISHED_SIZES, Padding,
    alpha_from_channels, validate_size,
};
pub(crate) use fold::{Folded, TensorSource};
pub use network::MobileNet;
pub(crate) use network::image_size;
pub use random::random_tensors;
pub use summary::{LayerSummary, Summary};
