//! A head of several dense layers, or on another pool than the average: the same in f32 for every engine,
//! which then ends with the last block.

use candle_core::{Device, Result as CandleResult, Tensor};

use super::architecture::{Convolution, ConvolutionKind};
use super::config::Config;
use super::hidden::HiddenActivation;
use super::stored::TensorSource;
use crate::cpu::{Threads, for_each};
use crate::error::{Error, Result};

/// Dense layers from the embedding to the logits.
#[derive(Debug, Clone)]
pub(crate) struct DenseHead {
    layers: Vec<DenseLayer>,
    device: Device,
    threads: Threads,
}

#[derive(Debug, Clone)]
struct DenseLayer {
    /// `[in][out]`.
    weight: Vec<f32>,
    /// `[out]`.
    bias: Vec<f32>,
    activation: HiddenActivation,
    /// Both on the device, where that is not the CPU: `[in, out]` and `[out]`.
    placed: Option<(Tensor, Tensor)>,
}

impl DenseHead {
    /// Brings a head's weights to a device; `None` where a network's last layer is its engine's.
    ///
    /// # Errors
    /// Tensors that are missing or have values that are not finite numbers.
    pub fn read(
        config: &Config,
        tensors: &dyn TensorSource,
        device: &Device,
    ) -> Result<Option<Self>> {
        let convolutions = config.convolutions();
        let is_classifier = |c: &&Convolution| c.kind == ConvolutionKind::Classifier;
        let Some(last) = convolutions.last().filter(is_classifier) else {
            return Ok(None);
        };
        let mut layers = Vec::new();
        for (number, hidden) in config.hidden.iter().enumerate() {
            let [weight, bias] = config.hidden_tensors(number);
            layers.push(DenseLayer::read(
                (&weight.0, &weight.1),
                (&bias.0, hidden.units),
                hidden.activation,
                tensors,
                device,
            )?);
        }
        layers.push(DenseLayer::read(
            (&last.weight_name(), &last.weight_shape()),
            (&last.bias_name(), last.out_channels),
            HiddenActivation::Linear,
            tensors,
            device,
        )?);
        Ok(Some(Self {
            layers,
            device: device.clone(),
            threads: Threads::default(),
        }))
    }

    /// The same on so many threads of the CPU.
    pub fn with_threads(&self, threads: usize) -> Self {
        Self {
            threads: Threads::exactly(threads),
            ..self.clone()
        }
    }

    /// Operations that it gives a device that is not the CPU.
    pub fn operations(&self) -> usize {
        let activated = self.layers.iter();
        let activated = activated.filter(|layer| layer.activation != HiddenActivation::Linear);
        2 * self.layers.len() + activated.count()
    }

    /// Logits `[N, classes]` of embeddings `[N, int(1024 * alpha)]`, both in f32 on the device.
    pub fn logits(&self, embeddings: &Tensor) -> CandleResult<Tensor> {
        if !self.device.is_cpu() {
            return self.on_device(embeddings.to_device(&self.device)?);
        }
        let (images, len) = embeddings.dims2()?;
        let values: Vec<f32> = embeddings
            .to_device(&self.device)?
            .flatten_all()?
            .to_vec1()?;
        let classes = self.layers.last().map_or(0, |layer| layer.bias.len());
        let mut logits = vec![0.0; images * classes];
        let rows = values
            .chunks_exact(len)
            .zip(logits.chunks_exact_mut(classes));
        for_each(self.threads, rows, |(embedding, logits)| {
            let mut x = embedding.to_vec();
            for layer in &self.layers {
                x = layer.sums(&x);
                let activation = layer.activation;
                x.iter_mut()
                    .for_each(|value| *value = activation.apply(*value));
            }
            logits.copy_from_slice(&x);
        });
        Tensor::from_vec(logits, (images, classes), &self.device)
    }

    /// The same with candle's operations.
    fn on_device(&self, mut x: Tensor) -> CandleResult<Tensor> {
        for layer in &self.layers {
            if let Some((weight, bias)) = &layer.placed {
                let y = x.matmul(weight)?.broadcast_add(bias)?;
                x = layer.activation.apply_to_tensor(&y)?;
            }
        }
        Ok(x)
    }

    /// How a class's logit changes with each value of an embedding, there. `None` where there is no
    /// such class.
    pub fn gradient(&self, embedding: &[f32], output: usize) -> Option<Vec<f32>> {
        let mut slopes: Vec<Vec<f64>> = Vec::new();
        let mut x = embedding.to_vec();
        for layer in &self.layers {
            let sums = layer.sums(&x);
            let found = sums
                .iter()
                .map(|&sum| layer.activation.with_slope(sum.into()));
            let (values, found): (Vec<f64>, Vec<f64>) = found.unzip();
            x = values.iter().map(|&value| value as f32).collect();
            slopes.push(found);
        }
        let mut gradient = vec![0f64; x.len()];
        *gradient.get_mut(output)? = 1.0;
        for (layer, slopes) in self.layers.iter().zip(&slopes).rev() {
            let outer: Vec<f64> = gradient.iter().zip(slopes).map(|(g, s)| g * s).collect();
            let rows = layer.weight.chunks_exact(layer.bias.len());
            let inner = rows.map(|row| {
                let terms = row.iter().zip(&outer).map(|(&w, o)| f64::from(w) * o);
                terms.sum::<f64>()
            });
            gradient = inner.collect();
        }
        Some(gradient.into_iter().map(|value| value as f32).collect())
    }
}

impl DenseLayer {
    fn read(
        (weight_name, shape): (&str, &[usize]),
        (bias_name, units): (&str, usize),
        activation: HiddenActivation,
        tensors: &dyn TensorSource,
        device: &Device,
    ) -> Result<Self> {
        let read = |name: &str, shape: &[usize]| {
            let values = tensors.tensor(name, shape)?.numbers()?.into_owned();
            match values.iter().all(|value| value.is_finite()) {
                true => Ok(values),
                false => Err(Error::tensor(
                    name,
                    "has values that are not finite numbers",
                )),
            }
        };
        let rows = read(weight_name, shape)?;
        let bias = read(bias_name, &[units])?;
        let inputs = rows.len() / units;
        let mut weight = Vec::with_capacity(rows.len());
        for input in 0..inputs {
            weight.extend((0..units).map(|unit| rows[unit * inputs + input]));
        }
        let layer = Self {
            weight,
            bias,
            activation,
            placed: None,
        };
        Ok(match device.is_cpu() {
            true => layer,
            false => layer.placed_on(device)?,
        })
    }

    /// The same with its weights on a device too.
    fn placed_on(self, device: &Device) -> CandleResult<Self> {
        let units = self.bias.len();
        let weight = Tensor::from_slice(&self.weight, ((), units), device)?;
        let bias = Tensor::new(self.bias.as_slice(), device)?;
        Ok(Self {
            placed: Some((weight, bias)),
            ..self
        })
    }

    /// `[out]` of `[in]`, before the activation: always added up in the same order.
    fn sums(&self, x: &[f32]) -> Vec<f32> {
        let mut sums = self.bias.clone();
        let rows = self.weight.chunks_exact(self.bias.len());
        for (row, &x) in rows.zip(x) {
            for (sum, &weight) in sums.iter_mut().zip(row) {
                *sum += x * weight;
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use candle_core::DType;
    use candle_nn::VarBuilder;

    use super::*;
    use crate::model::{HiddenLayer, random_tensors};

    fn head() -> Result<DenseHead> {
        let hidden = |units, activation| HiddenLayer { units, activation };
        let config = Config {
            classes: Some(3),
            hidden: vec![
                hidden(9, HiddenActivation::Gelu),
                hidden(7, HiddenActivation::LeakyRelu(0.2)),
            ],
            ..Config::with_alpha(0.0625)
        };
        let tensors = random_tensors(&config, 3)?;
        let weights = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let head = DenseHead::read(&config, &weights, &Device::Cpu)?;
        head.ok_or_else(|| Error::network("a head"))
    }

    fn embeddings() -> CandleResult<Tensor> {
        let values: Vec<f32> = (0..128).map(|i| (i * 37 % 101) as f32 / 25.0).collect();
        Tensor::from_vec(values, (2, 64), &Device::Cpu)
    }

    #[test]
    fn devices_have_the_same_head() -> Result<()> {
        let mut head = head()?;
        let here: Vec<f32> = head.logits(&embeddings()?)?.flatten_all()?.to_vec1()?;
        let layers = head.layers.drain(..);
        let placed = layers.map(|layer| layer.placed_on(&Device::Cpu));
        head.layers = placed.collect::<CandleResult<_>>()?;
        let there: Vec<f32> = head.on_device(embeddings()?)?.flatten_all()?.to_vec1()?;
        assert_eq!(here.len(), 6);
        let off = here.iter().zip(&there).map(|(a, b)| (a - b).abs());
        assert!(off.fold(0.0, f32::max) < 1e-5, "{here:?} {there:?}");
        assert_eq!(head.operations(), 8);
        Ok(())
    }

    #[test]
    fn a_gradient_is_how_a_logit_changes() -> Result<()> {
        let head = head()?;
        let first: Vec<f32> = embeddings()?.get(0)?.to_vec1()?;
        let logit = |x: &[f32], output: usize| -> Result<f32> {
            let x = Tensor::new(x, &Device::Cpu)?.reshape((1, 64))?;
            Ok(head.logits(&x)?.get(0)?.to_vec1::<f32>()?[output])
        };
        for output in 0..3 {
            let gradient = head.gradient(&first, output).unwrap_or_default();
            for place in [0, 17, 63] {
                let moved = |by: f32| {
                    let mut moved = first.clone();
                    moved[place] += by;
                    logit(&moved, output)
                };
                let about = (moved(0.01)? - moved(-0.01)?) / 0.02;
                assert!(
                    (gradient[place] - about).abs() < 2e-3,
                    "{about} {}",
                    gradient[place]
                );
            }
        }
        assert!(head.gradient(&first, 3).is_none());
        Ok(())
    }
}
