//! What there is, in OpenAPI's words.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;

use super::fault::JSON;

const DOCUMENT: &str = include_str!("openapi.json");

/// `GET /openapi.json`
pub async fn document() -> Response {
    // Its version is the program's.
    let document = DOCUMENT.replacen(
        "\"VERSION\"",
        concat!('"', env!("CARGO_PKG_VERSION"), '"'),
        1,
    );
    let mut response = Response::new(Body::from(document));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}
