//! The pictures of a request: its body, or the parts of a form.

use std::ffi::OsString;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::multipart::{Multipart, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use mobilenet::dataset::Input;

use super::bodies::{Bodies, Held};
use super::fault::Fault;

/// What a body that is one picture is called in its row, as stdin is.
const BODY: &str = "-";

/// The pictures of a request.
pub struct Uploads {
    pub inputs: Vec<Input>,
    /// There may be several, so that the answer is a list.
    pub is_form: bool,
    /// For as long as they are in memory.
    pub held: Arc<Held>,
}

impl Uploads {
    /// Reads the pictures of a request, of which a form may have `most`. `name` is what one that is no
    /// form is called.
    ///
    /// # Errors
    /// A body that can't be had, that is empty, or a form that is none.
    pub async fn read(
        bodies: &Bodies,
        most: usize,
        parts: &Parts,
        body: Body,
        name: Option<String>,
    ) -> Result<Self, Fault> {
        let received = bodies.read(&parts.headers, body).await?;
        let (bytes, held) = received.into_parts();
        let held = Arc::new(held);
        let Some(content_type) = parts
            .headers
            .get(CONTENT_TYPE)
            .filter(|value| is_form(value.as_bytes()))
        else {
            if bytes.is_empty() {
                return Err(Fault::request(
                    "the body is empty: send the bytes of a picture, or a form (multipart/form-data) of several",
                ));
            }
            let name: OsString = name.unwrap_or_else(|| BODY.into()).into();
            return Ok(Self {
                inputs: vec![Input::bytes(name, bytes)],
                is_form: false,
                held,
            });
        };
        if name.is_some() {
            return Err(Fault::request(
                "name is for a body that is a picture: parts of a form have their own",
            ));
        }
        let mut request = Request::new(Body::from(bytes));
        request
            .headers_mut()
            .insert(CONTENT_TYPE, content_type.clone());
        let inputs = parts_of(request, most).await?;
        if inputs.is_empty() {
            return Err(Fault::request("the form has no pictures"));
        }
        Ok(Self {
            inputs,
            is_form: true,
            held,
        })
    }
}

/// The parts of a form, each a picture by its file's name, or by its own.
async fn parts_of(mut request: Request, most: usize) -> Result<Vec<Input>, Fault> {
    // The body is in memory already.
    DefaultBodyLimit::disable().apply(&mut request);
    let refuse = |error: MultipartError| {
        Fault::request(format!("the form can't be read: {}", error.body_text()))
    };
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|error| {
        Fault::request(format!("the form can't be read: {}", error.body_text()))
    })?;
    let mut inputs = Vec::new();
    while let Some(field) = form.next_field().await.map_err(refuse)? {
        if inputs.len() == most {
            return Err(Fault::too_large(format!(
                "more than {most} pictures in a request: send them in several requests"
            )));
        }
        let name = field.file_name().or(field.name()).unwrap_or_default();
        let name = OsString::from(name);
        let bytes = field.bytes().await.map_err(refuse)?;
        inputs.push(Input::bytes(name, &*bytes));
    }
    Ok(inputs)
}

fn is_form(content_type: &[u8]) -> bool {
    let kind = content_type
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default();
    kind.trim_ascii()
        .eq_ignore_ascii_case(b"multipart/form-data")
}
