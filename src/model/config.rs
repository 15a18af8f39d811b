//! The settings that, together with the input size, determine a network.

use serde::{Deserialize, Serialize};

use super::architecture::EMBEDDING_CHANNELS;
use super::hidden::{HiddenLayer, Pool};
use crate::error::{Error, Result};
use crate::ops::Activation;

/// The four widths that Google and Keras published weights for.
pub const PUBLISHED_ALPHAS: [f64; 4] = [1.0, 0.75, 0.5, 0.25];
/// The four input sizes that Google and Keras published weights for.
pub const PUBLISHED_SIZES: [usize; 4] = [224, 192, 160, 128];

/// The smallest input side: five strides of 2 bring 32 pixels down to one.
pub const MIN_SIZE: usize = 32;
/// The largest input side taken. Beyond it one activation alone needs gigabytes.
pub const MAX_SIZE: usize = 4096;
/// The widest network taken; its last pointwise layer alone has 268 million weights.
pub const MAX_ALPHA: f64 = 16.0;

/// More hidden layers than anybody puts on a network.
const MAX_HIDDEN: usize = 16;
/// The most outputs of a layer.
const MAX_OUTPUTS: usize = 1_000_000;

/// Where a network's convolutions put their zeros. The three differ in what an input of which
/// size becomes; for sizes that are multiples of 32 the first two are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Padding {
    /// keras-applications: SAME, except that a depthwise convolution of stride 2 pads after
    /// the input only ([`ops::Padding::After`](crate::ops::Padding::After)).
    Keras,
    /// TensorFlow's SAME everywhere, as TF-Slim trained and transformers runs its checkpoints.
    Same,
    /// One zero on every side, as timm pads.
    Symmetric,
}

/// What makes one MobileNet V1 differ from another (Howard et al. 2017, arXiv:1704.04861).
///
/// The input size is not part of it: the network is fully convolutional up to the
/// global average pool, so the same weights run at any size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Width multiplier: a layer of `n` channels in the paper has `int(n * alpha)`.
    pub alpha: f64,
    /// Outputs of the classifier; `None` for a network that ends with the embedding.
    pub classes: Option<usize>,
    /// Leaves out blocks 7 to 11 (the paper's Table 5).
    pub shallow: bool,
    /// Outputs of a pointwise layer, with batch norm and the activation, between the last block and the
    /// global average pool, if there is one: timm's `conv_head`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_channels: Option<usize>,
    /// ReLU6 in every published ImageNet checkpoint, ReLU in the paper's text.
    pub activation: Activation,
    /// Where the convolutions' zeros go.
    pub padding: Padding,
    /// Keras and TF-Slim use 1e-3, timm 1e-5.
    pub batch_norm_epsilon: f64,
    /// The checkpoint has each batch norm folded into its convolution already, which has a bias
    /// then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub batch_norm_folded: bool,
    /// What makes an embedding of the last block's output.
    #[serde(default, skip_serializing_if = "Pool::is_average")]
    pub pool: Pool,
    /// Dense layers between the embedding and the classifier, in order; none without a classifier.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<HiddenLayer>,
}

impl Default for Config {
    /// Keras's `MobileNet()`: alpha 1.0 and 1,000 classes.
    fn default() -> Self {
        Self {
            alpha: 1.0,
            classes: Some(1000),
            shallow: false,
            head_channels: None,
            activation: Activation::Relu6,
            padding: Padding::Keras,
            batch_norm_epsilon: 1e-3,
            batch_norm_folded: false,
            pool: Pool::Average,
            hidden: Vec::new(),
        }
    }
}

impl Config {
    /// Keras's `MobileNet(alpha=alpha)`.
    pub fn with_alpha(alpha: f64) -> Self {
        Self {
            alpha,
            ..Self::default()
        }
    }

    /// `int(base * alpha)`: the channels of a layer that has `base` of them in the paper.
    pub fn channels(&self, base: usize) -> usize {
        (base as f64 * self.alpha) as usize
    }

    /// Whether a width multiplier gives the same channels in every layer: because of the
    /// truncation, many do.
    pub fn has_width(&self, alpha: f64) -> bool {
        let other = Self {
            alpha,
            ..self.clone()
        };
        other.tensors() == self.tensors()
    }

    /// Length of the embedding, the global pool's output. Hidden layers come after it.
    pub fn embedding_len(&self) -> usize {
        let channels = self.head_channels;
        channels.unwrap_or_else(|| self.channels(EMBEDDING_CHANNELS))
    }

    /// How many values the classifier reads: the last hidden layer's, or the embedding's.
    pub fn head_len(&self) -> usize {
        let last = self.hidden.last();
        last.map_or(self.embedding_len(), |layer| layer.units)
    }

    /// Whether the head is no more than one layer on the mean of the last block's output, which every
    /// engine computes by itself.
    pub fn has_plain_head(&self) -> bool {
        self.pool.is_average() && self.hidden.is_empty()
    }

    /// The same network without what comes after its last convolution, but for the average.
    pub(crate) fn without_head(&self) -> Self {
        Self {
            classes: None,
            pool: Pool::Average,
            hidden: Vec::new(),
            ..self.clone()
        }
    }

    /// Checks that such a network can be built.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] names the setting and the range it has to be in.
    pub fn validate(&self) -> Result<()> {
        let invalid = |setting, message: String| Err(Error::config(setting, message));
        if !self.alpha.is_finite() || self.alpha > MAX_ALPHA || self.channels(32) == 0 {
            return invalid(
                "alpha",
                format!(
                    "alpha {} is out of range: it has to be from 0.03125 (one channel left of the stem's 32) to {MAX_ALPHA}",
                    self.alpha
                ),
            );
        }
        if self.classes.is_some_and(|n| n == 0 || n > MAX_OUTPUTS) {
            return invalid(
                "classes",
                "the number of classes has to be from 1 to 1000000".into(),
            );
        }
        let most = (EMBEDDING_CHANNELS as f64 * MAX_ALPHA) as usize;
        if self.head_channels.is_some_and(|n| n == 0 || n > most) {
            return invalid(
                "head_channels",
                format!("the channels of the layer before the pool have to be from 1 to {most}"),
            );
        }
        let out_of_range = |layer: &HiddenLayer| {
            layer.units == 0 || layer.units > MAX_OUTPUTS || !layer.activation.is_valid()
        };
        if self.hidden.len() > MAX_HIDDEN || self.hidden.iter().any(out_of_range) {
            return invalid(
                "hidden",
                format!(
                    "there can be up to {MAX_HIDDEN} hidden layers, each of 1 to {MAX_OUTPUTS} units"
                ),
            );
        }
        if self.classes.is_none() && !self.hidden.is_empty() {
            return invalid("hidden", "hidden layers come before a classifier".into());
        }
        if !(self.batch_norm_epsilon > 0.0 && self.batch_norm_epsilon <= 1.0) {
            return invalid(
                "batch_norm_epsilon",
                format!(
                    "batch norm epsilon {} is out of range: it has to be above 0 and at most 1",
                    self.batch_norm_epsilon
                ),
            );
        }
        Ok(())
    }
}

/// Checks an input side in pixels.
///
/// # Errors
/// [`Error::InvalidConfig`] where it is below [`MIN_SIZE`] or above [`MAX_SIZE`].
pub fn validate_size(size: usize) -> Result<()> {
    if (MIN_SIZE..=MAX_SIZE).contains(&size) {
        return Ok(());
    }
    Err(Error::config(
        "size",
        format!(
            "input size {size} is out of range: it has to be from {MIN_SIZE} to {MAX_SIZE} pixels"
        ),
    ))
}

/// The width multiplier with the fewest decimals that gives a network of these channel
/// counts, or `None` where no single multiplier does.
///
/// `observed` holds pairs of the paper's channel count and the one found in a checkpoint.
/// Checkpoints of Keras state no alpha; because of the truncation in `int(n * alpha)` a whole
/// range of multipliers fits, and the one that somebody typed is the shortest in it.
pub fn alpha_from_channels(observed: &[(usize, usize)]) -> Option<f64> {
    let fits = |alpha: f64| {
        let config = Config::with_alpha(alpha);
        config.validate().is_ok() && observed.iter().all(|&(n, c)| config.channels(n) == c)
    };
    let &(base, channels) = observed.iter().max_by_key(|(n, _)| n)?;
    if channels as f64 > MAX_ALPHA * base as f64 {
        return None;
    }
    for decimals in 0..=6 {
        let unit = 10f64.powi(decimals);
        let first = (channels as f64 / base as f64 * unit).floor();
        let last = ((channels + 1) as f64 / base as f64 * unit).ceil();
        // A range wider than a few steps has been answered with fewer decimals.
        let steps = (last - first).min(100.0) as usize;
        let found = (0..=steps)
            .map(|step| (first + step as f64) / unit)
            .find(|&alpha| fits(alpha));
        if found.is_some() {
            return found;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channels_of(alpha: f64) -> Vec<(usize, usize)> {
        let config = Config::with_alpha(alpha);
        [32, 64, 128, 256, 512, 1024]
            .map(|n| (n, config.channels(n)))
            .to_vec()
    }

    #[test]
    fn alpha_is_found_from_the_channels_it_gives() {
        for alpha in [1.0, 0.75, 0.5, 0.25, 0.35, 0.05, 1.25, 2.0, 0.1, 0.333] {
            assert_eq!(alpha_from_channels(&channels_of(alpha)), Some(alpha));
        }
    }

    #[test]
    fn channels_of_no_multiplier_give_no_alpha() {
        let mut observed = channels_of(0.5);
        observed[2].1 += 1;
        assert_eq!(alpha_from_channels(&observed), None);
        assert_eq!(alpha_from_channels(&[]), None);
        assert_eq!(alpha_from_channels(&[(1024, usize::MAX / 2)]), None);
    }

    #[test]
    fn out_of_range_settings_are_refused() {
        for alpha in [0.0, -1.0, f64::NAN, f64::INFINITY, 0.03, 17.0] {
            assert!(Config::with_alpha(alpha).validate().is_err(), "{alpha}");
        }
        assert!(validate_size(31).is_err());
        assert!(validate_size(32).is_ok());
    }
}
