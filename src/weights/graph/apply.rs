//! What a node makes of its inputs: of pixels, of numbers that the graph holds, of shapes.

use super::activations::{Activations, axis};
use super::constant::{Constant, Kind, count};
use super::dims::{Dim, Dims};
use super::evaluate::{Inputs, Value, dims};
use super::operation::{Arithmetic, Operation};
use crate::head::Head;
use crate::weights::protobuf::Result;

/// What the node of this name makes.
pub(super) fn applied<'a>(
    name: &str,
    operation: Operation<'a>,
    inputs: &Inputs<'_, 'a>,
) -> Result<Value<'a>> {
    match operation {
        Operation::Constant(constant) => Ok(Value::Constant(constant)),
        Operation::Shape { start, end } => {
            let sides = match inputs.value(0)? {
                Value::Activations(activations) => activations.shape(),
                Value::Constant(constant) => constant.shape.iter().map(|&n| Dim::Of(n)).collect(),
                Value::Dims(dims) => vec![Dim::Of(dims.sides.len())],
            };
            let shape = Dims::list(sides).slice(start, end.unwrap_or(i64::MAX), false)?;
            Ok(Value::Dims(shape))
        }
        operation => match inputs.activations()? {
            Some((place, activations)) => {
                let made = of_activations(name, &operation, activations, place, inputs)?;
                Ok(Value::Activations(Box::new(made)))
            }
            None => match inputs.value(0)? {
                Value::Constant(constant) => match of_constant(&operation, constant, inputs)? {
                    Some(made) => Ok(Value::Constant(made)),
                    None => of_dims(&operation, inputs).map(Value::Dims),
                },
                _ => of_dims(&operation, inputs).map(Value::Dims),
            },
        },
    }
}

fn of_activations(
    name: &str,
    operation: &Operation,
    it: &Activations,
    place: usize,
    inputs: &Inputs,
) -> Result<Activations> {
    let commutes = match operation {
        Operation::Arithmetic(_) => place < 2,
        _ => place == 0,
    };
    if !commutes {
        return Err("it takes the pixels otherwise than as its first input".into());
    }
    if it.zeros.is_some() && !matches!(operation, Operation::Convolve(_)) {
        return Err("it takes zeros that were put around, where only a convolution may".into());
    }
    let optional = |number: usize| match inputs.has(number) {
        true => inputs.constant(number).map(Some),
        false => Ok(None),
    };
    match operation {
        Operation::Convolve(settings) => {
            it.convolved(name, settings, inputs.constant(1)?, optional(2)?)
        }
        Operation::Product(settings) => {
            it.product(name, settings, inputs.constant(1)?, optional(2)?)
        }
        Operation::Normalise { epsilon, layout } => {
            let parts = [
                inputs.constant(1)?,
                inputs.constant(2)?,
                inputs.constant(3)?,
                inputs.constant(4)?,
            ];
            it.normalised(*layout, parts, *epsilon)
        }
        Operation::Bias(layout) => it.biased(*layout, inputs.constant(1)?),
        Operation::Arithmetic(what) => {
            it.arithmetic(*what, inputs.constant(1 - place)?, place == 1)
        }
        Operation::Clip { low, high } => it.clipped(*low, *high),
        Operation::Mean { axes, keep } => it.averaged(axes, *keep),
        Operation::AveragePool(pool) => it.pooled(pool),
        Operation::Pad(zeros) => it.padded(zeros),
        Operation::Reshape(target) => it.reshaped(target),
        Operation::Flatten(at) if it.axis(*at)? == 1 => it.reshaped(&[Dim::Kept, Dim::Rest]),
        Operation::Flatten(_) => Err("it does not keep the pictures apart".into()),
        Operation::Squeeze(axes) => it.squeezed(axes.as_deref()),
        Operation::Unsqueeze(axes) => it.unsqueezed(axes),
        Operation::Transpose(order) => it.transposed(order.as_deref()),
        Operation::Softmax { axis, flattens } => it.softmax(*axis, *flattens),
        Operation::Sigmoid => it.scored(Head::Sigmoid),
        Operation::Cast(kind) => match kind.is_float() {
            true => Ok(it.clone()),
            false => Err(it.unexpected("a change to integers")),
        },
        Operation::Gather { .. } | Operation::Slice { .. } => {
            Err(it.unexpected("a choice of some of its numbers"))
        }
        Operation::Concat(_) => Err(it.unexpected("something beside it")),
        Operation::Root { .. } => Err(it.unexpected("a root")),
        Operation::Dequantise { .. } => Err(it.unexpected("a change from integers")),
        Operation::Pass => Ok(it.clone()),
        Operation::Constant(_) | Operation::Shape { .. } => Err(it.unexpected("a constant")),
    }
}

/// `None` for what is done to shapes.
fn of_constant(
    operation: &Operation,
    it: &Constant,
    inputs: &Inputs,
) -> Result<Option<Constant<'static>>> {
    let n = it.shape.len();
    let made = match operation {
        Operation::Reshape(target) => it.reshaped(target_shape(it, target)?)?,
        Operation::Flatten(at) => {
            let (before, after) = match usize::try_from(*at) {
                Ok(at) if at == n => (&it.shape[..], &[][..]),
                _ => it.shape.split_at(axis(*at, n)?),
            };
            it.reshaped(vec![before.iter().product(), after.iter().product()])?
        }
        Operation::Transpose(order) => {
            let order: Vec<usize> = match order {
                None => (0..n).rev().collect(),
                Some(order) => order.iter().map(|at| axis(*at, n)).collect::<Result<_>>()?,
            };
            it.permuted(&order)?
        }
        Operation::Squeeze(axes) if it.len() > 1 || it.kind.is_float() => {
            let axes = axes.as_ref().map(|axes| {
                let axes = axes.iter().map(|at| axis(*at, n));
                axes.collect::<Result<Vec<_>>>()
            });
            let axes = axes.transpose()?;
            let goes = |at: usize| match &axes {
                None => it.shape[at] == 1,
                Some(axes) => axes.contains(&at),
            };
            let kept = (0..n).filter(|at| !goes(*at)).map(|at| it.shape[at]);
            it.reshaped(kept.collect())?
        }
        Operation::Unsqueeze(axes) if it.len() > 1 || it.kind.is_float() => {
            let all = n + axes.len();
            let new = axes.iter().map(|at| axis(*at, all));
            let new = new.collect::<Result<Vec<_>>>()?;
            let mut old = it.shape.iter();
            let sides = (0..all).map(|at| match new.contains(&at) {
                true => 1,
                false => old.next().copied().unwrap_or(1),
            });
            it.reshaped(sides.collect())?
        }
        Operation::Cast(kind) if kind.is_float() => {
            Constant::floats(it.shape.clone(), &cast(it, *kind))?
        }
        Operation::Dequantise { axis } => dequantised(it, *axis, inputs)?,
        Operation::Arithmetic(what) if it.kind.is_float() => {
            let other = inputs.constant(1)?;
            return combined(*what, it, other).map(Some);
        }
        Operation::Root { reciprocal } => {
            let roots = it.numbers().into_iter().map(|x| match reciprocal {
                true => x.sqrt().recip(),
                false => x.sqrt(),
            });
            Constant::floats(it.shape.clone(), &roots.collect::<Vec<_>>())?
        }
        _ => return Ok(None),
    };
    Ok(Some(made.into_owned()))
}

fn of_dims(operation: &Operation, inputs: &Inputs) -> Result<Dims> {
    let it = dims(inputs.value(0)?)?;
    match operation {
        Operation::Gather { axis: 0 } => it.gather(inputs.constant(1)?),
        Operation::Slice {
            start,
            end,
            is_number,
        } => it.slice(*start, *end, *is_number),
        Operation::Concat(count) => {
            let parts = (0..*count).map(|n| Ok(dims(inputs.value(n)?)?.sides));
            let parts = parts.collect::<Result<Vec<_>>>()?;
            Ok(Dims::list(parts.concat()))
        }
        Operation::Unsqueeze(_) | Operation::Reshape(_) if it.sides.len() == 1 => {
            Ok(Dims::list(it.sides))
        }
        Operation::Squeeze(_) if it.sides.len() == 1 => Ok(Dims {
            is_number: true,
            ..it
        }),
        Operation::Cast(_) => Ok(it),
        Operation::Arithmetic(Arithmetic::Multiply) => it.multiplied(&dims(inputs.value(1)?)?),
        _ => Err("not a MobileNet V1: it computes what is not its pixels".into()),
    }
}

/// The shape of numbers, as many as there are.
fn target_shape(it: &Constant, target: &[Dim]) -> Result<Vec<usize>> {
    let unknown = || format!("{:?} can't take the shape that it asks for", it.shape);
    let side = |(at, dim): (usize, &Dim)| match dim {
        Dim::Of(n) => Some(Some(*n)),
        Dim::Kept => it.shape.get(at).copied().map(Some),
        Dim::Rest => Some(None),
        _ => None,
    };
    let sides: Option<Vec<Option<usize>>> = target.iter().enumerate().map(side).collect();
    let sides = sides.ok_or_else(unknown)?;
    let known: Vec<usize> = sides.iter().flatten().copied().collect();
    let rest = it.len().checked_div(count(&known).ok_or_else(unknown)?);
    let sides = sides.into_iter().map(|side| side.or(rest));
    sides.collect::<Option<_>>().ok_or_else(unknown)
}

/// Numbers as they are in another type of floats, in f32.
fn cast(it: &Constant, kind: Kind) -> Vec<f32> {
    let numbers = it.numbers().into_iter();
    match kind {
        Kind::F16 => numbers.map(|x| half::f16::from_f32(x).to_f32()).collect(),
        Kind::BF16 => numbers.map(|x| half::bf16::from_f32(x).to_f32()).collect(),
        _ => numbers.collect(),
    }
}

/// What integers stand for, by a scale for all or for each index of a dimension.
fn dequantised(it: &Constant, along: i64, inputs: &Inputs) -> Result<Constant<'static>> {
    if it.kind.is_float() {
        return Err("it takes floats for integers".into());
    }
    let scale = inputs.constant(1)?.weights()?;
    let zero = match inputs.has(2) {
        true => inputs.constant(2)?.numbers(),
        false => vec![0.0; scale.len()],
    };
    let run = match scale.len() {
        1 => it.len(),
        n => {
            let along = axis(along, it.shape.len())?;
            if it.shape[along] != n {
                return Err(format!("{n} scales for {:?} along {along}", it.shape));
            }
            it.shape[along + 1..].iter().product()
        }
    };
    if zero.len() != scale.len() || scale.is_empty() {
        let (n, m) = (scale.len(), zero.len());
        return Err(format!("it has {n} scales and {m} zero points"));
    }
    let numbers = it.numbers().into_iter().enumerate();
    let numbers = numbers.map(|(i, number)| {
        let index = i / run.max(1) % scale.len();
        (number - zero[index]) * scale[index]
    });
    Constant::floats(it.shape.clone(), &numbers.collect::<Vec<_>>())
}

/// Sums and the like of numbers, one of which has the shape of the result.
fn combined(what: Arithmetic, a: &Constant, b: &Constant) -> Result<Constant<'static>> {
    let (x, y) = (a.numbers(), b.numbers());
    let is_larger =
        a.shape.len() > b.shape.len() || (a.shape.len() == b.shape.len() && x.len() >= y.len());
    let (large, small) = if is_larger { (a, b) } else { (b, a) };
    let places = broadcast(&large.shape, &small.shape);
    let places = places.ok_or_else(|| format!("{:?} and {:?} don't fit", a.shape, b.shape))?;
    let result = places.into_iter().enumerate().map(|(i, place)| {
        let (a, b) = if is_larger {
            (x[i], y[place])
        } else {
            (x[place], y[i])
        };
        match what {
            Arithmetic::Add => a + b,
            Arithmetic::Subtract => a - b,
            Arithmetic::Multiply => a * b,
            Arithmetic::Divide => a / b,
        }
    });
    Constant::floats(large.shape.clone(), &result.collect::<Vec<_>>())
}

/// For each number of a shape, which of another goes with it.
fn broadcast(large: &[usize], small: &[usize]) -> Option<Vec<usize>> {
    let mut strides = vec![0; large.len()];
    let mut stride = 1;
    let sides = large.iter().zip(&mut strides).rev();
    for ((side, place), small) in sides.zip(small.iter().rev()) {
        if small == side {
            *place = if *side == 1 { 0 } else { stride };
        } else if *small != 1 {
            return None;
        }
        stride *= small;
    }
    let place = |i: usize| {
        let mut rest = i;
        let sides = large.iter().zip(&strides).rev();
        let places = sides.map(|(side, stride)| {
            let at = rest % side;
            rest /= side;
            at * stride
        });
        places.sum()
    };
    Some((0..count(large)?).map(place).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_combined_over_dimensions_of_one() -> Result<()> {
        let a = Constant::floats(vec![2, 3], &[1., 2., 3., 4., 5., 6.])?;
        let columns = Constant::floats(vec![3], &[1., 2., 3.])?;
        let rows = Constant::floats(vec![2, 1], &[2., 1.])?;
        let combined =
            |what, a: &Constant, b: &Constant| combined(what, a, b).map(|it| it.numbers());
        assert_eq!(
            combined(Arithmetic::Subtract, &a, &columns)?,
            [0., 0., 0., 3., 3., 3.]
        );
        assert_eq!(
            combined(Arithmetic::Subtract, &columns, &a)?,
            [0., 0., 0., -3., -3., -3.]
        );
        assert_eq!(
            combined(Arithmetic::Multiply, &a, &rows)?,
            [2., 4., 6., 4., 5., 6.]
        );
        // Both would grow.
        assert!(combined(Arithmetic::Add, &columns, &rows).is_err());
        assert!(combined(Arithmetic::Add, &a, &Constant::floats(vec![2], &[1., 2.])?).is_err());
        Ok(())
    }

    #[test]
    fn shapes_of_numbers_are_found() -> Result<()> {
        let a = Constant::floats(vec![2, 3], &[0.0; 6])?;
        assert_eq!(target_shape(&a, &[Dim::Rest, Dim::Kept])?, [2, 3]);
        assert_eq!(target_shape(&a, &[Dim::Of(6)])?, [6]);
        assert!(target_shape(&a, &[Dim::Of(0), Dim::Rest]).is_err());
        assert!(target_shape(&a, &[Dim::Pictures]).is_err());
        Ok(())
    }
}
