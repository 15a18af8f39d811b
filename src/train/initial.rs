//! The weights that training begins with.

use std::collections::HashMap;

use candle_core::{Device, Tensor};

use crate::error::Result;
use crate::model::Config;
use crate::random::{Purpose, Random};

/// Every tensor of a network that has learned nothing yet, the same for a seed.
///
/// Weights are uniform as Glorot and Bengio (2010) have them, with the variance 2 / (fan-in +
/// fan-out), which is Keras's choice; biases are 0, batch norm is the identity.
///
/// # Errors
/// Settings that [`Config::validate`] refuses.
pub fn initial_tensors(config: &Config, seed: u64) -> Result<HashMap<String, Tensor>> {
    config.validate()?;
    let mut tensors = HashMap::new();
    for (number, (name, shape)) in config.tensors().into_iter().enumerate() {
        let len = shape.iter().product();
        let values = match shape.as_slice() {
            [fan_out, fan_in, kernel @ ..] => {
                let taps: usize = kernel.iter().product();
                let fans = (fan_in + fan_out) * taps;
                // Each output of a depthwise convolution is of one input.
                let fans = if *fan_in == 1 { 2 * taps } else { fans };
                let bound = (6.0 / fans as f64).sqrt();
                let mut random = Random::new(seed, Purpose::Weights, 0, number);
                let value = |_| random.between(-bound, bound) as f32;
                (0..len).map(value).collect()
            }
            _ if name.ends_with("_bn.weight") || name.ends_with(".running_var") => vec![1f32; len],
            _ => vec![0f32; len],
        };
        tensors.insert(name, Tensor::from_vec(values, shape, &Device::Cpu)?);
    }
    Ok(tensors)
}
