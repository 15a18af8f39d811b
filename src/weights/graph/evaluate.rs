//! The way through a graph, from what its output needs.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::activations::Activations;
use super::apply::applied;
use super::constant::Constant;
use super::dims::{Dim, Dims};
use super::operation::Operation;
use super::{Format, Graph};
use crate::weights::protobuf::Result;

/// How many times a file's bytes the numbers have that its nodes make of each other: bytes become floats
/// of four, and change their order.
const MOST_TIMES: usize = 8;

/// What a name in a graph stands for.
pub(super) enum Value<'a> {
    Constant(Constant<'a>),
    /// Of what is computed.
    Dims(Dims),
    Activations(Box<Activations>),
}

/// What a node takes.
pub(in crate::weights) struct Inputs<'v, 'a>(&'v [Option<Rc<Value<'a>>>]);

impl<'a> Inputs<'_, 'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the node has an input.
    pub fn has(&self, number: usize) -> bool {
        self.0.get(number).is_some_and(Option::is_some)
    }

    pub(super) fn value(&self, number: usize) -> Result<&Value<'a>> {
        let value = self.0.get(number).and_then(Option::as_deref);
        value.ok_or_else(|| format!("it has no input {number}"))
    }

    /// What an input holds that the graph has to know.
    ///
    /// # Errors
    /// It has no such input, or one that is computed.
    pub fn constant(&self, number: usize) -> Result<&Constant<'a>> {
        match self.value(number)? {
            Value::Constant(constant) => Ok(constant),
            _ => Err(format!("its input {number} is computed")),
        }
    }

    /// The whole numbers of an input, if there is one.
    ///
    /// # Errors
    /// As [`constant`](Self::constant); numbers that are not whole, or too many.
    pub fn integers(&self, number: usize) -> Result<Option<Vec<i64>>> {
        match self.has(number) {
            true => self.constant(number)?.integers().map(Some),
            false => Ok(None),
        }
    }

    /// The number that an input is, if there is one.
    ///
    /// # Errors
    /// As [`constant`](Self::constant); several numbers.
    pub fn number(&self, number: usize) -> Result<Option<f64>> {
        match self.has(number) {
            true => self.constant(number)?.number().map(Some),
            false => Ok(None),
        }
    }

    /// The sides that an input says, known or computed.
    ///
    /// # Errors
    /// It is no list of whole numbers.
    pub fn sides(&self, number: usize) -> Result<Vec<Dim>> {
        Ok(dims(self.value(number)?)?.sides)
    }

    /// The dimensions of an input, where it has a shape.
    pub fn rank(&self, number: usize) -> Option<usize> {
        match self.value(number).ok()? {
            Value::Constant(constant) => Some(constant.shape.len()),
            Value::Dims(dims) => Some(usize::from(!dims.is_number)),
            Value::Activations(activations) => Some(activations.axes.len()),
        }
    }

    /// The input that is what pixels have become, if exactly one is.
    pub(super) fn activations(&self) -> Result<Option<(usize, &Activations)>> {
        let inputs = self.0.iter().enumerate();
        let mut found = inputs.filter_map(|(number, value)| match value.as_deref() {
            Some(Value::Activations(activations)) => Some((number, activations.as_ref())),
            _ => None,
        });
        match (found.next(), found.next()) {
            (_, Some(_)) => {
                Err("not a MobileNet V1: it puts two of the network's own results together".into())
            }
            (first, None) => Ok(first),
        }
    }
}

pub(super) fn dims(value: &Value) -> Result<Dims> {
    match value {
        Value::Dims(dims) => Ok(dims.clone()),
        Value::Constant(constant) => Dims::of(constant),
        Value::Activations(_) => Err("it takes pixels for a shape".into()),
    }
}

/// What a graph's pixels become at its output, in a file of so many bytes.
pub(super) fn output<'a, F: Format<'a>>(
    format: &F,
    graph: Graph<'a, F::Attributes>,
    pixels: Activations,
    bytes: usize,
) -> Result<Activations> {
    let mut makers: HashMap<&str, usize> = HashMap::new();
    for (number, node) in graph.nodes.iter().enumerate() {
        for output in node.outputs.iter().filter(|name| !name.is_empty()) {
            if makers.insert(output, number).is_some() {
                return Err(format!("two of its nodes make {output:?}"));
            }
        }
    }
    let constants = graph.constants.into_iter();
    let mut values: HashMap<&str, Rc<Value>> = constants
        .map(|(name, constant)| (name, Rc::new(Value::Constant(constant))))
        .collect();
    values.insert(
        graph.input.name,
        Rc::new(Value::Activations(Box::new(pixels))),
    );
    let mut left = bytes.saturating_mul(MOST_TIMES);
    // What is asked for, the last first, and whose inputs are on their way.
    let mut ahead = vec![graph.output];
    let mut begun: HashSet<&str> = HashSet::new();
    while let Some(&name) = ahead.last() {
        if values.contains_key(name) {
            ahead.pop();
            continue;
        }
        let maker = makers.get(name).and_then(|number| graph.nodes.get(*number));
        let node = maker.ok_or_else(|| format!("nothing in it makes {name:?}"))?;
        let error = |reason: String| format!("{node}: {reason}");
        let inputs = node.inputs.iter().copied().filter(|name| !name.is_empty());
        let missing: Vec<&str> = inputs.filter(|name| !values.contains_key(name)).collect();
        if !missing.is_empty() {
            if missing.iter().any(|input| begun.contains(input)) || !begun.insert(name) {
                return Err(error("the nodes lead in a circle".into()));
            }
            ahead.extend(missing);
            continue;
        }
        let inputs = node.inputs.iter();
        let inputs: Vec<_> = inputs.map(|name| values.get(name).cloned()).collect();
        let inputs = Inputs(&inputs);
        let operation = format.operation(node, &inputs).map_err(error)?;
        let made = if matches!(operation, Operation::Pass) {
            let first = inputs.0.first().cloned().flatten();
            first.ok_or_else(|| error("it takes nothing".into()))?
        } else {
            let made = applied(&node.to_string(), operation, &inputs).map_err(error)?;
            if let Value::Constant(constant) = &made {
                let charged = left.checked_sub(constant.size());
                left = charged
                    .ok_or_else(|| error("it makes more numbers than the file has".into()))?;
            }
            Rc::new(made)
        };
        // Others than the first are statistics of training and masks, which nothing may take.
        if node.outputs.first() != Some(&name) {
            return Err(error(format!("its output {name:?} is not understood")));
        }
        values.insert(name, made);
        begun.remove(name);
    }
    match values.get(graph.output).map(Rc::as_ref) {
        Some(Value::Activations(activations)) => Ok(activations.as_ref().clone()),
        _ => Err("not a MobileNet V1: its output does not come from its pixels".into()),
    }
}
