//! What is done to each channel by itself: sums, factors, batch normalisation. It goes into the
//! convolution before, the one after the average, or the scale of the pixels.

use super::activations::{Activations, Axis, Stage};
use super::constant::Constant;
use super::operation::{Arithmetic, Layout};
use crate::weights::protobuf::Result;

/// What each channel is multiplied with, and what is added then.
#[derive(Debug, Clone)]
pub(super) struct Affine {
    pub factor: Vec<f64>,
    pub offset: Vec<f64>,
}

impl Affine {
    pub fn new(channels: usize) -> Self {
        Self {
            factor: vec![1.0; channels],
            offset: vec![0.0; channels],
        }
    }
}

impl Activations {
    /// A number for each channel of what is broadcast over it.
    fn by_channel(&self, constant: &Constant) -> Result<Vec<f64>> {
        let numbers = constant.numbers();
        let error = || {
            format!(
                "its numbers of {:?} are neither all the same nor one for each channel",
                constant.shape
            )
        };
        let first = numbers.first().copied().ok_or_else(error)?;
        let spare = constant.shape.len().checked_sub(self.axes.len());
        if spare.is_some_and(|spare| spare > 0) {
            return Err(error());
        }
        if numbers.iter().all(|other| *other == first) {
            return Ok(vec![first.into(); self.channels]);
        }
        let axes = self.axes.iter().rev();
        let fits = axes
            .zip(constant.shape.iter().rev())
            .all(|(axis, &side)| side == 1 || (*axis == Axis::Channels && side == self.channels));
        match fits && numbers.len() == self.channels {
            true => Ok(numbers.into_iter().map(f64::from).collect()),
            false => Err(error()),
        }
    }

    /// Each channel multiplied with a factor, then an offset added.
    fn mapped(&self, factor: &[f64], offset: &[f64]) -> Result<Self> {
        let changes = factor.iter().any(|x| *x != 1.0) || offset.iter().any(|x| *x != 0.0);
        if !changes {
            return Ok(self.clone());
        }
        if matches!(self.stage, Stage::Activated | Stage::Scores(_)) {
            return Err(self.unexpected("a factor or a sum"));
        }
        let mut it = self.clone();
        let mut affine = it.affine.unwrap_or_else(|| Affine::new(self.channels));
        for (channel, (f, o)) in factor.iter().zip(offset).enumerate() {
            affine.factor[channel] *= f;
            affine.offset[channel] = affine.offset[channel] * f + o;
        }
        it.affine = Some(affine);
        Ok(it)
    }

    /// A sum, difference, product or quotient with numbers, which come second unless they are `first`.
    pub fn arithmetic(&self, what: Arithmetic, numbers: &Constant, first: bool) -> Result<Self> {
        let numbers = self.by_channel(numbers)?;
        let n = numbers.len();
        let negative = |numbers: &[f64]| numbers.iter().map(|x| -x).collect::<Vec<_>>();
        match (what, first) {
            (Arithmetic::Add, _) => self.mapped(&vec![1.0; n], &numbers),
            (Arithmetic::Subtract, false) => self.mapped(&vec![1.0; n], &negative(&numbers)),
            (Arithmetic::Subtract, true) => self.mapped(&vec![-1.0; n], &numbers),
            (Arithmetic::Multiply, _) => self.mapped(&numbers, &vec![0.0; n]),
            (Arithmetic::Divide, false) if numbers.iter().all(|x| *x != 0.0) => {
                let inverse: Vec<f64> = numbers.iter().map(|x| x.recip()).collect();
                self.mapped(&inverse, &vec![0.0; n])
            }
            (Arithmetic::Divide, false) => Err("it divides by 0".into()),
            (Arithmetic::Divide, true) => Err(self.unexpected("a reciprocal")),
        }
    }

    /// What is added to each channel of a layout.
    pub fn biased(&self, layout: Layout, bias: &Constant) -> Result<Self> {
        self.check_channels(layout)?;
        let bias = self.vector(bias, "bias")?;
        self.mapped(&vec![1.0; bias.len()], &bias)
    }

    /// Batch normalisation by gamma, beta, mean and variance.
    pub fn normalised(
        &self,
        layout: Layout,
        [gamma, beta, mean, variance]: [&Constant; 4],
        epsilon: f64,
    ) -> Result<Self> {
        self.check_channels(layout)?;
        let gamma = self.vector(gamma, "gamma")?;
        let beta = self.vector(beta, "beta")?;
        let mean = self.vector(mean, "mean")?;
        let variance = self.vector(variance, "variance")?;
        let factor = gamma.iter().zip(variance);
        let factor: Vec<f64> = factor
            .map(|(gamma, variance)| gamma / (variance + epsilon).sqrt())
            .collect();
        let offset = beta.iter().zip(mean).zip(&factor);
        let offset: Vec<f64> = offset
            .map(|((beta, mean), factor)| beta - mean * factor)
            .collect();
        if factor.iter().chain(&offset).any(|x| !x.is_finite()) {
            return Err("its batch norm has a variance below 0, or no numbers".into());
        }
        self.mapped(&factor, &offset)
    }

    fn check_channels(&self, layout: Layout) -> Result<()> {
        let at = match layout {
            Layout::ChannelsFirst => self.axes.get(1),
            Layout::ChannelsLast => self.axes.last(),
        };
        match at == Some(&Axis::Channels) {
            true => Ok(()),
            false => Err("its channels are not where it takes them to be".into()),
        }
    }

    fn vector(&self, constant: &Constant, what: &str) -> Result<Vec<f64>> {
        let n = constant.len();
        if n != self.channels {
            return Err(format!(
                "its {what} has {n} numbers, not {}, one for each channel",
                self.channels
            ));
        }
        Ok(constant.weights()?.into_iter().map(f64::from).collect())
    }
}
