//! TensorFlow's messages, by the numbers that its schema gives their fields, as far as they matter.

use std::borrow::Cow;

use crate::weights::graph::{Constant, Kind};
use crate::weights::protobuf::{Field, Result, fields};

/// More inputs or settings than a node of a network has.
const MAX_PARTS: usize = 64;

/// A node of a graph.
#[derive(Default)]
pub(super) struct NodeDef<'a> {
    pub name: &'a str,
    pub kind: &'a str,
    /// Without those that only state an order.
    pub inputs: Vec<&'a str>,
    pub settings: Settings<'a>,
}

impl<'a> NodeDef<'a> {
    pub fn parse(message: &'a [u8]) -> Result<Self> {
        let mut node = Self::default();
        for field in fields(message) {
            match field? {
                (1, value) => node.name = value.text()?,
                (2, value) => node.kind = value.text()?,
                (3, value) => {
                    let name = value.text()?;
                    if !name.starts_with('^') {
                        node.inputs.push(name.strip_suffix(":0").unwrap_or(name));
                    }
                }
                (5, value) => node.settings.0.push(value.bytes()?),
                _ => {}
            }
            if node.inputs.len() > MAX_PARTS || node.settings.0.len() > MAX_PARTS {
                return Err("not a MobileNet V1: a node of it has too many parts".into());
            }
        }
        Ok(node)
    }
}

/// A node's settings, each as the message of its name and its value.
#[derive(Default)]
pub(super) struct Settings<'a>(Vec<&'a [u8]>);

impl<'a> Settings<'a> {
    fn value(&self, name: &str) -> Result<Option<&'a [u8]>> {
        for entry in &self.0 {
            let (mut is_it, mut value) = (false, &[][..]);
            for field in fields(entry) {
                match field? {
                    (1, key) => is_it = key.text()? == name,
                    (2, message) => value = message.bytes()?,
                    _ => {}
                }
            }
            if is_it {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// The field of a value, by the number of its kind.
    fn field(&self, name: &str, number: u32) -> Result<Option<Field<'a>>> {
        let mut found = None;
        for field in fields(self.value(name)?.unwrap_or_default()) {
            let (n, value) = field?;
            if n == number {
                found = Some(value);
            }
        }
        Ok(found)
    }

    pub fn text(&self, name: &str) -> Result<Option<&'a str>> {
        self.field(name, 2)?.map(Field::text).transpose()
    }

    pub fn integer(&self, name: &str) -> Result<i64> {
        let value = self.field(name, 3)?.map(Field::integer);
        Ok(value.transpose()?.unwrap_or(0))
    }

    pub fn float(&self, name: &str, usual: f32) -> Result<f64> {
        let value = self.field(name, 4)?.map(Field::float);
        Ok(value.transpose()?.unwrap_or(usual).into())
    }

    pub fn flag(&self, name: &str, usual: bool) -> Result<bool> {
        match self.value(name)? {
            // What is false has no field at all.
            Some(_) => Ok(self.field(name, 5)?.map(Field::integer).transpose()? == Some(1)),
            None => Ok(usual),
        }
    }

    /// A type of numbers.
    pub fn kind(&self, name: &str) -> Result<Kind> {
        kind(self.field(name, 6)?.map_or(Ok(0), Field::integer)?)
    }

    /// A shape by dimension, `None` where that is open; no dimensions where nothing is said.
    pub fn shape(&self, name: &str) -> Result<Vec<Option<usize>>> {
        let shape = self.field(name, 7)?.map(Field::bytes).transpose()?;
        let shape = shape.map(shape_of).transpose()?.unwrap_or_default();
        Ok(shape.into_iter().map(|n| usize::try_from(n).ok()).collect())
    }

    pub fn integers(&self, name: &str) -> Result<Vec<i64>> {
        let mut numbers = Vec::new();
        if let Some(list) = self.field(name, 1)? {
            for field in fields(list.bytes()?) {
                if let (3, value) = field? {
                    value.integers(&mut numbers)?;
                }
            }
        }
        Ok(numbers)
    }

    /// The numbers of a Const; `most` is the most bytes that they may have.
    pub fn tensor(&self, name: &str, most: usize) -> Result<Constant<'a>> {
        let tensor = self.field(name, 8)?.ok_or("it has no value")?;
        tensor_of(tensor.bytes()?, None, most)
    }
}

/// The sides of a shape's message; -1 is open.
pub(super) fn shape_of(message: &[u8]) -> Result<Vec<i64>> {
    let mut sides = Vec::new();
    for field in fields(message) {
        if let (2, value) = field? {
            let mut side = 0;
            for field in fields(value.bytes()?) {
                if let (1, value) = field? {
                    side = value.integer()?;
                }
            }
            sides.push(side);
        }
        if sides.len() > MAX_PARTS {
            return Err("a tensor of it has too many dimensions".into());
        }
    }
    Ok(sides)
}

/// A shape whose sides are all known.
pub(super) fn known_shape(message: &[u8]) -> Result<Vec<usize>> {
    let sides = shape_of(message)?;
    let known = sides.iter().map(|&n| usize::try_from(n).ok());
    let known: Option<Vec<usize>> = known.collect();
    known.ok_or_else(|| format!("truncated or damaged (a tensor of {sides:?})"))
}

/// A tensor's numbers, of its own type and shape or of those that are stated elsewhere.
pub(super) fn tensor_of<'a>(
    message: &'a [u8],
    stated: Option<(i64, Vec<usize>)>,
    most: usize,
) -> Result<Constant<'a>> {
    let (mut number, mut own, mut content) = (0, Vec::new(), &[][..]);
    let mut listed = Vec::new();
    for field in fields(message) {
        match field? {
            (1, value) => number = value.integer()?,
            (2, value) => own = known_shape(value.bytes()?)?,
            (4, value) => content = value.bytes()?,
            (5 | 6, value) => value.fixed(&mut listed)?,
            (7, value) => value.varints::<4>(&mut listed)?,
            // A list of sides or axes.
            (10, value) => {
                let mut integers = Vec::new();
                value.integers(&mut integers)?;
                listed.extend(integers.iter().flat_map(|n| n.to_le_bytes()));
            }
            (11, value) => value.varints::<1>(&mut listed)?,
            (13, value) => value.varints::<2>(&mut listed)?,
            _ => {}
        }
        if listed.len() > most {
            return Err("its numbers are more than its bytes".into());
        }
    }
    let is_stated = stated.is_some();
    let (number, shape) = stated.unwrap_or((number, own));
    let kind = kind(number)?;
    if !content.is_empty() {
        return Constant::new(shape, kind, Cow::Borrowed(content));
    }
    // Numbers of 8 and 16 bits are listed as ones of 32.
    let width = kind.width();
    let numbers: Vec<u8> = match kind {
        Kind::I8 | Kind::U8 | Kind::I16 | Kind::U16 => {
            let wide = listed.chunks_exact(4);
            wide.flat_map(|number| &number[..width]).copied().collect()
        }
        _ => listed,
    };
    let count = shape.iter().try_fold(width, |n, &side| n.checked_mul(side));
    let size = count.filter(|size| *size <= most);
    let size = size.ok_or("its numbers are more than the file has")?;
    if is_stated && numbers.len() != size {
        return Err("it is saved in slices, which is not supported".into());
    }
    // The last one stands for all that are not listed.
    let last = numbers
        .len()
        .checked_sub(width)
        .and_then(|at| numbers.get(at..));
    let last = last.map(<[u8]>::to_vec).unwrap_or_else(|| vec![0; width]);
    let mut bytes = numbers;
    while bytes.len() < size {
        bytes.extend_from_slice(&last);
    }
    Constant::new(shape, kind, Cow::Owned(bytes))
}

/// The type of a number in the schema.
pub(super) fn kind(number: i64) -> Result<Kind> {
    let name = match number {
        1 => return Ok(Kind::F32),
        2 => return Ok(Kind::F64),
        3 => return Ok(Kind::I32),
        4 => return Ok(Kind::U8),
        5 => return Ok(Kind::I16),
        6 => return Ok(Kind::I8),
        9 => return Ok(Kind::I64),
        10 => return Ok(Kind::Bool),
        14 => return Ok(Kind::BF16),
        17 => return Ok(Kind::U16),
        19 => return Ok(Kind::F16),
        7 => "text",
        11..=13 | 15 | 16 => "quantised integers",
        20 => "resources",
        _ => "an unknown type",
    };
    Err(format!("it is of {name}, which is not supported"))
}
