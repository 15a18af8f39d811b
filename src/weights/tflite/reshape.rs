//! What a RESHAPE makes of a network's channels: a shape that the file states, or that operators put
//! together of the shape of what goes through, as converters write Keras's `Reshape`.

use super::flatbuffer::Result;
use super::graph::{Code, Graph, Operator};
use super::options;

/// A side of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// As many as there are pictures.
    Pictures,
    /// What is left.
    Rest,
    Of(usize),
}

/// Refuses a RESHAPE after which the channels don't lie in the last dimension, with nothing but
/// pictures before them. `passed` are the operators that the pixels went through before it, which
/// keep the pictures in their first dimension.
pub(super) fn check(
    graph: &Graph,
    passed: &[usize],
    operator: &Operator,
    channels: usize,
) -> Result<()> {
    let error = |reason: String| format!("{operator}: {reason}");
    let shape = shape(graph, passed, operator).map_err(error)?;
    let fits = shape.split_last().is_some_and(|(last, before)| {
        let among = |sides: &[Side]| before.iter().all(|side| sides.contains(side));
        let is_left_once = shape.iter().filter(|side| **side == Side::Rest).count() <= 1;
        match last {
            Side::Of(n) => {
                *n == channels && is_left_once && among(&[Side::Pictures, Side::Of(1), Side::Rest])
            }
            // Channels may be what is left only where all else is known.
            Side::Rest => among(&[Side::Pictures, Side::Of(1)]),
            Side::Pictures => false,
        }
    });
    match fits {
        true => Ok(()),
        false => Err(error(format!(
            "it does not keep the {channels} channels of a picture together"
        ))),
    }
}

/// The shape that an operator gives what it takes.
fn shape(graph: &Graph, passed: &[usize], operator: &Operator) -> Result<Vec<Side>> {
    let Some(tensor) = operator.input(1) else {
        let stated = options::new_shape(operator)?;
        return stated.into_iter().map(|n| side(n.into())).collect();
    };
    let Some(pack) = maker(graph, tensor) else {
        return graph.integers(tensor)?.into_iter().map(side).collect();
    };
    if pack.code != Code::PACK {
        return Err(format!("{pack} makes its shape, which is not understood"));
    }
    options::check_pack(pack)?;
    let part = |tensor: &Option<usize>| {
        let tensor = tensor.ok_or_else(|| format!("{pack} lacks an input"))?;
        match maker(graph, tensor) {
            Some(slice) => pictures(graph, passed, slice),
            None => match graph.integers(tensor)?[..] {
                [n] => side(n),
                _ => Err(format!("{pack} takes several numbers as one")),
            },
        }
    };
    pack.inputs().iter().map(part).collect()
}

/// The number of pictures, which is the first part of the shape of anything that they go through.
fn pictures(graph: &Graph, passed: &[usize], slice: &Operator) -> Result<Side> {
    let unknown = || {
        Err(format!(
            "{slice} makes a part of its shape, which is not understood"
        ))
    };
    if slice.code != Code::STRIDED_SLICE || !options::takes_one(slice)? {
        return unknown();
    }
    let bound = |number| match slice.input(number) {
        Some(tensor) => graph.integers(tensor),
        None => Ok(Vec::new()),
    };
    let is_first = bound(1)? == [0] && bound(2)? == [1] && bound(3)? == [1];
    let source = slice.input(0).and_then(|tensor| maker(graph, tensor));
    let source = source.filter(|source| source.code == Code::SHAPE);
    let of = source.and_then(|source| source.input(0));
    match of.is_some_and(|of| passed.contains(&of)) && is_first {
        true => Ok(Side::Pictures),
        false => unknown(),
    }
}

fn maker<'g, 'a>(graph: &'g Graph<'a>, tensor: usize) -> Option<&'g Operator<'a>> {
    let mut operators = graph.operators.iter();
    operators.find(|operator| operator.output() == Ok(tensor))
}

fn side(number: i64) -> Result<Side> {
    match (number, usize::try_from(number)) {
        (-1, _) => Ok(Side::Rest),
        (_, Ok(n)) => Ok(Side::Of(n)),
        _ => Err(format!("its shape has a side of {number}")),
    }
}
