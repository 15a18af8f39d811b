//! What a graph does with its pixels one by one, before the first layer.

use super::flatbuffer::Result;
use super::graph::Code;
use super::options;
use super::walk::Walk;
use crate::pixels::COLOURS;

/// What each colour is multiplied by, and what is added then.
#[derive(Clone, Copy)]
pub(super) struct Scaling {
    pub factor: [f64; COLOURS],
    pub offset: [f64; COLOURS],
}

impl Scaling {
    /// The numbers that 0 and 255 are before such a scaling. Pixels that lose a mean of at most 1, or
    /// are multiplied by more than 1, go from 0 to 1, as PyTorch has them; others are bytes.
    pub fn usual_input(self) -> [f64; 2] {
        let is_small = |colour: usize| {
            let (factor, offset) = (self.factor[colour], self.offset[colour]);
            let mean = -offset / factor;
            (mean > 0.0 && mean <= 1.0) || (offset == 0.0 && factor > 1.0)
        };
        let is_small = (0..COLOURS).all(is_small);
        [0.0, if is_small { 1.0 } else { 255.0 }]
    }
}

impl Walk<'_, '_> {
    /// Brings planes of colours to pixels.
    pub fn channels_last(&mut self) -> Result<()> {
        let operator = self.expect(&[Code::TRANSPOSE])?;
        let error = |reason: String| format!("{operator}: {reason}");
        let order = operator.input(1).ok_or_else(|| error("no order".into()))?;
        let order = self.graph.integers(order).map_err(error)?;
        match order[..] {
            [0, 2, 3, 1] => Ok(()),
            _ => Err(error(format!(
                "its order is {order:?}, not [0, 2, 3, 1], which makes pixels of planes"
            ))),
        }
    }

    /// What is done to the pixels one by one, after what was done already.
    pub fn scaling(&mut self, mut scaling: Option<Scaling>) -> Result<Option<Scaling>> {
        while self.next_is(&[Code::ADD, Code::SUB, Code::MUL, Code::DIV]) {
            let Some(operator) = self.ahead.next() else {
                break;
            };
            let error = |reason: String| format!("{operator}: {reason}");
            options::check_arithmetic(operator).map_err(error)?;
            let other = operator.input(1);
            let other = other.ok_or_else(|| error("it has one input".into()))?;
            let numbers = self.reader.read(other).map_err(error)?.numbers();
            let numbers = numbers.map_err(|e| error(e.to_string()))?;
            let values = match numbers[..] {
                [one] => [one; COLOURS],
                [red, green, blue] => [red, green, blue],
                [first, ..] if numbers.iter().all(|other| *other == first) => [first; COLOURS],
                [] => return Err(error("it has no number".into())),
                _ => {
                    let reason = "its numbers are neither all the same nor one for each colour";
                    return Err(error(reason.into()));
                }
            };
            let Scaling {
                mut factor,
                mut offset,
            } = scaling.unwrap_or(Scaling {
                factor: [1.0; COLOURS],
                offset: [0.0; COLOURS],
            });
            for (colour, value) in values.into_iter().enumerate() {
                let value = f64::from(value);
                match operator.code {
                    Code::ADD => offset[colour] += value,
                    Code::SUB => offset[colour] -= value,
                    Code::MUL => {
                        factor[colour] *= value;
                        offset[colour] *= value;
                    }
                    _ => {
                        factor[colour] /= value;
                        offset[colour] /= value;
                    }
                }
            }
            scaling = Some(Scaling { factor, offset });
        }
        Ok(scaling)
    }
}
