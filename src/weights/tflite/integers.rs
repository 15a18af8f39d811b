//! The integers of a file's activations, with which it runs as it is.
//!
//! What this doesn't understand is no error: the file runs in the floats that its integers stand for.

use std::collections::HashMap;

use super::graph::{Code, Graph, Operator};
use super::options;
use super::scales;
use super::walk::TfliteLayer;
use crate::model::{
    AverageRule, Convolution, IntegerAverage, Levels, Rounding, Scale, StoredValues,
};
use crate::ops::Activation;
use crate::weights::stored_network::{Entry, LayerIntegers, NetworkIntegers};

type Result<T> = std::result::Result<T, String>;

/// Integers of a tensor between two operators. Those of int8 are taken 128 higher, as u8.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Integers {
    scale: Scale,
    signed: bool,
}

/// Reads them off a graph in which a MobileNet V1 was found; `None` where nothing is quantised.
pub(super) fn read(
    graph: &Graph,
    chain: &[&Operator],
    input: usize,
    layers: &[TfliteLayer],
    convolutions: &[Convolution],
) -> Option<Result<NetworkIntegers>> {
    let is_quantised = |layer: &TfliteLayer| layer.weight.quantisation.is_some();
    if !layers.iter().any(is_quantised) {
        return None;
    }
    let mut walk = Walk {
        graph,
        ahead: chain,
        found: Integers {
            scale: Scale { zero: 0, step: 1.0 },
            signed: false,
        },
    };
    Some(walk.network(input, layers, convolutions))
}

struct Walk<'g, 'a> {
    graph: &'g Graph<'a>,
    ahead: &'g [&'g Operator<'a>],
    /// What the last operator gave.
    found: Integers,
}

impl<'g, 'a> Walk<'g, 'a> {
    /// The next operator, if it does this.
    fn next_if(&mut self, code: Code) -> Option<&'g Operator<'a>> {
        let (first, rest) = self.ahead.split_first()?;
        if first.code != code {
            return None;
        }
        self.ahead = rest;
        Some(first)
    }

    /// The integers of a tensor; `None` where it holds floats.
    fn integers(&self, tensor: usize) -> Result<Option<Integers>> {
        let error = |reason: String| format!("tensor {tensor} {reason}");
        let info = self.graph.tensor(tensor)?;
        let Some((quantisation, signed)) = scales::activation(&info).map_err(error)? else {
            return Ok(None);
        };
        let ([step], [zero]) = (&quantisation.scales[..], &quantisation.zero_points[..]) else {
            return Err(error("has more than one scale".into()));
        };
        let zero = zero + if signed { 128 } else { 0 };
        let zero = u8::try_from(zero).map_err(|_| error(format!("has the zero point {zero}")))?;
        // The numbers of all integers are numbers, and so are their inverses.
        if !(step.is_normal() && (256.0 * step).is_finite()) {
            return Err(error(format!("has the scale {step:?}")));
        }
        let scale = Scale { zero, step: *step };
        Ok(Some(Integers { scale, signed }))
    }

    /// What an operator gives, which has to be integers.
    fn given(&self, operator: &Operator) -> Result<Integers> {
        let integers = self.integers(operator.output()?)?;
        integers.ok_or_else(|| format!("{operator} gives floats"))
    }

    /// Passes over operators that only move integers.
    fn pass_over(&mut self, codes: &[Code]) -> Result<()> {
        while let Some((operator, rest)) = self.ahead.split_first()
            && codes.contains(&operator.code)
        {
            if self.given(operator)? != self.found {
                return Err(format!("{operator} changes the scale of what it moves"));
            }
            self.ahead = rest;
        }
        Ok(())
    }

    fn network(
        &mut self,
        input: usize,
        layers: &[TfliteLayer],
        convolutions: &[Convolution],
    ) -> Result<NetworkIntegers> {
        let entry = self.entry(input)?;
        let flattens = [Code::RESHAPE, Code::SQUEEZE];
        let (blocks, classifier) = match layers.len().is_multiple_of(2) {
            true => layers.split_at(layers.len() - 1),
            false => (layers, &[][..]),
        };
        let mut named = HashMap::new();
        for (layer, convolution) in blocks.iter().zip(convolutions) {
            self.pass_over(&[Code::PAD])?;
            let integers = self
                .layer(layer)
                .map_err(|e| format!("{}: {e}", layer.name))?;
            named.insert(convolution.name.clone(), integers);
        }
        let features = self.found.scale;
        let average = self.average()?;
        self.pass_over(&flattens)?;
        let mut softmax = None;
        if let [layer] = classifier {
            let integers = self
                .layer(layer)
                .map_err(|e| format!("{}: {e}", layer.name))?;
            let name = convolutions.last().map(|last| last.name.clone());
            named.extend(name.map(|name| (name, integers)));
            softmax = self.ending(&flattens)?;
        } else if !self.ahead.is_empty() {
            self.ending(&flattens)?;
        }
        Ok(NetworkIntegers {
            entry,
            layers: named,
            features,
            average,
            softmax,
        })
    }

    /// What the pixels become.
    fn entry(&mut self, input: usize) -> Result<Entry> {
        let Some(given) = self.integers(input)? else {
            // Which may be from planes to pixels before or after that.
            self.next_if(Code::TRANSPOSE);
            let operator = self.next_if(Code::QUANTIZE);
            let operator = operator.ok_or("its activations are floats")?;
            self.found = self.given(operator)?;
            self.pass_over(&[Code::TRANSPOSE])?;
            return Ok(Entry::Floats(self.found.scale));
        };
        self.found = given;
        self.pass_over(&[Code::TRANSPOSE])?;
        if let Some(operator) = self.next_if(Code::QUANTIZE) {
            self.found = self.given(operator)?;
            if self.found.scale != given.scale {
                return Err(format!("{operator} changes the scale of the pixels"));
            }
            self.pass_over(&[Code::TRANSPOSE])?;
        }
        Ok(Entry::Bytes(self.found.scale))
    }

    /// A convolution.
    fn layer(&mut self, layer: &TfliteLayer) -> Result<LayerIntegers> {
        let (operator, rest) = self.ahead.split_first().ok_or("it is not there")?;
        if ![
            Code::CONV_2D,
            Code::DEPTHWISE_CONV_2D,
            Code::FULLY_CONNECTED,
        ]
        .contains(&operator.code)
        {
            return Err(format!("{operator} comes before it"));
        }
        self.ahead = rest;
        let (given, found) = (self.found, self.given(operator)?);
        if given.signed != found.signed {
            return Err("it takes one kind of integers and gives another".into());
        }
        let scale = found.scale;
        // A number of steps, of which there may be far too many.
        let six = (6.0 / scale.step).round().min(255.0) as u16;
        let levels = Levels {
            zero: scale.zero,
            low: layer.activation.map_or(0, |_| scale.zero),
            high: match layer.activation {
                Some(Activation::Relu6) => (u16::from(scale.zero) + six).min(Levels::ALL.high),
                _ => Levels::ALL.high,
            },
        };
        if layer.activation.is_some() != options::has_fused_activation(operator)? {
            return Err("its activation is an operator of its own".into());
        }
        check_layer(layer, given, found)?;
        self.found = found;
        Ok(LayerIntegers {
            input: given.scale,
            output: scale,
            levels,
            is_dense: operator.code == Code::FULLY_CONNECTED,
        })
    }

    fn average(&mut self) -> Result<IntegerAverage> {
        let (operator, rest) = self.ahead.split_first().ok_or("it has no average")?;
        self.ahead = rest;
        let (given, found) = (self.found, self.given(operator)?);
        if given.signed != found.signed {
            return Err(format!(
                "{operator} takes one kind of integers and gives another"
            ));
        }
        let rule = match operator.code {
            Code::AVERAGE_POOL_2D if given == found => AverageRule::Pool {
                signed: found.signed,
            },
            Code::MEAN => AverageRule::Mean {
                input: given.scale,
                // Whoever asks says which.
                rounding: Rounding::Once,
            },
            _ => return Err(format!("{operator} of such integers is not known")),
        };
        self.found = found;
        Ok(IntegerAverage {
            rule,
            output: found.scale,
        })
    }

    /// What comes after the last layer: the steps of logits whose softmax is in eight bits.
    fn ending(&mut self, flattens: &[Code]) -> Result<Option<f32>> {
        let mut softmax = None;
        let logits = self.found.scale;
        let mut is_float = false;
        while let Some((operator, rest)) = self.ahead.split_first() {
            self.ahead = rest;
            let found = self.integers(operator.output()?)?;
            match (operator.code, found) {
                (Code::DEQUANTIZE, None) if !is_float => is_float = true,
                (code, None) if is_float && (code == Code::SOFTMAX || flattens.contains(&code)) => {
                }
                (Code::SOFTMAX, Some(found)) if !is_float => {
                    if found.scale
                        != (Scale {
                            zero: 0,
                            step: 1.0 / 256.0,
                        })
                    {
                        return Err(format!("{operator} gives other steps than 256ths"));
                    }
                    softmax = Some(logits.step);
                    self.found = found;
                }
                // From one kind of integers to the other, or their shape.
                (Code::QUANTIZE, Some(found)) if found.scale == self.found.scale => {
                    self.found = found;
                }
                (code, Some(found)) if flattens.contains(&code) && found == self.found => {}
                _ => return Err(format!("{operator} of such integers is not known")),
            }
        }
        Ok(softmax)
    }
}

/// Refuses weights and biases that are not as LiteRT's kernels want them, or that lead to sums beyond
/// 32 bits.
fn check_layer(layer: &TfliteLayer, given: Integers, found: Integers) -> Result<()> {
    let TfliteLayer { weight, bias, .. } = layer;
    let Some(quantisation) = &weight.quantisation else {
        return Err("its weight is of floats".into());
    };
    let outputs = weight.shape.first().copied().unwrap_or(0);
    let (scales, zeros) = (&quantisation.scales, &quantisation.zero_points);
    let per_channel = scales.len() > 1;
    if per_channel && (quantisation.axis != 0 || scales.len() != outputs) {
        return Err("its scales are not one for each output".into());
    }
    match (&weight.values, given.signed) {
        (StoredValues::I8(_), true) if zeros.iter().all(|zero| *zero == 0) => {}
        (StoredValues::U8(_), false) if !per_channel => {}
        _ => return Err("its weight is not of the integers that go with its input".into()),
    }
    // XNNPACK, which LiteRT's default kernels are, takes no others.
    let factor = |c| given.scale.step * quantisation.scale(c) / found.scale.step;
    if !(0..outputs).all(|c| (f32::MIN_POSITIVE..256.0).contains(&factor(c))) {
        return Err("its sums would be multiplied by too much or too little".into());
    }
    let biases = bias.whole_numbers().ok_or("its bias is not of int32")?;
    if let Some(bias) = &bias.quantisation {
        // In such steps biases are added to sums as they are.
        let step = |c: usize| f64::from(given.scale.step) * f64::from(quantisation.scale(c));
        let near = |c: usize| (f64::from(bias.scale(c)) / step(c) - 1.0).abs() < 1e-3;
        let is_odd = bias.zero_points.iter().any(|zero| *zero != 0);
        if is_odd || (bias.scales.len() > 1 && bias.scales.len() != outputs) {
            return Err("its bias is quantised in another way than its weight".into());
        }
        if !(0..outputs).all(near) {
            return Err("its bias has other steps than its sums".into());
        }
    }
    let depth = (weight.shape.iter().product::<usize>() / outputs.max(1)).max(1);
    let largest: Vec<i64> = match &weight.values {
        StoredValues::I8(values) => sizes(values, depth, zeros[0]),
        StoredValues::U8(values) => sizes(values, depth, zeros[0]),
        _ => Vec::new(),
    };
    let fits =
        |(size, bias): (&i64, &i32)| size * 255 + i64::from(bias.unsigned_abs()) <= i32::MAX.into();
    if !largest.iter().zip(biases.iter()).all(fits) {
        return Err("its sums need more than 32 bits".into());
    }
    Ok(())
}

/// The sum of the sizes of each filter's weights.
fn sizes<T: Copy + Into<i32>>(values: &[T], depth: usize, zero: i64) -> Vec<i64> {
    let zero = zero.clamp(-256, 256) as i32;
    let size = |value: &T| ((*value).into() - zero).unsigned_abs();
    // Some at a time in 32 bits, which is done a vector at a time.
    let part = |part: &[T]| i64::from(part.iter().map(size).sum::<u32>());
    let filters = values.chunks_exact(depth);
    filters
        .map(|filter| filter.chunks(1 << 16).map(part).sum())
        .collect()
}
