//! Why a request has no answer.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use mobilenet::error::{ImageError, ImageErrorKind};
use serde_json::json;

/// What the body of every answer but pages and pictures is. Without a charset: kserve's client shows
/// errors of this very type alone.
pub const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Where nothing else is known, a client tries again after so many seconds.
const RETRY_SECONDS: u32 = 1;

/// Why a request has no answer. Not of a picture, which has an answer that says so.
#[derive(Debug, Clone)]
pub struct Fault {
    pub status: StatusCode,
    /// For programs.
    pub kind: &'static str,
    /// For people.
    pub message: Cow<'static, str>,
}

impl Fault {
    pub fn new(
        status: StatusCode,
        kind: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            kind,
            message: message.into(),
        }
    }

    /// The client said something that can't be.
    pub fn request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "request", message)
    }

    /// Nobody is at this address.
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// More than there is room for at any time.
    pub fn too_large(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "limit", message)
    }

    /// More than there is room for now.
    pub fn busy(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message)
    }

    /// The service failed, and not the request.
    pub fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    /// The response, in the form that clients of this path expect: `{"error": {"kind": ..., "message":
    /// ...}}`, or under `/v2` the Open Inference Protocol's `{"error": "..."}`.
    pub fn response(&self, path: &str) -> Response {
        let message = &*self.message;
        let body = match is_inference(path) {
            true => json!({ "error": message }),
            false => json!({ "error": { "kind": self.kind, "message": message } }),
        };
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, JSON);
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
        }
        // For the metrics.
        response.extensions_mut().insert(FaultKind(self.kind));
        response
    }
}

/// The kind of a fault, on its response.
#[derive(Debug, Clone, Copy)]
pub struct FaultKind(pub &'static str);

/// Whether a path is of the Open Inference Protocol.
pub fn is_inference(path: &str) -> bool {
    path == "/v2" || path.starts_with("/v2/")
}

/// The status of a picture's answer, where it is the only one.
pub fn status_of(error: Option<&ImageError>) -> StatusCode {
    match error.map(|error| error.kind) {
        None => StatusCode::OK,
        Some(ImageErrorKind::Limit) => StatusCode::PAYLOAD_TOO_LARGE,
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
    }
}
