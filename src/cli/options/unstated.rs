//! What a checkpoint may not say of itself.

use anyhow::Result;
use clap::{Args, ValueEnum};
use mobilenet::Head;
use mobilenet::ops::Activation;
use mobilenet::pixels::PixelScale;
use mobilenet::weights::LoadOptions;

/// What is taken where a checkpoint does not state it; an error where it states something else.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct UnstatedOptions {
    /// The activation, for a checkpoint that does not state it [default: what the checkpoint
    /// says, else relu6]
    #[arg(long, value_name = "NAME")]
    pub activation: Option<ActivationName>,

    /// What 0 and 255 are to the network, for a checkpoint that does not state it; `imagenet` is 0..1 less
    /// ImageNet's mean, divided by its deviation [default: what the checkpoint says, else -1..1]
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    pixels: Option<PixelRange>,

    /// What makes scores of the outputs, for a checkpoint that does not state it: a softmax shares out 1,
    /// a sigmoid gives each class a score of its own [default: what the checkpoint says, else softmax]
    #[arg(long, value_name = "NAME")]
    head: Option<HeadName>,
}

impl UnstatedOptions {
    /// For reading a checkpoint, which may be of another size.
    ///
    /// # Errors
    /// A scale that no network can have.
    pub fn loading(&self, size: Option<usize>) -> Result<LoadOptions> {
        Ok(LoadOptions::default()
            .with_size(size)
            .with_activation(self.activation.map(Into::into))
            .with_pixel_scale(self.pixels.map(PixelRange::scale).transpose()?)
            .with_head(self.head.map(Into::into)))
    }
}

/// `--activation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ActivationName {
    Relu6,
    Relu,
}

impl From<ActivationName> for Activation {
    fn from(name: ActivationName) -> Self {
        match name {
            ActivationName::Relu6 => Self::Relu6,
            ActivationName::Relu => Self::Relu,
        }
    }
}

/// `--head`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum HeadName {
    Softmax,
    Sigmoid,
}

impl From<HeadName> for Head {
    fn from(name: HeadName) -> Self {
        match name {
            HeadName::Softmax => Self::Softmax,
            HeadName::Sigmoid => Self::Sigmoid,
        }
    }
}

/// `--pixels`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PixelRange {
    #[value(name = "-1..1")]
    Symmetric,
    #[value(name = "0..1")]
    Unit,
    #[value(name = "0..255")]
    Bytes,
    #[value(name = "imagenet")]
    ImageNet,
}

impl PixelRange {
    /// What it makes of bytes.
    fn scale(self) -> mobilenet::Result<PixelScale> {
        let of_bytes = 1.0 / 255.0;
        match self {
            Self::Symmetric => Ok(PixelScale::default()),
            Self::Unit => PixelScale::new([of_bytes; 3], [0.0; 3]),
            Self::Bytes => PixelScale::new([1.0; 3], [0.0; 3]),
            Self::ImageNet => {
                let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
                PixelScale::from_mean_and_std(of_bytes, mean, std)
            }
        }
    }
}
