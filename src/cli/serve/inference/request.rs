//! What a request for an inference says.

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use half::f16;
use serde::Deserialize;
use serde_json::Value;

use super::numbers::Flat;
use crate::cli::serve::fault::Fault;

/// The files of pictures.
pub const IMAGE: &str = "image";
/// Bytes at the network's size.
pub const PIXELS: &str = "pixels";
/// The same as the network takes them.
pub const SCALED: &str = "input";

/// How many bytes of the body are JSON, where others follow.
pub const HEADER_LENGTH: &str = "inference-header-content-length";

/// The pictures of a request.
#[derive(Debug, PartialEq)]
pub enum Content {
    /// `[N, H, W, 3]`
    Pixels(Vec<u8>),
    /// `[N, 3, H, W]`
    Scaled(Vec<f32>),
    Files(Vec<Vec<u8>>),
}

/// An output that is wished for.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    pub name: String,
    pub binary: bool,
    /// So many of the highest classes in place of all scores.
    pub classification: Option<usize>,
}

/// What a request comes to.
#[derive(Debug, PartialEq)]
pub struct InferRequest {
    pub id: Option<String>,
    pub content: Content,
    /// How many pictures.
    pub count: usize,
    /// None for the usual output.
    pub wishes: Vec<Wish>,
    /// Whether outputs that nobody named are to be binary.
    pub binary_by_default: bool,
}

#[derive(Deserialize)]
struct Body {
    id: Option<String>,
    #[serde(default)]
    parameters: Parameters,
    inputs: Vec<Input>,
    #[serde(default)]
    outputs: Vec<Output>,
}

#[derive(Deserialize)]
struct Input {
    name: String,
    shape: Vec<u64>,
    datatype: String,
    #[serde(default)]
    parameters: Parameters,
    data: Option<Flat>,
}

#[derive(Deserialize)]
struct Output {
    name: String,
    #[serde(default)]
    parameters: Parameters,
}

/// Those that mean something here; the protocol lets clients send others.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Parameters {
    binary_data_size: Option<usize>,
    binary_data: Option<bool>,
    binary_data_output: Option<bool>,
    classification: Option<Value>,
}

impl InferRequest {
    /// Reads a body, for a network of so many pixels a side.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(headers: &HeaderMap, bytes: &[u8], size: usize) -> Result<Self, Fault> {
        let (json, mut rest) = split(headers, bytes)?;
        let body: Body = serde_json::from_slice(json)
            .map_err(|error| Fault::request(format!("the request is not understood: {error}")))?;
        let mut inputs = body.inputs.into_iter();
        let (Some(input), None) = (inputs.next(), inputs.next()) else {
            return Err(Fault::request(format!(
                "a request has one input: {IMAGE} (BYTES), {PIXELS} (UINT8) or {SCALED} (FP32, FP16)"
            )));
        };
        let binary = match input.parameters.binary_data_size {
            None => None,
            Some(length) => {
                let taken = rest.split_at_checked(length);
                let (taken, left) = taken.ok_or_else(|| {
                    Fault::request(format!(
                        "{}: binary_data_size is {length}, and {} bytes follow the JSON",
                        input.name,
                        rest.len()
                    ))
                })?;
                rest = left;
                Some(taken)
            }
        };
        if !rest.is_empty() {
            return Err(Fault::request(format!(
                "{} bytes that belong to no input",
                rest.len()
            )));
        }
        let (count, content) = content(input, binary, size)?;
        let wishes = body
            .outputs
            .into_iter()
            .map(|output| wish(output, &body.parameters));
        Ok(Self {
            id: body.id,
            content,
            count,
            wishes: wishes.collect::<Result<_, _>>()?,
            binary_by_default: body.parameters.binary_data_output.unwrap_or(false),
        })
    }
}

/// The JSON of a body, and what follows it.
fn split<'a>(headers: &HeaderMap, bytes: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), Fault> {
    let Some(length) = headers.get(HEADER_LENGTH) else {
        return Ok((bytes, &[]));
    };
    let length = length.to_str().ok().and_then(|length| length.parse().ok());
    let parts = length.and_then(|length| bytes.split_at_checked(length));
    parts.ok_or_else(|| {
        Fault::request(format!(
            "{HEADER_LENGTH} is not the length of a part of the body, which has {} bytes",
            bytes.len()
        ))
    })
}

fn wish(output: Output, request: &Parameters) -> Result<Wish, Fault> {
    let Parameters {
        binary_data,
        classification,
        ..
    } = output.parameters;
    let classification = match classification {
        None => None,
        Some(value) => match value.as_u64() {
            Some(count @ 1..) => Some(count as usize),
            _ => {
                return Err(Fault::request(format!(
                    "{}: classification is a number from 1, not {value}",
                    output.name
                )));
            }
        },
    };
    // The wish for one output goes before that for all.
    let binary = binary_data.or(request.binary_data_output).unwrap_or(false);
    Ok(Wish {
        name: output.name,
        binary,
        classification,
    })
}

/// The pictures, and how many there are.
fn content(input: Input, binary: Option<&[u8]>, size: usize) -> Result<(usize, Content), Fault> {
    let Input {
        name,
        shape,
        datatype,
        data,
        ..
    } = input;
    let refuse = |what: String| Err(Fault::request(format!("{name}: {what}")));
    if binary.is_some() == data.is_some() {
        return refuse("an input has either data or binary_data_size".into());
    }
    let expected = match name.as_str() {
        IMAGE => "BYTES",
        PIXELS => "UINT8",
        SCALED if datatype == "FP16" => "FP16",
        SCALED => "FP32",
        _ => {
            return refuse(format!(
                "there is no such input; there are {IMAGE}, {PIXELS} and {SCALED}"
            ));
        }
    };
    if datatype != expected {
        return refuse(format!("its datatype is {expected}, not {datatype}"));
    }
    let side = size as u64;
    let of_one: &[u64] = match name.as_str() {
        PIXELS => &[side, side, 3],
        SCALED => &[3, side, side],
        _ => &[],
    };
    let fits = match shape.as_slice() {
        [_, rest @ ..] => rest == of_one || name == IMAGE && rest == [1],
        [] => false,
    };
    if !fits {
        let of_one: Vec<String> = of_one.iter().map(|length| format!(", {length}")).collect();
        return refuse(format!(
            "its shape is [N{}], not {shape:?}",
            of_one.concat()
        ));
    }
    let count = usize::try_from(shape[0]).unwrap_or(usize::MAX);
    if count == 0 {
        return refuse("there are no pictures in it".into());
    }
    let content = match (expected, binary, data) {
        ("BYTES", Some(bytes), _) => Content::Files(files(bytes).ok_or_else(|| {
            Fault::request(format!(
                "{name}: its bytes are not lengths (4 bytes, little-endian) with as many bytes each"
            ))
        })?),
        ("BYTES", None, Some(flat)) => Content::Files(decoded(&name, flat)?),
        ("UINT8", Some(bytes), _) => Content::Pixels(bytes.to_vec()),
        ("UINT8", None, Some(flat)) => {
            let is_byte = |number: &f32| (0.0..=255.0).contains(number) && number.fract() == 0.0;
            if let Some(other) = flat.numbers.iter().find(|number| !is_byte(number)) {
                return refuse(format!("{other} is not a byte"));
            }
            Content::Pixels(flat.numbers.iter().map(|number| *number as u8).collect())
        }
        ("FP16", Some(bytes), _) => {
            let values = bytes.chunks_exact(2);
            Content::Scaled(
                values
                    .map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32())
                    .collect(),
            )
        }
        (_, Some(bytes), _) => {
            let values = bytes.chunks_exact(4);
            Content::Scaled(
                values
                    .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                    .collect(),
            )
        }
        (_, None, flat) => Content::Scaled(flat.unwrap_or_default().numbers),
    };
    let (found, of_one) = match &content {
        Content::Files(files) => (files.len(), 1),
        Content::Pixels(values) => (values.len(), 3 * size * size),
        Content::Scaled(values) => (values.len(), 3 * size * size),
    };
    if count.checked_mul(of_one) != Some(found) {
        return refuse(format!("{found} values for a shape of {shape:?}"));
    }
    if let Content::Scaled(values) = &content
        && let Some(other) = values.iter().find(|value| !value.is_finite())
    {
        return refuse(format!("{other} is not a number"));
    }
    Ok((count, content))
}

/// Bytes with their lengths before them.
fn files(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut files = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (file, rest) = rest.split_at_checked(length)?;
        files.push(file.to_vec());
        bytes = rest;
    }
    Some(files)
}

/// Files in JSON, which has no bytes: in base64.
fn decoded(name: &str, flat: Flat) -> Result<Vec<Vec<u8>>, Fault> {
    if !flat.numbers.is_empty() {
        return Err(Fault::request(format!(
            "{name}: its data are texts, each a picture in base64"
        )));
    }
    let decode = |text: String| {
        STANDARD.decode(text).map_err(|error| {
            Fault::request(format!(
                "{name}: a picture in JSON is in base64, and this is not: {error}"
            ))
        })
    };
    flat.texts.into_iter().map(decode).collect()
}
