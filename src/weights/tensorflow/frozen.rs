//! Frozen graphs: variables are constants in them, and nothing says what goes in and comes out.

use std::collections::{HashMap, HashSet};

use super::message::{NodeDef, Settings};
use crate::weights::graph::{self, Graph, Input, MAX_NODES, Node};
use crate::weights::imported::Imported;
use crate::weights::protobuf::{Result, fields};

/// The meaning of nodes, in a file of so many bytes.
pub(super) struct TensorFlow {
    pub bytes: usize,
}

/// Reads a frozen graph.
pub(in crate::weights) fn read(file: &[u8]) -> Result<Imported> {
    let mut nodes = Vec::new();
    for field in fields(file) {
        if let (1, value) = field? {
            if nodes.len() >= MAX_NODES {
                return Err("not a MobileNet V1: it has too many nodes".into());
            }
            nodes.push(NodeDef::parse(value.bytes()?)?);
        }
    }
    if nodes.iter().any(|node| is_variable(node.kind)) {
        let reason = "its variables are in another file, as in a graph that is not frozen: give the checkpoint (its \
                      .index), or freeze them";
        return Err(reason.into());
    }
    let input = input(&nodes)?;
    let output = output(&nodes, input.name)?;
    let nodes = nodes.into_iter().filter(|node| node.name != input.name);
    let nodes = nodes.map(|node| Node::<Settings> {
        name: node.name,
        kind: node.kind,
        inputs: node.inputs,
        outputs: vec![node.name],
        attributes: node.settings,
    });
    let graph = Graph {
        nodes: nodes.collect(),
        input,
        output,
        constants: HashMap::new(),
    };
    let bytes = file.len();
    graph::read(&TensorFlow { bytes }, graph, bytes)
}

fn is_variable(kind: &str) -> bool {
    matches!(kind, "Variable" | "VariableV2" | "VarHandleOp")
}

/// Where pixels come in: the only placeholder that may be of them.
fn input<'a>(nodes: &[NodeDef<'a>]) -> Result<Input<'a>> {
    let mut found = Vec::new();
    for node in nodes.iter().filter(|node| node.kind == "Placeholder") {
        let shape = node.settings.shape("shape")?;
        let kind = node.settings.kind("dtype");
        let is_picture =
            shape.is_empty() || matches!(shape.len(), 3 | 4) && shape.contains(&Some(3));
        if let (true, Ok(kind)) = (is_picture, kind) {
            found.push(Input {
                name: node.name,
                shape,
                kind,
            });
        }
    }
    match found.len() {
        1 => Ok(found.swap_remove(0)),
        0 => Err(
            "not a MobileNet V1: it has no placeholder for pixels of [pictures, side, side, 3]; a graph that \
             decodes or resizes pictures itself has to be cut off behind that"
                .into(),
        ),
        _ => {
            let names: Vec<&str> = found.iter().map(|input| input.name).collect();
            Err(format!(
                "its pixels may come in at any of {}, and nothing says at which",
                names.join(", ")
            ))
        }
    }
}

/// What comes out: the only thing made of the pixels that no node takes.
fn output<'a>(nodes: &[NodeDef<'a>], input: &'a str) -> Result<&'a str> {
    let mut takers: HashMap<&str, Vec<&str>> = HashMap::new();
    for node in nodes {
        for input in &node.inputs {
            takers.entry(input).or_default().push(node.name);
        }
    }
    let mut reached = HashSet::from([input]);
    let mut ahead = vec![input];
    let mut ends = Vec::new();
    while let Some(name) = ahead.pop() {
        match takers.get(name) {
            None => ends.push(name),
            Some(takers) => ahead.extend(takers.iter().filter(|taker| reached.insert(taker))),
        }
    }
    match ends[..] {
        [end] => Ok(end),
        [] => Err("its nodes lead in a circle".into()),
        _ => {
            ends.sort_unstable();
            let shown = &ends[..ends.len().min(12)];
            Err(format!(
                "it has {} outputs ({}), and nothing says which is meant: freeze it with the one of its classes",
                ends.len(),
                shown.join(", ")
            ))
        }
    }
}
