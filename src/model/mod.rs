//! MobileNet V1: its settings, its layers as data, its forward pass, its summary.

mod architecture;
mod assembly;
mod composed;
mod config;
mod dense_head;
mod engine;
mod fold;
mod hidden;
mod network;
mod precision;
mod quantised;
mod random;
mod rounding;
mod steps;
mod stored;
mod summary;

pub use architecture::{BATCH_NORM_PARTS, Convolution, ConvolutionKind};
pub(crate) use architecture::{HEAD, block_count, is_shallow};
pub(crate) use assembly::{Assembly, SeparableBlock};
pub use config::{
    Config, MAX_ALPHA, MAX_SIZE, MIN_SIZE, PUBLISHED_ALPHAS, PUBLISHED_SIZES, Padding,
    alpha_from_channels, validate_size,
};
pub(crate) use engine::{Blueprint, Engine, image_size};
pub(crate) use fold::Folded;
pub use hidden::{HiddenActivation, HiddenLayer, Pool};
pub use network::{MobileNet, MobileNetBuilder};
pub use precision::Precision;
pub(crate) use quantised::{
    AverageRule, ByteIntegers, FixedPoint, IntegerAverage, IntegerClassifier, IntegerWeights,
    Levels, PixelIntegers, QuantisedConvolution, QuantisedLayers, QuantisedNetwork,
    ReferenceFactor, Rounding, Scale, Softmax,
};
pub use random::random_tensors;
pub(crate) use rounding::{BYTE_LARGEST, LARGEST_BIAS, least_step, round_filter, weight_step};
pub(crate) use steps::{Steps, activation_steps, relu6_step, step_up_to};
pub(crate) use stored::{
    Quantisation, StoredIntegers, StoredTensor, StoredTensors, StoredValues, TensorSource,
};
pub use summary::{LayerSummary, Summary};
