//! A TFLite file's operators and tensors, under the numbers that its schema gives their fields.

use std::fmt;

use super::flatbuffer::{Result, Scalar, Table, Tables, damaged};
use super::kind::Kind;

/// A MobileNet V1 has about 30 operators, and 60 more where its weights have 16 bits.
const MAX_OPERATORS: usize = 1000;
/// An operator of a MobileNet V1 has three inputs.
const MAX_INPUTS: usize = 64;
/// TFLite's tensors have five.
pub(super) const MAX_DIMENSIONS: usize = 8;

/// What an operator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code(i32);

impl Code {
    pub const ADD: Self = Self(0);
    pub const AVERAGE_POOL_2D: Self = Self(1);
    pub const CONV_2D: Self = Self(3);
    pub const DEPTHWISE_CONV_2D: Self = Self(4);
    pub const DEQUANTIZE: Self = Self(6);
    pub const FULLY_CONNECTED: Self = Self(9);
    pub const LOGISTIC: Self = Self(14);
    pub const MUL: Self = Self(18);
    pub const RELU: Self = Self(19);
    pub const RELU6: Self = Self(21);
    pub const RESHAPE: Self = Self(22);
    pub const SOFTMAX: Self = Self(25);
    pub const PAD: Self = Self(34);
    pub const TRANSPOSE: Self = Self(39);
    pub const MEAN: Self = Self(40);
    pub const SUB: Self = Self(41);
    pub const DIV: Self = Self(42);
    pub const SQUEEZE: Self = Self(43);
    pub const STRIDED_SLICE: Self = Self(45);
    pub const SUM: Self = Self(74);
    pub const SHAPE: Self = Self(77);
    pub const PACK: Self = Self(83);
    pub const QUANTIZE: Self = Self(114);
    pub const DENSIFY: Self = Self(124);
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            0 => "ADD",
            1 => "AVERAGE_POOL_2D",
            2 => "CONCATENATION",
            3 => "CONV_2D",
            4 => "DEPTHWISE_CONV_2D",
            6 => "DEQUANTIZE",
            9 => "FULLY_CONNECTED",
            14 => "LOGISTIC",
            17 => "MAX_POOL_2D",
            18 => "MUL",
            19 => "RELU",
            21 => "RELU6",
            22 => "RESHAPE",
            25 => "SOFTMAX",
            32 => "CUSTOM",
            34 => "PAD",
            39 => "TRANSPOSE",
            40 => "MEAN",
            41 => "SUB",
            42 => "DIV",
            43 => "SQUEEZE",
            45 => "STRIDED_SLICE",
            53 => "CAST",
            54 => "PRELU",
            60 => "PADV2",
            74 => "SUM",
            77 => "SHAPE",
            83 => "PACK",
            98 => "LEAKY_RELU",
            114 => "QUANTIZE",
            117 => "HARD_SWISH",
            124 => "DENSIFY",
            other => return write!(f, "builtin operator {other}"),
        };
        f.write_str(name)
    }
}

/// An operator; shown as its number and what it does.
pub(super) struct Operator<'a> {
    number: usize,
    pub code: Code,
    /// Tensors; one that is left out is `None`.
    inputs: Vec<Option<usize>>,
    outputs: Vec<Option<usize>>,
    options: Option<(u8, Table<'a>)>,
}

impl fmt::Display for Operator<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "operator {} ({})", self.number, self.code)
    }
}

impl<'a> Operator<'a> {
    /// An input's tensor, where the operator has it.
    pub fn input(&self, number: usize) -> Option<usize> {
        self.inputs.get(number).copied().flatten()
    }

    pub fn inputs(&self) -> &[Option<usize>] {
        &self.inputs
    }

    pub fn takes(&self, tensor: usize) -> bool {
        self.inputs.contains(&Some(tensor))
    }

    /// Its only output's tensor.
    pub fn output(&self) -> Result<usize> {
        match self.outputs.as_slice() {
            [Some(tensor)] => Ok(*tensor),
            outputs => Err(format!("{self} has {} outputs, not one", outputs.len())),
        }
    }

    /// Its options, of a kind that has a number in the schema.
    pub fn options(&self, kind: u8) -> Result<Table<'a>> {
        match self.options {
            Some((stated, options)) if stated == kind => Ok(options),
            _ => Err(format!("{self} has no options of its own kind")),
        }
    }
}

/// A tensor as the file describes it; its values are [`Graph::data`].
pub(super) struct TensorInfo<'a> {
    pub shape: Vec<usize>,
    /// As [`shape`](Self::shape), without the dimensions that are only known at run time.
    pub fixed: Vec<Option<usize>>,
    pub kind: Kind,
    buffer: usize,
    pub quantization: Option<Table<'a>>,
    /// Where its values belong, if those that are 0 are left out.
    pub sparsity: Option<Table<'a>>,
}

/// A file's only graph.
pub(super) struct Graph<'a> {
    file: &'a [u8],
    tensors: Tables<'a>,
    buffers: Tables<'a>,
    /// What is said of the model besides, by name.
    metadata: Tables<'a>,
    pub operators: Vec<Operator<'a>>,
    pub inputs: Vec<Option<usize>>,
    pub outputs: Vec<Option<usize>>,
}

impl<'a> Graph<'a> {
    pub fn parse(file: &'a [u8]) -> Result<Self> {
        let model = Table::root(file)?;
        let version: u32 = model.scalar(0, 0)?;
        if version != 3 {
            return Err(format!(
                "its TFLite schema has version {version}, and only 3 is understood"
            ));
        }
        let codes = model.tables(1)?;
        let graphs = model.tables(2)?;
        if graphs.len() > 1 {
            return Err(format!(
                "not a MobileNet V1: it has {} graphs{}, and nothing says which is meant: convert that \
                 one by itself",
                graphs.len(),
                signatures(model)?
            ));
        }
        let graph = graphs.get(0)?;
        let graph = graph.ok_or_else(|| damaged("it has no graph"))?;
        let operators = graph.tables(3)?;
        if operators.len() > MAX_OPERATORS {
            let n = operators.len();
            return Err(format!("not a MobileNet V1: it has {n} operators"));
        }
        let operators = (0..operators.len()).filter_map(|number| {
            let table = operators.get(number).transpose()?;
            Some(table.and_then(|table| operator(number, table, codes)))
        });
        Ok(Self {
            file,
            tensors: graph.tables(0)?,
            buffers: model.tables(4)?,
            metadata: model.tables(6)?,
            operators: operators.collect::<Result<_>>()?,
            inputs: tensor_numbers(graph, 1)?,
            outputs: tensor_numbers(graph, 2)?,
        })
    }

    pub fn tensor(&self, number: usize) -> Result<TensorInfo<'a>> {
        let table = self.tensors.get(number)?;
        let table = table.ok_or_else(|| damaged(&format!("it has no tensor {number}")))?;
        let shape: Vec<i32> = table.numbers(0, MAX_DIMENSIONS)?;
        let sizes: Option<Vec<usize>> = shape.iter().map(|&n| n.try_into().ok()).collect();
        let sizes = sizes.ok_or_else(|| damaged(&format!("tensor {number} is {shape:?}")))?;
        let signature: Vec<i32> = table.numbers(7, MAX_DIMENSIONS)?;
        let fixed = sizes.iter().enumerate();
        let fixed = fixed.map(|(i, &n)| (signature.get(i) != Some(&-1)).then_some(n));
        if table.scalar::<u32>(10, 0)? != 0 {
            return Err(format!(
                "the values of tensor {number} lie in another file, which is not supported"
            ));
        }
        Ok(TensorInfo {
            fixed: fixed.collect(),
            shape: sizes,
            kind: Kind(table.scalar(1, 0)?),
            buffer: table.scalar::<u32>(2, 0)? as usize,
            quantization: table.table(4)?,
            sparsity: table.table(6)?,
        })
    }

    /// The bytes of a tensor's values; none where it is computed.
    pub fn data(&self, tensor: &TensorInfo) -> Result<&'a [u8]> {
        self.buffer(tensor.buffer)
    }

    /// What is said of the model under a name, among at most `most` names.
    pub fn metadata(&self, name: &[u8], most: usize) -> Result<Option<&'a [u8]>> {
        for entry in 0..self.metadata.len().min(most) {
            let Some(entry) = self.metadata.get(entry)? else {
                break;
            };
            if entry.bytes(0)? == name {
                let buffer = entry.scalar::<u32>(1, 0)? as usize;
                return self.buffer(buffer).map(Some);
            }
        }
        Ok(None)
    }

    fn buffer(&self, number: usize) -> Result<&'a [u8]> {
        let missing = || damaged(&format!("it has no buffer {number}"));
        let buffer = self.buffers.get(number)?.ok_or_else(missing)?;
        // Files above 2 GB keep values behind the FlatBuffer; 0 and 1 mean that this one doesn't.
        let offset: u64 = buffer.scalar(1, 0)?;
        if offset <= 1 {
            return buffer.bytes(0);
        }
        let size: u64 = buffer.scalar(2, 0)?;
        let place = || {
            let start = usize::try_from(offset).ok()?;
            let size = usize::try_from(size).ok()?;
            self.file.get(start..)?.get(..size)
        };
        place().ok_or_else(|| damaged("a buffer lies outside of it"))
    }

    /// The whole numbers that a tensor holds, such as the axes of a MEAN.
    pub fn integers(&self, number: usize) -> Result<Vec<i64>> {
        fn all<T: Scalar + Into<i64>>(bytes: &[u8]) -> Vec<i64> {
            let numbers = bytes.chunks_exact(T::SIZE).filter_map(T::first);
            numbers.map(T::into).collect()
        }
        let tensor = self.tensor(number)?;
        let bytes = self.data(&tensor)?;
        match tensor.kind {
            _ if bytes.len() > 64 => Err(damaged(&format!("tensor {number} is too long"))),
            _ if tensor.sparsity.is_some() => Err(damaged(&format!("tensor {number} is pruned"))),
            Kind::INT32 => Ok(all::<i32>(bytes)),
            Kind::INT64 => Ok(all::<i64>(bytes)),
            _ => Err(format!("tensor {number} does not hold whole numbers")),
        }
    }
}

/// What a file calls its graphs, where it does.
fn signatures(model: Table) -> Result<String> {
    const SHOWN: usize = 4;
    let signatures = model.tables(7)?;
    let mut names = Vec::new();
    for number in 0..signatures.len().min(SHOWN) {
        let name = match signatures.get(number)? {
            Some(signature) => String::from_utf8_lossy(signature.bytes(2)?),
            None => continue,
        };
        let shown = name.chars().filter(|c| !c.is_control()).take(40);
        names.push(shown.collect::<String>());
    }
    match names.is_empty() {
        true => Ok(String::new()),
        false => Ok(format!(" ({})", names.join(", "))),
    }
}

fn operator<'a>(number: usize, table: Table<'a>, codes: Tables<'a>) -> Result<Operator<'a>> {
    let code = codes.get(table.scalar::<u32>(0, 0)? as usize)?;
    let code = code.ok_or_else(|| damaged(&format!("operator {number} has no code")))?;
    // The first field has 8 bits and is all that old files have.
    let code = i32::from(code.scalar::<i8>(0, 0)?).max(code.scalar(3, 0)?);
    let kind = table.scalar(3, 0)?;
    Ok(Operator {
        number,
        code: Code(code),
        inputs: tensor_numbers(table, 1)?,
        outputs: tensor_numbers(table, 2)?,
        options: table.table(4)?.map(|options| (kind, options)),
    })
}

/// Tensors by number; -1 is none.
fn tensor_numbers(table: Table, field: usize) -> Result<Vec<Option<usize>>> {
    let numbers: Vec<i32> = table.numbers(field, MAX_INPUTS)?;
    Ok(numbers.into_iter().map(|n| n.try_into().ok()).collect())
}
