//! The headers of an answer, as text.

use ureq::Body;
use ureq::http::Response;

pub(super) fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}
