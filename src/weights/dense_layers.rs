//! What comes after a network's pool, in whatever file, as hidden layers and a classifier of ours.

use std::collections::HashMap;

use candle_core::{Device, Tensor};

use crate::model::{Convolution, HiddenActivation, HiddenLayer};

/// A step on the way from the pool to the outputs.
#[derive(Debug)]
pub(super) struct HeadStep {
    /// The file's name for it, for messages.
    pub name: String,
    pub does: HeadOperation,
}

/// What it does.
#[derive(Debug)]
pub(super) enum HeadOperation {
    /// A dense layer, or a 1x1 convolution of a single pixel: `weight * x + bias`.
    Dense {
        /// `[out][in]`.
        weight: Vec<f32>,
        /// `[out]`.
        bias: Vec<f32>,
    },
    /// A batch norm, or whatever else multiplies each value and adds to it.
    Scale {
        /// One a value.
        factor: Vec<f64>,
        /// As many.
        offset: Vec<f64>,
    },
    /// A nonlinearity.
    Activation(HiddenActivation),
}

/// The layers that steps come to.
#[derive(Debug, Default)]
pub(super) struct DenseLayers {
    /// All but the last.
    pub hidden: Vec<HiddenLayer>,
    /// Weights and biases, in our names; none where there are no steps.
    pub tensors: HashMap<String, Tensor>,
}

/// A dense layer with whatever was folded into it.
struct Layer {
    name: String,
    weight: Vec<f64>,
    bias: Vec<f64>,
    activation: Option<HiddenActivation>,
}

impl DenseLayers {
    /// Puts together the steps from a pool of so many values to the outputs, whose own activation is not
    /// among them. Factors and offsets are folded into the dense layer before or after them.
    ///
    /// # Errors
    /// Steps that don't fit one another, and steps that no layer of ours can do.
    pub fn of(steps: Vec<HeadStep>, inputs: usize) -> Result<Self, String> {
        let mut layers: Vec<Layer> = Vec::new();
        let mut pending: Option<(Vec<f64>, Vec<f64>)> = None;
        let mut width = inputs;
        for HeadStep { name, does } in steps {
            match does {
                HeadOperation::Dense { weight, bias } => {
                    let mut layer = Layer::new(name, weight, &bias, width)?;
                    if let Some((factor, offset)) = pending.take() {
                        layer.scale_inputs(&factor, &offset);
                    }
                    width = bias.len();
                    layers.push(layer);
                }
                HeadOperation::Scale { factor, offset } => {
                    if factor.len() != width || offset.len() != width {
                        let found = factor.len();
                        return Err(format!(
                            "{name} is of {found} values, where {width} come in"
                        ));
                    }
                    match (layers.last_mut(), &mut pending) {
                        (Some(last), None) if last.activation.is_none() => {
                            last.scale_outputs(&factor, &offset);
                        }
                        (_, Some((before, shift))) => {
                            for (i, (factor, offset)) in factor.iter().zip(&offset).enumerate() {
                                before[i] *= factor;
                                shift[i] = shift[i] * factor + offset;
                            }
                        }
                        _ => pending = Some((factor, offset)),
                    }
                }
                HeadOperation::Activation(HiddenActivation::Linear) => {}
                HeadOperation::Activation(activation) => match layers.last_mut() {
                    Some(last) if last.activation.is_none() => last.activation = Some(activation),
                    Some(last) => {
                        let before = &last.name;
                        return Err(format!("{name} is a second activation after {before}"));
                    }
                    None => return Err(format!("{name} comes before any dense layer")),
                },
            }
        }
        if pending.is_some() {
            return Err("it ends with a batch norm that no dense layer follows".into());
        }
        Self::finished(layers)
    }

    fn finished(mut layers: Vec<Layer>) -> Result<Self, String> {
        let Some(last) = layers.pop() else {
            return Ok(Self::default());
        };
        if let Some(activation) = last.activation {
            return Err(format!(
                "{} has the activation {activation}: of the last layer only a softmax over the classes \
                 and a sigmoid of each are supported",
                last.name
            ));
        }
        let mut found = Self::default();
        for (number, layer) in (1..).zip(layers) {
            found.hidden.push(HiddenLayer {
                units: layer.bias.len(),
                activation: layer.activation.unwrap_or(HiddenActivation::Linear),
            });
            found.insert(&format!("hidden_{number}"), layer, &[])?;
        }
        let classifier = Convolution::classifier(1, 1);
        found.insert(&classifier.name, last, &[1, 1])?;
        Ok(found)
    }

    /// A layer's tensors under our name, with `more` dimensions.
    fn insert(&mut self, name: &str, layer: Layer, more: &[usize]) -> Result<(), String> {
        let units = layer.bias.len();
        let mut shape = vec![units, layer.weight.len() / units];
        shape.extend(more);
        let mut insert = |part: &str, values: Vec<f64>, shape: &[usize]| {
            let values = values.into_iter().map(|value| value as f32).collect();
            let tensor = Tensor::from_vec(values, shape, &Device::Cpu);
            let tensor = tensor.map_err(|e| e.to_string())?;
            self.tensors.insert(format!("{name}.{part}"), tensor);
            Ok(())
        };
        insert("weight", layer.weight, &shape)?;
        insert("bias", layer.bias, &[units])
    }
}

impl Layer {
    fn new(name: String, weight: Vec<f32>, bias: &[f32], inputs: usize) -> Result<Self, String> {
        if bias.is_empty() || bias.len().checked_mul(inputs) != Some(weight.len()) {
            let (found, units) = (weight.len(), bias.len());
            return Err(format!(
                "{name} has {found} weights for {units} outputs, where {inputs} values come in"
            ));
        }
        Ok(Self {
            name,
            weight: weight.into_iter().map(f64::from).collect(),
            bias: bias.iter().map(|&value| f64::from(value)).collect(),
            activation: None,
        })
    }

    /// Takes up what is done to its inputs.
    fn scale_inputs(&mut self, factor: &[f64], offset: &[f64]) {
        let rows = self.weight.chunks_exact_mut(factor.len());
        for (row, bias) in rows.zip(&mut self.bias) {
            for (i, weight) in row.iter_mut().enumerate() {
                *bias += *weight * offset[i];
                *weight *= factor[i];
            }
        }
    }

    /// Takes up what is done to its outputs.
    fn scale_outputs(&mut self, factor: &[f64], offset: &[f64]) {
        let inputs = self.weight.len() / self.bias.len();
        let rows = self.weight.chunks_exact_mut(inputs).zip(&mut self.bias);
        for (i, (row, bias)) in rows.enumerate() {
            row.iter_mut().for_each(|weight| *weight *= factor[i]);
            *bias = *bias * factor[i] + offset[i];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str, does: HeadOperation) -> HeadStep {
        HeadStep {
            name: name.into(),
            does,
        }
    }

    fn dense(weight: &[f32], bias: &[f32]) -> HeadStep {
        let (weight, bias) = (weight.to_vec(), bias.to_vec());
        step("dense", HeadOperation::Dense { weight, bias })
    }

    fn scale(factor: &[f64], offset: &[f64]) -> HeadStep {
        let (factor, offset) = (factor.to_vec(), offset.to_vec());
        step("norm", HeadOperation::Scale { factor, offset })
    }

    fn activation(activation: HiddenActivation) -> HeadStep {
        step("relu", HeadOperation::Activation(activation))
    }

    fn values(layers: &DenseLayers, name: &str) -> Vec<f32> {
        let tensor = layers.tensors[name].flatten_all().expect("a tensor");
        tensor.to_vec1().expect("floats")
    }

    #[test]
    fn factors_go_into_the_layer_that_is_nearest() {
        // Both before the first layer; one between it and its activation, one after that.
        let steps = vec![
            scale(&[2.0, 3.0], &[1.0, 0.0]),
            scale(&[1.0, 2.0], &[0.0, 5.0]),
            dense(&[1.0, 1.0, 0.0, 2.0], &[0.5, 0.0]),
            scale(&[10.0, 1.0], &[1.0, 0.0]),
            activation(HiddenActivation::Relu),
            activation(HiddenActivation::Linear),
            scale(&[1.0, 0.5], &[0.0, 4.0]),
            dense(&[1.0, 2.0], &[3.0]),
        ];
        let found = DenseLayers::of(steps, 2).expect("layers");
        let relu = HiddenLayer {
            units: 2,
            activation: HiddenActivation::Relu,
        };
        assert_eq!(found.hidden, [relu]);
        assert_eq!(values(&found, "hidden_1.weight"), [20.0, 60.0, 0.0, 12.0]);
        assert_eq!(values(&found, "hidden_1.bias"), [66.0, 10.0]);
        assert_eq!(values(&found, "conv_preds.weight"), [1.0, 1.0]);
        assert_eq!(values(&found, "conv_preds.bias"), [11.0]);
        assert_eq!(found.tensors["conv_preds.weight"].dims(), [1, 2, 1, 1]);
    }

    #[test]
    fn nothing_after_the_pool_is_no_classifier() {
        let found = DenseLayers::of(Vec::new(), 2).expect("nothing");
        assert!(found.hidden.is_empty() && found.tensors.is_empty());
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let relu = || activation(HiddenActivation::Relu);
        let one = || dense(&[1.0, 1.0], &[0.0]);
        for (steps, reason) in [
            (
                vec![dense(&[1.0], &[0.0])],
                "dense has 1 weights for 1 outputs, where 2",
            ),
            (vec![dense(&[], &[])], "0 weights for 0 outputs"),
            (
                vec![scale(&[1.0], &[1.0]), one()],
                "norm is of 1 values, where 2",
            ),
            (vec![one(), relu()], "dense has the activation relu"),
            (
                vec![one(), relu(), relu(), dense(&[1.0], &[0.0])],
                "a second activation",
            ),
            (vec![relu(), one()], "relu comes before any dense layer"),
            (
                vec![scale(&[1.0, 1.0], &[0.0, 0.0])],
                "no dense layer follows",
            ),
        ] {
            let error = DenseLayers::of(steps, 2).expect_err(reason);
            assert!(error.contains(reason), "{error}");
        }
    }
}
