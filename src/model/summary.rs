//! What Keras's `model.summary()` tells, and what the network would cost otherwise.

use serde::Serialize;

use super::architecture::{Convolution, ConvolutionKind};
use super::config::{Config, validate_size};
use super::hidden::{HiddenActivation, Pool};
use crate::error::Result;
use crate::ops::Activation;

/// One layer of the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerSummary {
    /// Keras's layer name.
    pub name: String,
    /// Keras's layer class; `ReLU6` is its `ReLU` with a maximum of 6. Zero padding, dropout and
    /// reshapes, which Keras lists as layers of their own, are left out.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// `[height, width, channels]`, or `[length]` behind the global average pool.
    pub output_shape: Vec<usize>,
    /// Parameters, the moving statistics of a batch norm included.
    pub parameters: u64,
    /// Those of them that training changes.
    pub trainable_parameters: u64,
    /// Multiply-adds for one image, of convolutions and the classifier.
    pub multiply_adds: u64,
    /// Multiply-adds with standard convolutions: for a pointwise layer those of the one 3x3
    /// convolution that it and the depthwise layer before it replace.
    pub standard_multiply_adds: u64,
}

/// The network layer by layer, for one image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Side of the input in pixels.
    pub size: usize,
    /// The network's settings.
    #[serde(flatten)]
    pub config: Config,
    /// The layers, in order.
    pub layers: Vec<LayerSummary>,
    /// All parameters.
    pub parameters: u64,
    /// Those that training changes.
    pub trainable_parameters: u64,
    /// The moving means and variances of the batch norms.
    pub non_trainable_parameters: u64,
    /// Multiply-adds for one image, of convolutions and the classifier.
    pub multiply_adds: u64,
    /// Multiply-adds of the same network with standard 3x3 convolutions.
    pub standard_multiply_adds: u64,
}

impl Summary {
    /// Describes the network of `config` for an input of `size` by `size` pixels.
    ///
    /// # Errors
    /// Settings or a size out of range.
    pub fn new(config: &Config, size: usize) -> Result<Self> {
        config.validate()?;
        validate_size(size)?;
        let mut layers = vec![plain("input", "InputLayer", vec![size, size, 3])];
        let mut side = size;
        let mut depthwise: Option<Convolution> = None;
        // What changes nothing is no layer to anybody else.
        let convolutions = config.convolutions().into_iter();
        for convolution in convolutions.filter(|convolution| !convolution.identity) {
            if convolution.kind == ConvolutionKind::Classifier {
                push_pool(&mut layers, config);
                push_hidden(&mut layers, config);
                side = 1;
            }
            side = convolution
                .padding
                .span(side, convolution.kernel(), convolution.stride)
                .output;
            let standard = standard_multiply_adds(&convolution, depthwise.as_ref(), side);
            push_convolution(&mut layers, config, &convolution, side, standard);
            depthwise = Some(convolution).filter(|c| c.kind == ConvolutionKind::Depthwise);
        }
        match config.classes {
            Some(classes) => layers.push(plain("predictions", "Softmax", vec![classes])),
            None => push_pool(&mut layers, config),
        }

        let total = |value: fn(&LayerSummary) -> u64| layers.iter().map(value).sum::<u64>();
        let parameters = total(|layer| layer.parameters);
        let trainable_parameters = total(|layer| layer.trainable_parameters);
        Ok(Self {
            size,
            config: config.clone(),
            parameters,
            trainable_parameters,
            non_trainable_parameters: parameters - trainable_parameters,
            multiply_adds: total(|layer| layer.multiply_adds),
            standard_multiply_adds: total(|layer| layer.standard_multiply_adds),
            layers,
        })
    }
}

/// A layer without parameters or multiply-adds.
fn plain(name: &str, kind: &'static str, output_shape: Vec<usize>) -> LayerSummary {
    LayerSummary {
        name: name.into(),
        kind,
        output_shape,
        parameters: 0,
        trainable_parameters: 0,
        multiply_adds: 0,
        standard_multiply_adds: 0,
    }
}

fn push_pool(layers: &mut Vec<LayerSummary>, config: &Config) {
    let (name, kind) = match config.pool {
        Pool::Average => ("global_average_pooling2d", "GlobalAveragePooling2D"),
        Pool::Max => ("global_max_pooling2d", "GlobalMaxPooling2D"),
    };
    layers.push(plain(name, kind, vec![config.embedding_len()]));
}

/// Hidden layers, each with its activation.
fn push_hidden(layers: &mut Vec<LayerSummary>, config: &Config) {
    let mut inputs = config.embedding_len();
    for (number, hidden) in (1..).zip(&config.hidden) {
        let weights = (inputs * hidden.units) as u64;
        let parameters = weights + hidden.units as u64;
        layers.push(LayerSummary {
            parameters,
            trainable_parameters: parameters,
            multiply_adds: weights,
            standard_multiply_adds: weights,
            ..plain(&format!("hidden_{number}"), "Dense", vec![hidden.units])
        });
        let name = format!("hidden_{number}_activation");
        let kind = match hidden.activation {
            HiddenActivation::Linear => None,
            HiddenActivation::Relu => Some("ReLU"),
            HiddenActivation::Relu6 => Some("ReLU6"),
            HiddenActivation::LeakyRelu(_) => Some("LeakyReLU"),
            HiddenActivation::Elu(_) => Some("ELU"),
            HiddenActivation::Selu => Some("SELU"),
            HiddenActivation::Gelu | HiddenActivation::GeluTanh => Some("GELU"),
            HiddenActivation::Silu => Some("SiLU"),
            HiddenActivation::Tanh => Some("Tanh"),
            HiddenActivation::Sigmoid => Some("Sigmoid"),
        };
        layers.extend(kind.map(|kind| plain(&name, kind, vec![hidden.units])));
        inputs = hidden.units;
    }
}

/// A convolution with its batch norm and activation.
fn push_convolution(
    layers: &mut Vec<LayerSummary>,
    config: &Config,
    convolution: &Convolution,
    side: usize,
    standard_multiply_adds: u64,
) {
    let channels = convolution.out_channels as u64;
    let weights = convolution.weight_shape().map(|n| n as u64);
    let weights = weights.iter().product::<u64>();
    let bias = if convolution.batch_norm { 0 } else { channels };
    let output_shape = match convolution.kind {
        ConvolutionKind::Classifier => vec![convolution.out_channels],
        _ => vec![side, side, convolution.out_channels],
    };
    layers.push(LayerSummary {
        name: convolution.name.clone(),
        kind: match convolution.kind {
            ConvolutionKind::Depthwise => "DepthwiseConv2D",
            _ => "Conv2D",
        },
        output_shape: output_shape.clone(),
        parameters: weights + bias,
        trainable_parameters: weights + bias,
        multiply_adds: weights * (side * side) as u64,
        standard_multiply_adds,
    });
    if convolution.kind == ConvolutionKind::Classifier {
        return;
    }
    let name = &convolution.name;
    if convolution.batch_norm {
        layers.push(LayerSummary {
            parameters: 4 * channels,
            trainable_parameters: 2 * channels,
            ..plain(
                &format!("{name}_bn"),
                "BatchNormalization",
                output_shape.clone(),
            )
        });
    }
    let activation = match config.activation {
        Activation::Relu => "ReLU",
        Activation::Relu6 => "ReLU6",
    };
    layers.push(plain(&format!("{name}_relu"), activation, output_shape));
}

/// What `convolution` costs in a network of standard convolutions (the paper's section 3.1):
/// a depthwise layer is merged into the pointwise one behind it, which then is 3x3.
fn standard_multiply_adds(
    convolution: &Convolution,
    depthwise: Option<&Convolution>,
    side: usize,
) -> u64 {
    let kernel = match (convolution.kind, depthwise) {
        (ConvolutionKind::Depthwise, _) => return 0,
        (_, Some(depthwise)) => depthwise.kernel(),
        (_, None) => convolution.kernel(),
    };
    [
        kernel,
        kernel,
        convolution.in_channels,
        convolution.out_channels,
        side,
        side,
    ]
    .iter()
    .map(|&n| n as u64)
    .product()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keras's counts, and the multiply-adds of the paper.
    #[test]
    fn published_counts() -> Result<()> {
        for (alpha, total, trainable, fixed, millions) in [
            (1.0, 4_253_864, 4_231_976, 21_888, 568.7),
            (0.75, 2_601_976, 2_585_560, 16_416, 325.4),
            (0.5, 1_342_536, 1_331_592, 10_944, 149.5),
            (0.25, 475_544, 470_072, 5_472, 41.0),
        ] {
            let summary = Summary::new(&Config::with_alpha(alpha), 224)?;
            assert_eq!(summary.parameters, total);
            assert_eq!(summary.trainable_parameters, trainable);
            assert_eq!(summary.non_trainable_parameters, fixed);
            assert!((summary.multiply_adds as f64 / 1e6 - millions).abs() < 0.05);
        }
        Ok(())
    }

    /// The paper's Table 4 and Table 5: 4,866 million with standard convolutions, 307 million
    /// and 2.9 million parameters when shallow.
    #[test]
    fn the_papers_comparisons() -> Result<()> {
        let full = Summary::new(&Config::default(), 224)?;
        let classifier = 1024 * 1000; // which the paper's figure leaves out
        assert_eq!((full.standard_multiply_adds - classifier) / 1_000_000, 4866);
        let shallow = Config {
            shallow: true,
            ..Config::default()
        };
        let shallow = Summary::new(&shallow, 224)?;
        assert_eq!(shallow.multiply_adds / 1_000_000, 307);
        assert_eq!((shallow.parameters + 50_000) / 100_000, 29);
        Ok(())
    }
}
