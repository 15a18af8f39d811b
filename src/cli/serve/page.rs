//! The page, which is in the program.

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::get;
use mobilenet::digest;

use super::fault::Fault;
use super::service::Service;

/// Nothing but what comes from here, and pictures that the page makes itself.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Browsers ask whether it is still the same.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// A file of the page.
struct Asset {
    name: &'static str,
    media_type: &'static str,
    content: &'static [u8],
}

const INDEX: Asset = asset("index.html", HTML, include_bytes!("page/index.html"));

const ASSETS: &[Asset] = &[
    asset("answer.js", SCRIPT, include_bytes!("page/answer.js")),
    asset("api.js", SCRIPT, include_bytes!("page/api.js")),
    asset("csv.js", SCRIPT, include_bytes!("page/csv.js")),
    asset("icon.svg", SVG, include_bytes!("page/icon.svg")),
    asset("intake.js", SCRIPT, include_bytes!("page/intake.js")),
    asset("map.js", SCRIPT, include_bytes!("page/map.js")),
    asset("page.css", STYLE, include_bytes!("page/page.css")),
    asset("page.js", SCRIPT, include_bytes!("page/page.js")),
    asset("queue.js", SCRIPT, include_bytes!("page/queue.js")),
    asset("table.js", SCRIPT, include_bytes!("page/table.js")),
    asset("text.js", SCRIPT, include_bytes!("page/text.js")),
    asset("thumbs.js", SCRIPT, include_bytes!("page/thumbs.js")),
    asset("viewer.js", SCRIPT, include_bytes!("page/viewer.js")),
];

const fn asset(name: &'static str, media_type: &'static str, content: &'static [u8]) -> Asset {
    Asset {
        name,
        media_type,
        content,
    }
}

/// The page and its files.
pub fn routes() -> Router<std::sync::Arc<Service>> {
    Router::new()
        .route(
            "/",
            get(async |headers: HeaderMap| respond(&INDEX, &headers)),
        )
        .route("/assets/{name}", get(named))
}

async fn named(Path(name): Path<String>, headers: HeaderMap) -> Response {
    match ASSETS.iter().find(|asset| asset.name == name) {
        Some(asset) => respond(asset, &headers),
        None => Fault::not_found("the page has no such file").response(""),
    }
}

fn respond(asset: &Asset, headers: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", &digest::sha256(asset.content)[..32]);
    let is_known = headers
        .get(IF_NONE_MATCH)
        .is_some_and(|known| known == tag.as_str());
    let mut response = match is_known {
        true => Response::new(Body::empty()),
        false => Response::new(Body::from(asset.content)),
    };
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(ETAG, tag);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(CACHE_CONTROL, REVALIDATE);
    response
}
