//! What follows a convolution: its activation, a border of zeros, the average, the scores.

use std::rc::Rc;

use super::activations::{Activations, Axis, Stage};
use super::affine::Affine;
use super::convolve::Kernel;
use super::operation::{Pool, Zeros};
use crate::head::Head;
use crate::ops::Activation;
use crate::weights::protobuf::Result;

/// A convolution with what follows it.
#[derive(Debug)]
pub(super) struct Layer {
    pub kernel: Rc<Kernel>,
    pub affine: Option<Affine>,
    /// None after the classifier.
    pub activation: Option<Activation>,
}

impl Layer {
    /// Weight and bias, with what is done to its output in them.
    pub fn folded(&self) -> (Vec<f32>, Vec<f32>) {
        let Kernel {
            shape,
            weight,
            bias,
            ..
        } = &*self.kernel;
        let outputs = shape[0];
        let bias = bias.clone().unwrap_or_else(|| vec![0.0; outputs]);
        let Some(Affine { factor, offset }) = &self.affine else {
            return (weight.clone(), bias);
        };
        let run = weight.len() / outputs.max(1);
        let runs = weight.chunks(run.max(1)).zip(factor);
        let weight = runs.flat_map(|(weights, factor)| {
            let scaled = weights.iter();
            scaled.map(move |weight| (f64::from(*weight) * factor) as f32)
        });
        let bias = bias.iter().zip(factor).zip(offset);
        let bias = bias.map(|((bias, factor), offset)| (f64::from(*bias) * factor + offset) as f32);
        (weight.collect(), bias.collect())
    }
}

impl Activations {
    /// Zeros around, by dimension.
    pub fn padded(&self, zeros: &[[i64; 2]]) -> Result<Self> {
        let mut around = [[0; 2]; 2];
        if zeros.len() != self.axes.len() {
            return Err("it does not say the zeros of each dimension".into());
        }
        for (axis, zeros) in self.axes.iter().zip(zeros) {
            match axis {
                Axis::Height => around[0] = *zeros,
                Axis::Width => around[1] = *zeros,
                _ if *zeros == [0, 0] => {}
                _ => return Err("its zeros are not around the picture".into()),
            }
        }
        if around == [[0; 2]; 2] {
            return Ok(self.clone());
        }
        if !matches!(self.stage, Stage::Pixels | Stage::Activated) {
            return Err(self.unexpected("a border of zeros"));
        }
        Ok(Self {
            zeros: Some(around),
            ..self.clone()
        })
    }

    /// The average over everything that a pool sees at once.
    pub fn pooled(&self, pool: &Pool) -> Result<Self> {
        let axes = pool.layout.sides();
        let is_side = |(at, axis): (usize, Axis)| self.axes.get(at) == Some(&axis);
        if ![(axes[0], Axis::Height), (axes[1], Axis::Width)]
            .into_iter()
            .all(is_side)
        {
            return Err(self.unexpected("an average"));
        }
        let kernel = pool.kernel.map(|side| usize::try_from(side).ok());
        let once = match pool.zeros {
            Zeros::Are(around) => around == [[0; 2]; 2],
            _ => pool.strides == pool.kernel || pool.kernel == [1, 1],
        };
        let whole = match self.sides {
            [None, None] => kernel[0] == kernel[1] && kernel[0].is_some_and(|side| side > 0),
            sides => sides == kernel,
        };
        if !whole || !once {
            return Err(format!(
                "it averages {:?} pixels, where one average of all of them is expected",
                pool.kernel
            ));
        }
        let mut it = self.averaged(&axes.map(|axis| axis as i64), true)?;
        if self.sides == [None, None] {
            it.pooled_side = kernel[0];
        }
        Ok(it)
    }

    /// An activation that cuts off what is lower or higher.
    pub fn clipped(&self, low: Option<f64>, high: Option<f64>) -> Result<Self> {
        let low = low.filter(|low| *low > f64::from(f32::MIN));
        let high = high.filter(|high| *high < f64::from(f32::MAX));
        let mut it = self.clone();
        match (self.stage, low, high) {
            (_, None, None) => Ok(it),
            (Stage::Convolved, Some(0.0), Some(6.0)) => it.closed(Some(Activation::Relu6)),
            (Stage::Convolved, Some(0.0), None) => it.closed(Some(Activation::Relu)),
            // In two steps.
            (Stage::Activated, None | Some(0.0), Some(6.0)) => {
                let last = it.layers.pop().ok_or("an activation without a layer")?;
                it.layers.push(Rc::new(Layer {
                    kernel: Rc::clone(&last.kernel),
                    affine: last.affine.clone(),
                    activation: Some(Activation::Relu6),
                }));
                Ok(it)
            }
            (Stage::Activated, Some(0.0), None) => Ok(it),
            (Stage::Convolved, ..) => {
                let bound = |bound: Option<f64>| bound.map_or("nothing".into(), |x| x.to_string());
                Err(format!(
                    "not a MobileNet V1: its activation cuts off below {} and above {}, where ReLU6 does below 0 \
                     and above 6",
                    bound(low),
                    bound(high)
                ))
            }
            _ => Err(self.unexpected("an activation")),
        }
    }

    /// The same with what is open as a layer.
    pub fn closed(mut self, activation: Option<Activation>) -> Result<Self> {
        let kernel = self.open.take().ok_or("an activation without a layer")?;
        self.layers.push(Rc::new(Layer {
            kernel,
            affine: self.affine.take(),
            activation,
        }));
        if activation.is_some() {
            self.stage = Stage::Activated;
        }
        Ok(self)
    }

    /// A softmax over a dimension, and all after it where it flattens those.
    pub fn softmax(&self, axis: i64, flattens: bool) -> Result<Self> {
        let at = self.axis(axis)?;
        let others = if flattens {
            at..self.axes.len()
        } else {
            at..at + 1
        };
        let over = &self.axes[others];
        let of_classes = over.contains(&Axis::Channels)
            && over
                .iter()
                .all(|axis| matches!(axis, Axis::Channels | Axis::One));
        match of_classes {
            true => self.scored(Head::Softmax),
            false => Err("its softmax is not over the classes".into()),
        }
    }

    /// Scores of the last layer's output.
    pub fn scored(&self, head: Head) -> Result<Self> {
        if self.stage != Stage::Logits {
            return Err(self.unexpected(&format!("a {head}")));
        }
        let mut it = self.clone().closed(None)?;
        it.stage = Stage::Scores(head);
        Ok(it)
    }
}
