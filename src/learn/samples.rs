//! Examples as the rows of a matrix.

use candle_core::{Device, Tensor};

use super::{Example, Parameters, matrix};
use crate::error::{Error, Result};

/// The views of all examples, centred and scaled, a row each.
pub(super) struct Samples {
    /// `[rows, length]`, f64.
    pub features: Tensor,
    /// The example that each row is a view of.
    pub examples: Vec<usize>,
    /// The row of each example's first view.
    pub first_rows: Vec<usize>,
    /// The class of each example.
    pub classes: Vec<usize>,
    /// How many classes there are.
    pub class_count: usize,
    /// Length of an embedding.
    pub length: usize,
    /// What each row counts, of what its example does.
    pub weights: Vec<f64>,
    /// What an example of each class counts, 1 in the mean of all examples.
    pub class_weights: Vec<f64>,
    center: Vec<f64>,
    scale: f64,
}

impl Samples {
    /// Checks the examples and lays them out; `balance` makes classes count alike.
    pub fn new(examples: &[Example], class_count: usize, balance: bool) -> Result<Self> {
        let length = check(examples, class_count)?;
        let class_weights = class_weights(examples, class_count, balance);
        let views = examples.iter().enumerate();
        let views = views.flat_map(|(i, example)| example.views.iter().map(move |view| (i, view)));
        let rows: Vec<(usize, &Vec<f32>)> = views.collect();
        let numbers: Vec<usize> = rows.iter().map(|(example, _)| *example).collect();
        // Centre and scale are those of the pictures, whatever their classes count.
        let shares: Vec<f64> = numbers
            .iter()
            .map(|&i| 1.0 / examples[i].views.len() as f64)
            .collect();
        let weights = numbers.iter().zip(&shares);
        let weights = weights.map(|(&i, share)| class_weights[examples[i].class] * share);
        let weights: Vec<f64> = weights.collect();
        let count = examples.len() as f64;
        let mut center = vec![0.0; length];
        for ((_, view), weight) in rows.iter().zip(&shares) {
            for (sum, &value) in center.iter_mut().zip(*view) {
                *sum += weight / count * f64::from(value);
            }
        }
        let mut features = Vec::with_capacity(rows.len() * length);
        let mut spread = 0.0;
        for ((_, view), weight) in rows.iter().zip(&shares) {
            let centred = view.iter().zip(&center).map(|(&v, c)| f64::from(v) - c);
            features.extend(centred);
            let row = &features[features.len() - length..];
            spread += weight / count * row.iter().map(|v| v * v).sum::<f64>();
        }
        // Where all pictures look the same any scale will do.
        let scale = if spread > 0.0 { spread.sqrt() } else { 1.0 };
        for value in &mut features {
            *value /= scale;
        }
        let mut first_rows = Vec::with_capacity(examples.len());
        let mut row = 0;
        for example in examples {
            first_rows.push(row);
            row += example.views.len();
        }
        Ok(Self {
            features: matrix(features, rows.len(), length)?,
            examples: numbers,
            first_rows,
            classes: examples.iter().map(|example| example.class).collect(),
            class_count,
            length,
            weights,
            class_weights,
            center,
            scale,
        })
    }

    /// Rows of the matrix.
    pub fn rows(&self) -> usize {
        self.examples.len()
    }

    /// What scikit-learn calls C, for the embeddings as they are: the inverse of what the squared
    /// weights cost beside the sum over the pictures. With two classes it has one weight vector
    /// in place of two, whose square is twice as large.
    pub fn inverse_strength(&self, regularisation: f64) -> f64 {
        let count = self.classes.len() as f64;
        let c = 1.0 / (regularisation * count * self.scale * self.scale);
        if self.class_count == 2 { 2.0 * c } else { c }
    }

    /// Weight and bias for embeddings as they are, in f32.
    pub fn unscaled(&self, parameters: &Parameters) -> Result<(Tensor, Tensor)> {
        let mut weight = Vec::with_capacity(self.class_count * self.length);
        let mut bias = Vec::with_capacity(self.class_count);
        for class in 0..self.class_count {
            let row: Vec<f64> = parameters
                .weight(class)
                .iter()
                .map(|w| w / self.scale)
                .collect();
            let shift: f64 = row.iter().zip(&self.center).map(|(w, c)| w * c).sum();
            bias.push((parameters.bias(class) - shift) as f32);
            weight.extend(row.into_iter().map(|w| w as f32));
        }
        if weight.iter().chain(&bias).any(|value| !value.is_finite()) {
            let message = "the embeddings differ by less than f32 can tell apart";
            return Err(Error::not_a_number(message));
        }
        let weight = Tensor::from_vec(weight, (self.class_count, self.length), &Device::Cpu)?;
        let bias = Tensor::from_vec(bias, self.class_count, &Device::Cpu)?;
        Ok((weight, bias))
    }
}

/// What an example of each class counts: as much as any other, or such that all of each class do.
fn class_weights(examples: &[Example], class_count: usize, balance: bool) -> Vec<f64> {
    if !balance {
        return vec![1.0; class_count];
    }
    let mut counts = vec![0usize; class_count];
    for example in examples {
        counts[example.class] += 1;
    }
    let share = examples.len() as f64 / class_count as f64;
    counts
        .into_iter()
        .map(|count| share / count as f64)
        .collect()
}

/// The length of the embeddings, if the examples make sense.
fn check(examples: &[Example], class_count: usize) -> Result<usize> {
    let error = |message: String| Err(Error::input(message));
    if class_count < 2 {
        return error("one class can't be told from nothing: at least two are needed".into());
    }
    let mut counts = vec![0usize; class_count];
    let length = examples.first().and_then(|example| example.views.first());
    let length = length.map_or(0, Vec::len);
    for (i, example) in examples.iter().enumerate() {
        match counts.get_mut(example.class) {
            Some(count) => *count += 1,
            None => return error(format!("example {i} is of class {}", example.class)),
        }
        if example.views.is_empty() {
            return error(format!("example {i} has no embedding"));
        }
        for view in &example.views {
            if view.len() != length || length == 0 {
                let found = view.len();
                let message = format!("example {i}: {found} values, not {length}");
                return Err(Error::length(length, found, message));
            }
            if view.iter().any(|value| !value.is_finite()) {
                return Err(Error::not_a_number(format!(
                    "example {i}: its embedding is not a number: the network's weights are damaged"
                )));
            }
        }
    }
    match counts.iter().position(|&count| count == 0) {
        Some(class) => error(format!("class {class} has no examples")),
        None => Ok(length),
    }
}
