//! ONNX's tensors, whose numbers lie in one of several fields or in another file.

use std::borrow::Cow;
use std::path::{Component, Path};

use crate::weights::graph::{Constant, Kind};
use crate::weights::protobuf::{Result, fields};

/// A tensor as the file describes it.
#[derive(Default)]
pub(super) struct Tensor<'a> {
    pub name: &'a str,
    sides: Vec<i64>,
    kind: i64,
    numbers: Cow<'a, [u8]>,
    is_elsewhere: bool,
    /// The name of the file with its numbers, where in that, and how many bytes.
    location: &'a str,
    offset: Option<&'a str>,
    length: Option<&'a str>,
}

impl<'a> Tensor<'a> {
    pub fn parse(message: &'a [u8]) -> Result<Self> {
        let mut tensor = Self::default();
        // What is stated number by number; the kind of it may come later.
        let mut list = Vec::new();
        for field in fields(message) {
            match field? {
                (1, value) => value.integers(&mut tensor.sides)?,
                (2, value) => tensor.kind = value.integer()?,
                (3, _) => return Err("a tensor of it comes in segments".into()),
                (number @ (4 | 5 | 7 | 10), value) => list.push((number, value)),
                (8, value) => tensor.name = value.text()?,
                (9, value) => tensor.numbers = Cow::Borrowed(value.bytes()?),
                (13, value) => tensor.place(value.bytes()?)?,
                (14, value) => tensor.is_elsewhere = value.integer()? == 1,
                _ => {}
            }
            if list.len() > MAX_FIELDS {
                return Err("a tensor of it has too many fields".into());
            }
        }
        if tensor.numbers.is_empty() && !list.is_empty() {
            let mut numbers = Vec::new();
            let width = kind(tensor.kind).map_or(4, Kind::width);
            for (number, value) in list {
                match number {
                    4 | 10 => value.fixed(&mut numbers)?,
                    // Of 64 bits: a list of sides or axes.
                    7 => {
                        let mut integers = Vec::new();
                        value.integers(&mut integers)?;
                        numbers.extend(integers.iter().flat_map(|n| n.to_le_bytes()));
                    }
                    // All that have fewer bits, also halves, in the lowest ones of 32.
                    _ if width == 1 => value.varints::<1>(&mut numbers)?,
                    _ if width == 2 => value.varints::<2>(&mut numbers)?,
                    _ => value.varints::<4>(&mut numbers)?,
                }
            }
            tensor.numbers = Cow::Owned(numbers);
        }
        Ok(tensor)
    }

    fn place(&mut self, message: &'a [u8]) -> Result<()> {
        let (mut key, mut value) = ("", "");
        for field in fields(message) {
            match field? {
                (1, text) => key = text.text()?,
                (2, text) => value = text.text()?,
                _ => {}
            }
        }
        match key {
            "location" => self.location = value,
            "offset" => self.offset = Some(value),
            "length" => self.length = Some(value),
            _ => {}
        }
        Ok(())
    }

    /// The file with its numbers, if that is another one.
    ///
    /// # Errors
    /// One that is not in the same folder, or below it.
    pub fn elsewhere(&self) -> Result<Option<&'a str>> {
        if !self.is_elsewhere {
            return Ok(None);
        }
        let mut parts = Path::new(self.location).components();
        let stays = !self.location.is_empty()
            && !self.location.contains(['\\', ':'])
            && parts.all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        match stays {
            true => Ok(Some(self.location)),
            false => Err(format!(
                "its weights are in {:?}, which is not in its folder",
                self.location
            )),
        }
    }

    /// Its numbers; `files` gives those with the numbers of others.
    pub fn constant(self, files: &dyn Fn(&str) -> Option<&'a [u8]>) -> Result<Constant<'a>> {
        let error = |reason: String| format!("tensor {:?}: {reason}", self.name);
        let sides = self.sides.iter().map(|&side| usize::try_from(side).ok());
        let shape: Option<Vec<usize>> = sides.collect();
        let shape = shape.ok_or_else(|| error(format!("it is {:?}", self.sides)))?;
        let kind = kind(self.kind).map_err(error)?;
        let numbers = match self.elsewhere()? {
            None => self.numbers,
            Some(location) => {
                let file = files(location);
                let file = file.ok_or_else(|| error(format!("{location:?} is not there")))?;
                let number = |text: &str| text.trim().parse::<usize>().ok();
                let outside = || error(format!("it lies outside of {location:?}"));
                let offset = self.offset.map_or(Some(0), number).ok_or_else(outside)?;
                let rest = file.get(offset..).ok_or_else(outside)?;
                let length = self.length.map_or(Some(rest.len()), number);
                let part = length.and_then(|length| rest.get(..length));
                Cow::Borrowed(part.ok_or_else(outside)?)
            }
        };
        Constant::new(shape, kind, numbers).map_err(error)
    }
}

/// More fields than a tensor has that doesn't state its numbers one by one.
const MAX_FIELDS: usize = 4096;

/// The type of a number in the schema.
pub(super) fn kind(number: i64) -> Result<Kind> {
    let name = match number {
        1 => return Ok(Kind::F32),
        2 => return Ok(Kind::U8),
        3 => return Ok(Kind::I8),
        4 => return Ok(Kind::U16),
        5 => return Ok(Kind::I16),
        6 => return Ok(Kind::I32),
        7 => return Ok(Kind::I64),
        9 => return Ok(Kind::Bool),
        10 => return Ok(Kind::F16),
        11 => return Ok(Kind::F64),
        16 => return Ok(Kind::BF16),
        8 => "text",
        12 => "uint32",
        13 => "uint64",
        17..=20 | 24 => "floats of 8 bits",
        21 | 22 => "integers of 4 bits",
        23 => "floats of 4 bits",
        25 | 26 => "integers of 2 bits",
        _ => "an unknown type",
    };
    Err(format!("it is of {name}, which is not supported"))
}
