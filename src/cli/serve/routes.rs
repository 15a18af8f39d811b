//! Which address is answered by what, and what holds for all of them.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL, CONTENT_TYPE,
    REFERRER_POLICY, VARY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::decompression::RequestDecompressionLayer;

use super::fault::{Fault, FaultKind, JSON};
use super::service::Service;
use super::{explain, inference, metrics, openapi, page, pictures};

type App = State<Arc<Service>>;

/// Everything there is.
pub fn routes(service: Arc<Service>) -> Router {
    let answers = Router::new()
        .route(
            "/v1/classify",
            post(|app, request| answer(app, request, pictures::classify)),
        )
        .route(
            "/v1/embed",
            post(|app, request| answer(app, request, pictures::embed)),
        )
        .route(
            "/v1/similar",
            post(|app, request| answer(app, request, pictures::similar)),
        )
        .route(
            "/v1/explain",
            post(|app, request| answer(app, request, explain::explain)),
        )
        .route("/v1/labels", get(labels))
        .route("/v1/model", get(model))
        .route("/metrics", get(metrics))
        .merge(inference::routes())
        .layer(RequestDecompressionLayer::new())
        .layer(middleware::from_fn_with_state(
            service.clone(),
            ask_for_the_token,
        ));
    // Nothing of these is secret, and who asks whether it lives has no token.
    let open = Router::new()
        .merge(page::routes())
        .merge(inference::health())
        .route("/openapi.json", get(openapi::document))
        .route("/healthz", get(|| async { health(true) }))
        .route(
            "/readyz",
            get(async |State(service): App| health(service.is_ready())),
        );
    answers
        .merge(open)
        .fallback(no_such_address)
        .method_not_allowed_fallback(no_such_method)
        .layer(middleware::from_fn_with_state(service.clone(), check_names))
        .layer(CatchPanicLayer::custom(|_| {
            let fault = Fault::internal("a defect in the program: this request made it panic");
            fault.response("")
        }))
        .layer(middleware::from_fn_with_state(service.clone(), observe))
        .with_state(service)
}

/// Runs a handler; its fault becomes the response that clients of the address expect.
pub async fn answer<F>(
    State(service): App,
    request: Request,
    handler: impl FnOnce(Arc<Service>, Parts, Body) -> F,
) -> Response
where
    F: Future<Output = Result<Response, Fault>>,
{
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let response = handler(service, parts, body).await;
    response.unwrap_or_else(|fault| fault.response(&path))
}

/// A response of JSON.
pub fn json_response(status: StatusCode, value: &Value) -> Response {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

fn health(is_well: bool) -> Response {
    let (status, word) = match is_well {
        true => (StatusCode::OK, "ok"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
    };
    json_response(status, &json!({ "status": word }))
}

async fn labels(State(service): App) -> Response {
    let classes = service.classifier.labels().classes().iter();
    let classes = classes
        .map(|class| json!({ "index": class.index, "wnid": class.wnid, "label": class.label }));
    json_response(StatusCode::OK, &classes.collect())
}

async fn model(State(service): App) -> Response {
    json_response(StatusCode::OK, &service.description())
}

async fn metrics(State(service): App) -> Response {
    match service.metrics.text(service.workers.taken()) {
        Ok(text) => {
            let mut response = Response::new(Body::from(text));
            let media_type = HeaderValue::from_static(metrics::CONTENT_TYPE);
            response.headers_mut().insert(CONTENT_TYPE, media_type);
            response
        }
        Err(error) => Fault::internal(error.to_string()).response(""),
    }
}

async fn no_such_address(request: Request) -> Response {
    let path = request.uri().path();
    Fault::not_found("there is nothing at this address; /openapi.json lists what there is")
        .response(path)
}

async fn no_such_method(request: Request) -> Response {
    let message = format!("{} is not for this address", request.method());
    let fault = Fault::new(StatusCode::METHOD_NOT_ALLOWED, "method", message);
    fault.response(request.uri().path())
}

async fn ask_for_the_token(State(service): App, request: Request, next: Next) -> Response {
    match service.gate.check_token(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(fault) => {
            let mut response = fault.response(request.uri().path());
            let bearer = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, bearer);
            response
        }
    }
}

/// Refuses what is for another host or from another's page; tells browsers what an allowed page may do.
async fn check_names(State(service): App, request: Request, next: Next) -> Response {
    if let Err(fault) = service.gate.check_names(request.uri(), request.headers()) {
        return fault.response(request.uri().path());
    }
    let origin = service.gate.allowed_origin(request.headers()).cloned();
    let asks_first = request.method() == Method::OPTIONS && origin.is_some();
    let mut response = match asks_first {
        true => preflight(),
        false => next.run(request).await,
    };
    if let Some(origin) = origin {
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let exposed = HeaderValue::from_static("retry-after, server-timing");
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        headers.insert(VARY, HeaderValue::from_static("origin"));
    }
    response
}

/// The answer to a browser that asks on behalf of an allowed page what it may do.
fn preflight() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
        (
            ACCESS_CONTROL_ALLOW_HEADERS,
            "accept, authorization, content-type",
        ),
        (ACCESS_CONTROL_MAX_AGE, "600"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Counts, logs, and gives every response the headers that all have.
async fn observe(State(service): App, request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let method = request.method().clone();
    let endpoint = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    // What a client made up is not a name that metrics and logs are to have.
    let endpoint = endpoint.as_ref().map_or("other", MatchedPath::as_str);
    let status = response.status().as_u16();
    service.metrics.request(endpoint, status, begin.elapsed());
    if let Some(FaultKind(kind)) = response.extensions().get() {
        service.metrics.fault(kind);
    }
    service.log(method.as_str(), endpoint, status, begin);
    let headers = response.headers_mut();
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("x-frame-options"), "DENY"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        let name = HeaderName::from_static("cross-origin-resource-policy");
        headers.insert(name, HeaderValue::from_static("same-origin"));
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}
