//! The rows of several pictures: one JSON array, or lines that are sent as they are ready.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use hyper::body::Frame;

use super::fault::{Fault, JSON};
use super::pictures::Rendered;
use super::workers::{Outcome, outcome};

/// The media type of a JSON object a line.
pub const LINES: HeaderValue = HeaderValue::from_static("application/x-ndjson");

/// Whether a client asks for lines.
pub fn wants_lines(headers: &HeaderMap) -> bool {
    accepts(headers, &["application/x-ndjson", "application/jsonl"])
}

/// Whether a client names one of these media types, and not only what includes them.
pub fn accepts(headers: &HeaderMap, types: &[&str]) -> bool {
    let values = headers.get_all(ACCEPT).iter();
    let mut named = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|range| range.split(';').next().unwrap_or_default().trim());
    named.any(|range| types.iter().any(|one| range.eq_ignore_ascii_case(one)))
}

/// Rows that are on their way, in the order of their pictures.
pub struct Rows(VecDeque<Outcome<Rendered>>);

impl Rows {
    /// A line a picture, as it is ready.
    pub fn lines(asked: Vec<Outcome<Rendered>>) -> Response {
        let mut response = Response::new(Body::new(Self(asked.into())));
        response.headers_mut().insert(CONTENT_TYPE, LINES);
        response
    }

    /// All of them.
    ///
    /// # Errors
    /// A failure of the network.
    pub async fn array(asked: Vec<Outcome<Rendered>>) -> Result<Response, Fault> {
        let mut json = vec![b'['];
        for row in asked {
            if json.len() > 1 {
                json.push(b',');
            }
            json.extend(outcome(row).await?.json);
        }
        json.push(b']');
        let mut response = Response::new(Body::from(json));
        response.headers_mut().insert(CONTENT_TYPE, JSON);
        Ok(response)
    }
}

/// Ends early, so that the client sees that it is cut off, where the network fails.
impl hyper::body::Body for Rows {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let Some(next) = self.0.front_mut() else {
            return Poll::Ready(None);
        };
        let row = ready!(Pin::new(next).poll(context));
        self.0.pop_front();
        let Ok(Ok(mut row)) = row else {
            self.0.clear();
            return Poll::Ready(Some(Err(Broken)));
        };
        row.json.push(b'\n');
        Poll::Ready(Some(Ok(Frame::data(row.json.into()))))
    }
}

/// The network failed after the first rows had been sent.
#[derive(Debug, thiserror::Error)]
#[error("the network failed")]
pub struct Broken;
