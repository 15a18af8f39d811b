//! What a request for an inference is answered.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use serde::Serialize;

use super::VERSION;
use super::request::{HEADER_LENGTH, Wish};
use crate::cli::serve::asking::failure;
use crate::cli::serve::fault::{Fault, JSON};

/// The probabilities of all classes.
pub const SCORES: &str = "scores";
/// The global pool.
pub const EMBEDDING: &str = "embedding";

/// An output with its values.
pub struct Output {
    pub wish: Wish,
    pub shape: Vec<usize>,
    pub values: Values,
}

pub enum Values {
    Numbers(Vec<f32>),
    Texts(Vec<String>),
}

#[derive(Serialize)]
struct Answer<'a> {
    model_name: &'a str,
    model_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    outputs: Vec<Tensor<'a>>,
}

#[derive(Serialize)]
struct Tensor<'a> {
    name: &'a str,
    shape: &'a [usize],
    datatype: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Parameters>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data<'a>>,
}

#[derive(Serialize)]
struct Parameters {
    binary_data_size: usize,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Numbers(&'a [f32]),
    Texts(&'a [String]),
}

/// The response with these outputs, the binary ones behind the JSON in their order.
///
/// # Errors
/// Numbers that JSON has none for.
pub fn respond(model: &str, id: Option<&str>, outputs: &[Output]) -> Result<Response, Fault> {
    let mut binary = Vec::new();
    let tensor = |output| tensor(output, &mut binary);
    let answer = Answer {
        model_name: model,
        model_version: VERSION,
        id,
        outputs: outputs.iter().map(tensor).collect(),
    };
    let mut body = serde_json::to_vec(&answer).map_err(failure)?;
    let length = body.len();
    let is_binary = outputs.iter().any(|output| output.wish.binary);
    body.extend(binary);
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    if is_binary {
        let octets = HeaderValue::from_static("application/octet-stream");
        headers.insert(CONTENT_TYPE, octets);
        headers.insert(HeaderName::from_static(HEADER_LENGTH), length.into());
    }
    Ok(response)
}

fn tensor<'a>(output: &'a Output, binary: &mut Vec<u8>) -> Tensor<'a> {
    let before = binary.len();
    let (datatype, data) = match &output.values {
        Values::Numbers(numbers) => ("FP32", Data::Numbers(numbers)),
        Values::Texts(texts) => ("BYTES", Data::Texts(texts)),
    };
    if output.wish.binary {
        match &data {
            Data::Numbers(numbers) => {
                binary.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
            }
            Data::Texts(texts) => {
                for text in *texts {
                    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
                    binary.extend(length.to_le_bytes());
                    binary.extend(text.as_bytes());
                }
            }
        }
    }
    let is_binary = output.wish.binary;
    Tensor {
        name: &output.wish.name,
        shape: &output.shape,
        datatype,
        parameters: is_binary.then(|| Parameters {
            binary_data_size: binary.len() - before,
        }),
        data: (!is_binary).then_some(data),
    }
}
