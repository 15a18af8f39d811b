//! ONNX files, as PyTorch's exporters, tf2onnx and Keras write them.
//!
//! A file is one message of Protocol Buffers (`model`), whose tensors (`tensor`) may lie in other files beside
//! it, as PyTorch's exporter has them for larger networks. What its operators do is told in `operations`; the
//! network is read off the graph by the room for graphs.

mod model;
mod operations;
mod tensor;

use std::collections::HashMap;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

use model::Model;
use operations::Settings;

use super::contents::{Contents, append};
use super::graph::{self, Graph, Input, Node};
use super::imported::Imported;
use super::protobuf::Result;

/// More files than one network's weights are split into.
const MAX_FILES: usize = 16;

/// The meaning of nodes by a version of the operators.
struct Onnx<'a> {
    opset: i64,
    file: PhantomData<&'a ()>,
}

/// Reads an ONNX file and those beside `path` that have its weights, where it has none itself. What comes
/// back besides are the bytes of all of them, one after the other.
pub(super) fn read(contents: Arc<Contents>, path: &Path) -> Result<(Imported, Arc<Contents>)> {
    let model = Model::parse(&contents)?;
    let mut names: Vec<&str> = Vec::new();
    for tensor in &model.graph.tensors {
        if let Some(name) = tensor.elsewhere()?
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    if names.is_empty() {
        return Ok((imported(model, contents.len(), &HashMap::new())?, contents));
    }
    if names.len() > MAX_FILES {
        return Err(format!("its weights are in {} other files", names.len()));
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut bytes = contents.to_vec();
    let mut places = Vec::new();
    for name in names {
        let start = bytes.len();
        append(&mut bytes, &folder.join(name)).map_err(|reason| {
            format!("its weights are in {name:?}, which has to lie beside it: {reason}")
        })?;
        places.push((name, start..bytes.len()));
    }
    let files = places
        .into_iter()
        .filter_map(|(name, place)| Some((name, bytes.get(place)?)));
    let imported = imported(model, bytes.len(), &files.collect())?;
    Ok((imported, Arc::new(Contents::read(bytes))))
}

/// The network of a model; `files` are those with its weights, and all together have so many bytes.
fn imported<'a>(
    model: Model<'a>,
    bytes: usize,
    files: &HashMap<&str, &'a [u8]>,
) -> Result<Imported> {
    let model::Graph {
        nodes,
        tensors,
        inputs,
        outputs,
    } = model.graph;
    let [output] = &outputs[..] else {
        let names: Vec<&str> = outputs.iter().map(|output| output.name).collect();
        return Err(format!(
            "it has {} outputs ({}), and nothing says which is meant: export it with the one of its classes",
            names.len(),
            names.join(", ")
        ));
    };
    let mut constants = HashMap::new();
    for tensor in tensors {
        let name = tensor.name;
        constants.insert(name, tensor.constant(&|name| files.get(name).copied())?);
    }
    // Older files name their weights among the inputs.
    let mut inputs = inputs
        .into_iter()
        .filter(|it| !constants.contains_key(it.name));
    let (Some(input), None) = (inputs.next(), inputs.next()) else {
        return Err("not a MobileNet V1: it has not one input, but none or several".into());
    };
    let input = Input {
        name: input.name,
        kind: input.kind.ok_or("its input is of an unknown type")?,
        shape: input.shape,
    };
    let nodes = nodes.into_iter().map(|node| Node {
        name: node.name,
        kind: node.kind,
        inputs: node.inputs,
        outputs: node.outputs,
        attributes: Settings {
            domain: node.domain,
            attributes: node.attributes,
        },
    });
    let graph = Graph {
        nodes: nodes.collect(),
        input,
        output: output.name,
        constants,
    };
    let format = Onnx {
        opset: model.opset,
        file: PhantomData,
    };
    graph::read(&format, graph, bytes)
}
