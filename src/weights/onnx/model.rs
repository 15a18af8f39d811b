//! ONNX's messages, by the numbers that its schema gives their fields, as far as they matter.

use super::tensor::Tensor;
use crate::weights::graph::{Kind, MAX_NODES};
use crate::weights::protobuf::{Field, Result, fields};

/// More inputs, outputs or settings than a node of a network has.
const MAX_PARTS: usize = 64;

/// More tensors than a network has, statistics of training included.
const MAX_TENSORS: usize = 10_000;

/// A file.
pub(super) struct Model<'a> {
    /// The version of the operators without a domain.
    pub opset: i64,
    pub graph: Graph<'a>,
}

/// Its graph.
#[derive(Default)]
pub(super) struct Graph<'a> {
    pub nodes: Vec<Node<'a>>,
    pub tensors: Vec<Tensor<'a>>,
    pub inputs: Vec<Input<'a>>,
    pub outputs: Vec<Input<'a>>,
}

pub(super) struct Node<'a> {
    pub name: &'a str,
    pub kind: &'a str,
    pub domain: &'a str,
    pub inputs: Vec<&'a str>,
    pub outputs: Vec<&'a str>,
    pub attributes: Attributes<'a>,
}

/// A node's settings, each as its message.
#[derive(Default)]
pub(super) struct Attributes<'a>(Vec<&'a [u8]>);

/// What goes into a graph, or comes out.
pub(super) struct Input<'a> {
    pub name: &'a str,
    /// By dimension; `None` where it is open.
    pub shape: Vec<Option<usize>>,
    pub kind: Option<Kind>,
}

impl<'a> Model<'a> {
    pub fn parse(file: &'a [u8]) -> Result<Self> {
        let mut graph = None;
        let mut opset = 1;
        for field in fields(file) {
            match field? {
                (7, value) if graph.is_none() => graph = Some(Graph::parse(value.bytes()?)?),
                (7, _) => return Err("truncated or damaged (it has two graphs)".into()),
                (8, value) => {
                    let (mut domain, mut version) = ("", 0);
                    for field in fields(value.bytes()?) {
                        match field? {
                            (1, value) => domain = value.text()?,
                            (2, value) => version = value.integer()?,
                            _ => {}
                        }
                    }
                    if is_own(domain) {
                        opset = version;
                    }
                }
                _ => {}
            }
        }
        let graph = graph.ok_or("truncated or damaged (it has no graph)")?;
        Ok(Self { opset, graph })
    }
}

/// Whether a domain is that of ONNX's own operators.
pub(super) fn is_own(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}

impl<'a> Graph<'a> {
    fn parse(message: &'a [u8]) -> Result<Self> {
        let mut graph = Self::default();
        for field in fields(message) {
            match field? {
                (1, value) => {
                    if graph.nodes.len() >= MAX_NODES {
                        return Err("not a MobileNet V1: it has too many nodes".into());
                    }
                    graph.nodes.push(Node::parse(value.bytes()?)?);
                }
                (5, value) => {
                    if graph.tensors.len() >= MAX_TENSORS {
                        return Err("not a MobileNet V1: it has too many tensors".into());
                    }
                    graph.tensors.push(Tensor::parse(value.bytes()?)?);
                }
                (11, value) => push(
                    &mut graph.inputs,
                    Input::parse(value.bytes()?)?,
                    MAX_TENSORS,
                )?,
                (12, value) => push(&mut graph.outputs, Input::parse(value.bytes()?)?, MAX_PARTS)?,
                (15, _) => return Err("it has sparse tensors, which are not supported".into()),
                _ => {}
            }
        }
        Ok(graph)
    }
}

impl<'a> Node<'a> {
    fn parse(message: &'a [u8]) -> Result<Self> {
        let mut node = Self {
            name: "",
            kind: "",
            domain: "",
            inputs: Vec::new(),
            outputs: Vec::new(),
            attributes: Attributes::default(),
        };
        for field in fields(message) {
            match field? {
                (1, value) => push(&mut node.inputs, value.text()?, MAX_PARTS)?,
                (2, value) => push(&mut node.outputs, value.text()?, MAX_PARTS)?,
                (3, value) => node.name = value.text()?,
                (4, value) => node.kind = value.text()?,
                (5, value) => push(&mut node.attributes.0, value.bytes()?, MAX_PARTS)?,
                (7, value) => node.domain = value.text()?,
                _ => {}
            }
        }
        Ok(node)
    }
}

impl<'a> Input<'a> {
    fn parse(message: &'a [u8]) -> Result<Self> {
        let (mut name, mut shape, mut kind) = ("", Vec::new(), None);
        for field in fields(message) {
            match field? {
                (1, value) => name = value.text()?,
                (2, value) => {
                    for field in fields(value.bytes()?) {
                        // Of a tensor; sequences and the like have other numbers.
                        if let (1, value) = field? {
                            (shape, kind) = tensor_type(value.bytes()?)?;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(Self { name, shape, kind })
    }
}

fn tensor_type(message: &[u8]) -> Result<(Vec<Option<usize>>, Option<Kind>)> {
    let (mut shape, mut kind) = (Vec::new(), None);
    for field in fields(message) {
        match field? {
            (1, value) => kind = super::tensor::kind(value.integer()?).ok(),
            (2, value) => {
                for field in fields(value.bytes()?) {
                    if let (1, value) = field? {
                        push(&mut shape, side(value.bytes()?)?, MAX_PARTS)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok((shape, kind))
}

/// A side of a shape, which may be a name instead.
fn side(message: &[u8]) -> Result<Option<usize>> {
    let mut side = None;
    for field in fields(message) {
        if let (1, value) = field? {
            side = usize::try_from(value.integer()?).ok().filter(|n| *n > 0);
        }
    }
    Ok(side)
}

fn push<T>(list: &mut Vec<T>, item: T, most: usize) -> Result<()> {
    if list.len() >= most {
        return Err("not a MobileNet V1: a node of it has too many parts".into());
    }
    list.push(item);
    Ok(())
}

impl<'a> Attributes<'a> {
    /// A setting's fields of a number, the last of which counts.
    fn field(&self, name: &str, number: u32) -> Result<Option<Field<'a>>> {
        let mut found = None;
        for message in &self.0 {
            let (mut is_it, mut value) = (false, None);
            for field in fields(message) {
                match field? {
                    (1, text) => is_it = text.text()? == name,
                    (n, field) if n == number => value = Some(field),
                    (21, _) => return Err(format!("its {name} is that of a function")),
                    _ => {}
                }
            }
            if is_it {
                found = value;
            }
        }
        Ok(found)
    }

    pub fn float(&self, name: &str, usual: f32) -> Result<f64> {
        let value = self.field(name, 2)?.map(Field::float);
        Ok(value.transpose()?.unwrap_or(usual).into())
    }

    pub fn stated_float(&self, name: &str) -> Result<Option<f64>> {
        let value = self.field(name, 2)?.map(Field::float);
        Ok(value.transpose()?.map(f64::from))
    }

    pub fn stated_integer(&self, name: &str) -> Result<Option<i64>> {
        self.field(name, 3)?.map(Field::integer).transpose()
    }

    pub fn integer(&self, name: &str, usual: i64) -> Result<i64> {
        Ok(self.stated_integer(name)?.unwrap_or(usual))
    }

    pub fn text(&self, name: &str) -> Result<Option<&'a str>> {
        self.field(name, 4)?.map(Field::text).transpose()
    }

    pub fn tensor(&self, name: &str) -> Result<Option<Tensor<'a>>> {
        match self.field(name, 5)? {
            Some(value) => Tensor::parse(value.bytes()?).map(Some),
            None => Ok(None),
        }
    }

    /// Whole numbers, which may be stated one by one.
    pub fn integers(&self, name: &str) -> Result<Option<Vec<i64>>> {
        for message in &self.0 {
            let (mut is_it, mut numbers) = (false, Vec::new());
            for field in fields(message) {
                match field? {
                    (1, text) => is_it = text.text()? == name,
                    (8, value) => value.integers(&mut numbers)?,
                    _ => {}
                }
            }
            if is_it {
                return Ok(Some(numbers));
            }
        }
        Ok(None)
    }

    /// Two whole numbers, both of which are `usual` where they are not stated.
    pub fn pair(&self, name: &str, usual: i64) -> Result<[i64; 2]> {
        match self.integers(name)?.as_deref() {
            None | Some([]) => Ok([usual; 2]),
            Some([a, b]) => Ok([*a, *b]),
            Some(other) => Err(format!("its {name} are {other:?}, not two numbers")),
        }
    }
}
