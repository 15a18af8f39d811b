//! AdamW, and the learning rate over a run.

use std::collections::HashMap;

use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor};

use super::layer::Parameter;
use crate::error::{Error, Result};

const BETAS: (f64, f64) = (0.9, 0.999);
const EPSILON: f64 = 1e-8;

/// AdamW: Adam with weight decay by itself (Loshchilov and Hutter 2019, arXiv:1711.05101, as
/// PyTorch has it), with the moments' decays 0.9 and 0.999 and epsilon 1e-8.
#[derive(Debug)]
pub struct AdamW {
    parameters: Vec<(Parameter, Moments)>,
    weight_decay: f64,
    steps: usize,
}

/// Running means of a gradient and of its square.
#[derive(Debug)]
struct Moments {
    first: Tensor,
    second: Tensor,
}

impl AdamW {
    /// For these parameters; `weight_decay` is what the learning rate is multiplied by for the
    /// share of a weight that a step takes away.
    ///
    /// # Errors
    /// A failure of the device.
    pub fn new(parameters: Vec<Parameter>, weight_decay: f64) -> Result<Self> {
        let with_moments = |parameter: Parameter| {
            let moments = Moments {
                first: parameter.value.zeros_like()?,
                second: parameter.value.zeros_like()?,
            };
            Ok((parameter, moments))
        };
        let parameters = parameters.into_iter().map(with_moments);
        Ok(Self {
            parameters: parameters.collect::<Result<_>>()?,
            weight_decay,
            steps: 0,
        })
    }

    /// Steps that were made.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Moves every parameter against its gradient, at its part of a learning rate.
    ///
    /// # Errors
    /// A failure of the device.
    pub fn step(&mut self, gradients: &GradStore, rate: f64) -> Result<()> {
        self.steps += 1;
        let power = self.steps.min(i32::MAX as usize) as i32;
        let correction = (1.0 - BETAS.0.powi(power), 1.0 - BETAS.1.powi(power));
        for (parameter, moments) in &mut self.parameters {
            let Some(gradient) = gradients.get(&parameter.value) else {
                continue;
            };
            let gradient = gradient.detach();
            let rate = rate * parameter.rate;
            let towards = |moment: &Tensor, value: Tensor, beta: f64| {
                (moment * beta)? + (value * (1.0 - beta))?
            };
            moments.first = towards(&moments.first, gradient.clone(), BETAS.0)?;
            moments.second = towards(&moments.second, gradient.sqr()?, BETAS.1)?;
            let deviation = (moments.second.sqrt()? / correction.1.sqrt())?;
            let change = (&moments.first / (deviation + EPSILON)?)?;
            let value = parameter.value.as_detached_tensor();
            let value = match parameter.decays {
                true => (value * (1.0 - rate * self.weight_decay))?,
                false => value,
            };
            parameter
                .value
                .set(&(value - (change * (rate / correction.0))?)?)?;
        }
        Ok(())
    }

    /// What it knows of each parameter, by the parameter's name.
    ///
    /// # Errors
    /// A failure of the device.
    pub fn state(&self) -> Result<HashMap<String, Tensor>> {
        let mut state = HashMap::new();
        for (Parameter { name, .. }, moments) in &self.parameters {
            for (part, moment) in [("first", &moments.first), ("second", &moments.second)] {
                let moment = moment.to_device(&Device::Cpu)?;
                state.insert(format!("{part}.{name}"), moment);
            }
        }
        Ok(state)
    }

    /// Goes on from such a state after so many steps.
    ///
    /// # Errors
    /// A state of other parameters.
    pub fn restore(&mut self, state: &HashMap<String, Tensor>, steps: usize) -> Result<()> {
        for (Parameter { name, value, .. }, moments) in &mut self.parameters {
            let take = |part: &str| {
                let name = format!("{part}.{name}");
                let found = state.get(&name).filter(|t| t.dims() == value.dims());
                let found = found.ok_or_else(|| Error::tensor(&name, "is missing"))?;
                Ok::<_, Error>(found.to_device(value.device())?.to_dtype(value.dtype())?)
            };
            (moments.first, moments.second) = (take("first")?, take("second")?);
        }
        self.steps = steps;
        Ok(())
    }
}

/// The learning rate of a step: it rises for a twentieth of the steps, and falls to 0 as a cosine
/// does (Loshchilov and Hutter 2017, arXiv:1608.03983).
pub fn learning_rate(highest: f64, step: usize, steps: usize) -> f64 {
    let rising = (steps / 20).max(1);
    if step < rising {
        return highest * (step + 1) as f64 / rising as f64;
    }
    let part = (step - rising + 1) as f64 / (steps - rising + 1) as f64;
    highest * 0.5 * (1.0 + (std::f64::consts::PI * part).cos())
}
