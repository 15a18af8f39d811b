//! What may lie between a network's last block and its last layer: another pool than the average, and
//! hidden dense layers.

use std::fmt;

use candle_core::cpu::erf::erf_f64;
use candle_core::{Result as CandleResult, Tensor};
use serde::{Deserialize, Serialize};

/// What makes an embedding of the last block's output: of each channel's `H / 32 * W / 32` values one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pool {
    /// Their mean, as in every published checkpoint.
    #[default]
    Average,
    /// The largest.
    Max,
}

impl Pool {
    /// Whether it is the usual one.
    pub(crate) fn is_average(&self) -> bool {
        *self == Self::Average
    }
}

/// A dense layer between the embedding and the last layer: `activation(weight * x + bias)`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HiddenLayer {
    /// How many values it gives.
    pub units: usize,
    /// What is done to each of them.
    pub activation: HiddenActivation,
}

/// The nonlinearity of a hidden layer. Numbers that it has are those of Keras's layer of its name.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HiddenActivation {
    /// None.
    Linear,
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `x` above 0, and so many times `x` below.
    LeakyRelu(f64),
    /// `x` above 0, and so many times `exp(x) - 1` below.
    Elu(f64),
    /// ELU with 1.6733 below, and all of it times 1.0507.
    Selu,
    /// `x` times the normal distribution's share below `x`.
    Gelu,
    /// Its approximation by a hyperbolic tangent.
    GeluTanh,
    /// `x * sigmoid(x)`, also called swish.
    Silu,
    /// The hyperbolic tangent.
    Tanh,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
}

/// SELU's factors below 0 and of all (Klambauer et al. 2017, arXiv:1706.02515).
const SELU: (f64, f64) = (1.673_263_242_354_377_2, 1.050_700_987_355_480_5);

/// How steep GELU's approximation is, and its share of the cube.
const GELU_TANH: (f64, f64) = (0.797_884_560_802_865_4, 0.044_715);

impl HiddenActivation {
    /// Its value, and its slope there; where it has a kink, the slope below.
    pub fn with_slope(self, x: f64) -> (f64, f64) {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        match self {
            Self::Linear => (x, 1.0),
            // What is not a number stays so.
            Self::Relu if x <= 0.0 => (0.0, 0.0),
            Self::Relu => (x, 1.0),
            Self::Relu6 if x <= 0.0 => (0.0, 0.0),
            Self::Relu6 if x > 6.0 => (6.0, 0.0),
            Self::Relu6 => (x, 1.0),
            Self::LeakyRelu(slope) if x <= 0.0 => (slope * x, slope),
            Self::Elu(alpha) if x <= 0.0 => (alpha * x.exp_m1(), alpha * x.exp()),
            Self::LeakyRelu(_) | Self::Elu(_) => (x, 1.0),
            Self::Selu => {
                let (value, slope) = Self::Elu(SELU.0).with_slope(x);
                (SELU.1 * value, SELU.1 * slope)
            }
            Self::Gelu => {
                let share = 0.5 * (1.0 + erf_f64(x * std::f64::consts::FRAC_1_SQRT_2));
                let density = (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
                (x * share, share + x * density)
            }
            Self::GeluTanh => {
                let (steepness, cubic) = GELU_TANH;
                let tanh = (steepness * (x + cubic * x * x * x)).tanh();
                let inner = steepness * (1.0 + 3.0 * cubic * x * x);
                let slope = 0.5 * (1.0 + tanh) + 0.5 * x * (1.0 - tanh * tanh) * inner;
                (0.5 * x * (1.0 + tanh), slope)
            }
            Self::Silu => {
                let share = sigmoid(x);
                (x * share, share * (1.0 + x * (1.0 - share)))
            }
            Self::Tanh => {
                let value = x.tanh();
                (value, 1.0 - value * value)
            }
            Self::Sigmoid => {
                let value = sigmoid(x);
                (value, value * (1.0 - value))
            }
        }
    }

    /// Its value.
    pub fn apply(self, x: f32) -> f32 {
        match self {
            Self::Linear => x,
            Self::Relu if x <= 0.0 => 0.0,
            Self::Relu => x,
            _ => self.with_slope(f64::from(x)).0 as f32,
        }
    }

    /// The same of a tensor, with candle's operations.
    pub(super) fn apply_to_tensor(self, x: &Tensor) -> CandleResult<Tensor> {
        match self {
            Self::Linear => Ok(x.clone()),
            Self::Relu => x.relu(),
            Self::Relu6 => x.clamp(0f64, 6f64),
            Self::LeakyRelu(slope) => x.relu()?.add(&(x.neg()?.relu()? * -slope)?),
            Self::Elu(alpha) => x.elu(alpha),
            Self::Selu => x.elu(SELU.0)? * SELU.1,
            Self::Gelu => x.gelu_erf(),
            Self::GeluTanh => x.gelu(),
            Self::Silu => x.silu(),
            Self::Tanh => x.tanh(),
            Self::Sigmoid => candle_nn::ops::sigmoid(x),
        }
    }

    /// Whether its numbers, if it has any, are numbers.
    pub(super) fn is_valid(self) -> bool {
        match self {
            Self::LeakyRelu(slope) | Self::Elu(slope) => slope.is_finite(),
            _ => true,
        }
    }
}

impl fmt::Display for HiddenActivation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Linear => "linear",
            Self::Relu => "relu",
            Self::Relu6 => "relu6",
            Self::LeakyRelu(slope) => return write!(f, "leaky_relu of {slope}"),
            Self::Elu(alpha) => return write!(f, "elu of {alpha}"),
            Self::Selu => "selu",
            Self::Gelu => "gelu",
            Self::GeluTanh => "gelu by tanh",
            Self::Silu => "silu",
            Self::Tanh => "tanh",
            Self::Sigmoid => "sigmoid",
        })
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use HiddenActivation::*;

    const ALL: [HiddenActivation; 11] = [
        Linear,
        Relu,
        Relu6,
        LeakyRelu(0.3),
        Elu(1.5),
        Selu,
        Gelu,
        GeluTanh,
        Silu,
        Tanh,
        Sigmoid,
    ];

    #[test]
    fn a_slope_is_that_of_the_values() {
        for activation in ALL {
            for x in [-7.3, -1.2, -0.4, 0.3, 1.7, 5.1, 8.2] {
                let value = |x| activation.with_slope(x).0;
                let about = (value(x + 1e-5) - value(x - 1e-5)) / 2e-5;
                let slope = activation.with_slope(x).1;
                assert!((slope - about).abs() < 1e-6, "{activation} at {x}");
            }
        }
    }

    #[test]
    fn devices_compute_the_same() -> CandleResult<()> {
        let xs: Vec<f32> = (-80..=80).map(|i| i as f32 / 10.0).collect();
        let tensor = Tensor::new(xs.as_slice(), &Device::Cpu)?;
        for activation in ALL {
            let theirs: Vec<f32> = activation.apply_to_tensor(&tensor)?.to_vec1()?;
            for (x, theirs) in xs.iter().zip(theirs) {
                let ours = activation.apply(*x);
                assert!(
                    (ours - theirs).abs() < 4e-6,
                    "{activation} at {x}: {ours} {theirs}"
                );
            }
            assert!(activation.apply(f32::NAN).is_nan(), "{activation}");
        }
        Ok(())
    }
}
