//! The network as data: which convolutions it has, in which order, with which tensors.
//!
//! This is the only description of MobileNet V1 in the crate. The forward passes, the summary, and
//! the recognition, the check and the conversion of a checkpoint are all derived from it.

use super::config::{Config, Padding};
use crate::ops;
use crate::pixels::COLOURS;

/// One row of the paper's Table 1 after the stem: stride of the depthwise convolution and
/// output channels of the pointwise one.
const BLOCKS: [(usize, usize); 13] = [
    (1, 64),
    (2, 128),
    (1, 128),
    (2, 256),
    (1, 256),
    (2, 512),
    (1, 512),
    (1, 512),
    (1, 512),
    (1, 512),
    (1, 512),
    (2, 1024),
    (1, 1024),
];

/// Blocks that the shallow variant leaves out (the paper's Table 5), numbered from 1.
const LEFT_OUT_IN_SHALLOW: std::ops::RangeInclusive<usize> = 7..=11;

/// The stem's output channels in the paper.
const STEM_CHANNELS: usize = 32;

/// The length of the embedding in the paper.
pub(super) const EMBEDDING_CHANNELS: usize = BLOCKS[BLOCKS.len() - 1].1;

/// Keras's name for the last layer.
const CLASSIFIER: &str = "conv_preds";

/// timm's name for a pointwise layer between the last block and the pool.
pub(crate) const HEAD: &str = "conv_head";

/// What stands before that in the place of a depthwise layer.
const HEAD_INPUT: &str = "conv_head_input";

/// What a network of this many depthwise convolutions is: shallow (`true`) or not; `None` where it is
/// no MobileNet V1.
pub(crate) fn is_shallow(depthwise: usize) -> Option<bool> {
    let blocks = [false, true].map(|shallow| (shallow, block_count(shallow)));
    let found = blocks.into_iter().find(|(_, count)| *count == depthwise);
    found.map(|(shallow, _)| shallow)
}

/// Blocks of a network.
pub(crate) const fn block_count(shallow: bool) -> usize {
    if shallow {
        BLOCKS.len() - (*LEFT_OUT_IN_SHALLOW.end() - *LEFT_OUT_IN_SHALLOW.start() + 1)
    } else {
        BLOCKS.len()
    }
}

/// What a convolution of the network does to its channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConvolutionKind {
    /// The stem: a full 3x3 convolution from RGB.
    Standard,
    /// 3x3, one filter a channel.
    Depthwise,
    /// 1x1 over all channels.
    Pointwise,
    /// 1x1 with a bias and neither batch norm nor activation, on the global average pool.
    Classifier,
}

/// One convolution of the network, with the name Keras gives its layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Convolution {
    /// Keras's layer name: `conv1`, `conv_dw_1`, `conv_pw_1`, ..., `conv_preds`.
    ///
    /// The shallow variant keeps the numbers of the full network, so that a name always
    /// means the same row of the paper's table.
    pub name: String,
    /// What it does.
    pub kind: ConvolutionKind,
    /// Input channels.
    pub in_channels: usize,
    /// Output channels.
    pub out_channels: usize,
    /// Stride, the same in both directions.
    pub stride: usize,
    /// Where its zeros go.
    pub padding: ops::Padding,
    /// Batch norm follows; else it has a bias.
    pub batch_norm: bool,
    /// It passes each channel on as it is, and has no tensors: what stands in the place of a depthwise
    /// layer where a pointwise one has none before it.
    pub identity: bool,
}

impl Convolution {
    /// The classifier of a network: from an embedding to classes.
    pub(crate) fn classifier(in_channels: usize, classes: usize) -> Self {
        Self {
            name: CLASSIFIER.into(),
            kind: ConvolutionKind::Classifier,
            in_channels,
            out_channels: classes,
            stride: 1,
            padding: ops::Padding::Same,
            batch_norm: false,
            identity: false,
        }
    }

    /// A pointwise layer behind the last block, as a block whose depthwise layer changes nothing: so
    /// whatever runs blocks runs it, in any arithmetic. What comes out of an activation is not changed by
    /// the same once more.
    fn head(in_channels: usize, out_channels: usize, batch_norm: bool) -> [Self; 2] {
        let pointwise = Self {
            name: HEAD.into(),
            kind: ConvolutionKind::Pointwise,
            in_channels,
            out_channels,
            stride: 1,
            padding: ops::Padding::Same,
            batch_norm,
            identity: false,
        };
        let input = Self {
            name: HEAD_INPUT.into(),
            kind: ConvolutionKind::Depthwise,
            out_channels: in_channels,
            batch_norm: false,
            identity: true,
            ..pointwise.clone()
        };
        [input, pointwise]
    }

    /// Whether it is the first block's pointwise one.
    pub(crate) fn ends_the_first_block(&self) -> bool {
        self.name == "conv_pw_1"
    }

    /// The name of its weight.
    pub(crate) fn weight_name(&self) -> String {
        format!("{}.weight", self.name)
    }

    /// The name of its bias, where it has one.
    pub(crate) fn bias_name(&self) -> String {
        format!("{}.bias", self.name)
    }

    /// Side of the kernel: 3 or 1.
    pub fn kernel(&self) -> usize {
        match self.kind {
            ConvolutionKind::Standard | ConvolutionKind::Depthwise => 3,
            ConvolutionKind::Pointwise | ConvolutionKind::Classifier => 1,
        }
    }

    /// Shape of the weight: `[out, in, k, k]`, and `[C, 1, k, k]` for a depthwise one.
    pub fn weight_shape(&self) -> [usize; 4] {
        let k = self.kernel();
        match self.kind {
            ConvolutionKind::Depthwise => [self.out_channels, 1, k, k],
            _ => [self.out_channels, self.in_channels, k, k],
        }
    }

    /// The tensors of this convolution in our safetensors naming, with their shapes.
    ///
    /// `NAME.weight`, then `NAME_bn.{weight,bias,running_mean,running_var}` (gamma, beta,
    /// moving mean and variance), or `NAME.bias` where there is no batch norm. None of one that
    /// changes nothing.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        if self.identity {
            return Vec::new();
        }
        let name = &self.name;
        let mut tensors = vec![(self.weight_name(), self.weight_shape().to_vec())];
        if self.batch_norm {
            for part in BATCH_NORM_PARTS {
                tensors.push((format!("{name}_bn.{part}"), vec![self.out_channels]));
            }
        } else {
            tensors.push((self.bias_name(), vec![self.out_channels]));
        }
        tensors
    }
}

/// Names of a batch norm's tensors after candle's convention, in Keras's order: gamma, beta,
/// moving mean, moving variance.
pub const BATCH_NORM_PARTS: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];

impl Config {
    /// The network's convolutions from the stem to the classifier, in order.
    pub fn convolutions(&self) -> Vec<Convolution> {
        let (padding, strided_depthwise_padding) = match self.padding {
            Padding::Keras => (ops::Padding::Same, ops::Padding::After),
            Padding::Same => (ops::Padding::Same, ops::Padding::Same),
            Padding::Symmetric => (ops::Padding::Symmetric, ops::Padding::Symmetric),
        };
        let batch_norm = !self.batch_norm_folded;
        let mut channels = self.channels(STEM_CHANNELS);
        let mut layers = vec![Convolution {
            name: "conv1".into(),
            kind: ConvolutionKind::Standard,
            in_channels: COLOURS,
            out_channels: channels,
            stride: 2,
            padding,
            batch_norm,
            identity: false,
        }];
        for (number, (stride, base)) in (1..).zip(BLOCKS) {
            if self.shallow && LEFT_OUT_IN_SHALLOW.contains(&number) {
                continue;
            }
            let out_channels = self.channels(base);
            layers.push(Convolution {
                name: format!("conv_dw_{number}"),
                kind: ConvolutionKind::Depthwise,
                in_channels: channels,
                out_channels: channels,
                stride,
                padding: match stride {
                    1 => padding,
                    _ => strided_depthwise_padding,
                },
                batch_norm,
                identity: false,
            });
            layers.push(Convolution {
                name: format!("conv_pw_{number}"),
                kind: ConvolutionKind::Pointwise,
                in_channels: channels,
                out_channels,
                stride: 1,
                padding,
                batch_norm,
                identity: false,
            });
            channels = out_channels;
        }
        if let Some(out_channels) = self.head_channels {
            layers.extend(Convolution::head(channels, out_channels, batch_norm));
        }
        if let Some(classes) = self.classes {
            layers.push(Convolution::classifier(self.head_len(), classes));
        }
        layers
    }

    /// Every tensor of a checkpoint of this network, in our naming, with its shape.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let convolutions = self.convolutions();
        let convolutions = convolutions.iter().flat_map(Convolution::tensors);
        let hidden = (0..self.hidden.len()).flat_map(|number| self.hidden_tensors(number));
        convolutions.chain(hidden).collect()
    }

    /// The tensors of a hidden layer, from 0 on, with their shapes: `hidden_1.weight` is `[out, in]` of
    /// the first, `hidden_1.bias` `[out]`.
    pub(crate) fn hidden_tensors(&self, number: usize) -> [(String, Vec<usize>); 2] {
        let units = |number: usize| self.hidden.get(number).map_or(0, |layer| layer.units);
        let inputs = match number.checked_sub(1) {
            Some(before) => units(before),
            None => self.embedding_len(),
        };
        let name = |part| format!("hidden_{}.{part}", number + 1);
        let units = units(number);
        [
            (name("weight"), vec![units, inputs]),
            (name("bias"), vec![units]),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shallow_variant_leaves_out_five_blocks_and_keeps_the_numbers() {
        let shallow = Config {
            shallow: true,
            ..Config::default()
        };
        let names: Vec<_> = shallow
            .convolutions()
            .into_iter()
            .filter(|c| c.kind == ConvolutionKind::Depthwise)
            .map(|c| c.name)
            .collect();
        assert_eq!(
            names,
            [1, 2, 3, 4, 5, 6, 12, 13].map(|i| format!("conv_dw_{i}"))
        );
    }

    #[test]
    fn channels_connect_from_layer_to_layer() {
        for alpha in [0.05, 0.25, 0.35, 1.0, 1.25] {
            for (shallow, head_channels) in [(false, None), (true, None), (false, Some(40))] {
                let config = Config {
                    shallow,
                    head_channels,
                    ..Config::with_alpha(alpha)
                };
                let layers = config.convolutions();
                for pair in layers.windows(2) {
                    assert_eq!(pair[0].out_channels, pair[1].in_channels);
                }
                let classifier = layers.last().map(|layer| layer.in_channels);
                assert_eq!(classifier, Some(config.embedding_len()));
            }
        }
    }
}
