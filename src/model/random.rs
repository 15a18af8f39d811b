//! Random weights, for benchmarks and tests that need a network but no checkpoint.

use std::collections::HashMap;

use candle_core::{Device, Tensor};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::config::Config;
use crate::error::Result;

/// Every tensor of a network of these settings, with random values, the same for a seed until
/// `rand` changes: nothing is kept that is made of them.
///
/// Kernels are uniform with He et al.'s variance (2 / fan-in), so that activations neither
/// vanish nor saturate; batch norm is near the identity.
///
/// # Errors
/// Settings that [`Config::validate`] refuses.
pub fn random_tensors(config: &Config, seed: u64) -> Result<HashMap<String, Tensor>> {
    config.validate()?;
    let mut rng = StdRng::seed_from_u64(seed);
    let mut tensors = HashMap::new();
    for (name, shape) in config.tensors() {
        let range = match shape.as_slice() {
            [_, fan_in @ ..] if !fan_in.is_empty() => {
                let bound = (6.0 / fan_in.iter().product::<usize>() as f32).sqrt();
                -bound..bound
            }
            _ if name.ends_with("_bn.weight") || name.ends_with(".running_var") => 0.8..1.2,
            _ => -0.1..0.1,
        };
        let values: Vec<f32> = (0..shape.iter().product())
            .map(|_| rng.random_range(range.clone()))
            .collect();
        tensors.insert(name, Tensor::from_vec(values, shape, &Device::Cpu)?);
    }
    Ok(tensors)
}
