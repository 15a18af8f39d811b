//! Networks that files describe as graphs of operations on tensors: what ONNX and TensorFlow's frozen
//! graphs have in common.
//!
//! A format says what each of its nodes does ([`Operation`]) and which numbers it holds ([`Constant`]).
//! The graph is then gone through from the pixels to the scores (`evaluate`) as if it ran, but that what the
//! pixels become is told, not computed (`activations`): which dimension is which, and the layers so far. So
//! it does not matter in which pieces an exporter writes a layer, and what is no MobileNet V1 is refused by
//! the node that makes it one.

mod activations;
mod affine;
mod apply;
mod constant;
mod convolve;
mod dims;
mod evaluate;
mod layer;
mod network;
mod operation;

use std::collections::HashMap;
use std::fmt;

pub(super) use constant::{Constant, Kind};
pub(super) use dims::Dim;
pub(super) use evaluate::Inputs;
pub(super) use operation::{
    Arithmetic, Convolution, Groups, Layout, Operation, Pool, Product, WeightOrder, Zeros,
};

use super::imported::Imported;
use super::protobuf::Result;

/// A MobileNet V1 has 30 to 300, by what is folded.
pub(super) const MAX_NODES: usize = 5000;

/// A node: shown as its name and what it does.
pub(super) struct Node<'a, A> {
    pub name: &'a str,
    /// What it does, in the format's own words.
    pub kind: &'a str,
    /// Names of values; an empty one is left out.
    pub inputs: Vec<&'a str>,
    pub outputs: Vec<&'a str>,
    pub attributes: A,
}

impl<A> fmt::Display for Node<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.name {
            "" => self.outputs.first().copied().unwrap_or_default(),
            name => name,
        };
        // Whatever a file calls it, a message stays a line.
        let shown = |text: &str| text.chars().take(80).collect::<String>();
        write!(f, "node {:?} ({:?})", shown(name), shown(self.kind))
    }
}

/// Where pixels may come in.
pub(super) struct Input<'a> {
    pub name: &'a str,
    /// By dimension; `None` where it is left open. No dimensions at all where nothing is said.
    pub shape: Vec<Option<usize>>,
    pub kind: Kind,
}

/// A graph.
pub(super) struct Graph<'a, A> {
    pub nodes: Vec<Node<'a, A>>,
    pub input: Input<'a>,
    pub output: &'a str,
    pub constants: HashMap<&'a str, Constant<'a>>,
}

/// The meaning of a format's nodes.
pub(super) trait Format<'a> {
    /// What nodes have besides their inputs and outputs.
    type Attributes;

    /// What a node does.
    ///
    /// # Errors
    /// What no MobileNet V1 does, or is not understood.
    fn operation(
        &self,
        node: &Node<'a, Self::Attributes>,
        inputs: &Inputs<'_, 'a>,
    ) -> Result<Operation<'a>>;
}

/// Reads the network of a graph in a file of so many bytes.
pub(super) fn read<'a, F: Format<'a>>(
    format: &F,
    graph: Graph<'a, F::Attributes>,
    bytes: usize,
) -> Result<Imported> {
    let input = network::Pixels::of(&graph.input)?;
    let activations = evaluate::output(format, graph, input.activations(), bytes)?;
    network::imported(activations, &input)
}
