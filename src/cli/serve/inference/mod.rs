//! The Open Inference Protocol over HTTP (KServe's V2, Triton's), with the extension of binary tensors.
//!
//! The network is one model. It takes pixels `[N, H, W, 3]` in UINT8 that have its size already, the same
//! `[N, 3, H, W]` in FP32 or FP16 scaled as it takes them, or the files of pictures `[N]` in BYTES, which
//! are decoded and resized as everywhere.

mod numbers;
mod request;
mod response;
mod run;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};

use self::request::{IMAGE, InferRequest, PIXELS, SCALED};
use self::response::{EMBEDDING, SCORES};
use super::fault::Fault;
use super::parameters::Parameters;
use super::routes::{answer, json_response};
use super::service::Service;

/// The one version that there is.
const VERSION: &str = "1";

type App = State<Arc<Service>>;
/// A model's name, and perhaps a version.
type Named = Path<Vec<(String, String)>>;

/// What answers of the network, or about it.
pub fn routes() -> Router<Arc<Service>> {
    let mut routes = Router::new().route("/v2", get(server));
    for base in [
        "/v2/models/{model}",
        "/v2/models/{model}/versions/{version}",
    ] {
        routes = routes
            .route(base, get(metadata))
            .route(&format!("{base}/config"), get(config))
            .route(
                &format!("{base}/infer"),
                post(async |app: App, named: Named, request: Request| {
                    answer(app, request, async |service, parts, body| {
                        check_name(&service, &named.0)?;
                        infer(service, parts, body).await
                    })
                    .await
                }),
            );
    }
    routes
}

/// What tells whether it is there.
pub fn health() -> Router<Arc<Service>> {
    let mut routes = Router::new()
        .route("/v2/health/live", get(|| async { told("live", true) }))
        .route(
            "/v2/health/ready",
            get(async |State(service): App| told("ready", service.is_ready())),
        );
    for base in [
        "/v2/models/{model}",
        "/v2/models/{model}/versions/{version}",
    ] {
        routes = routes.route(&format!("{base}/ready"), get(ready));
    }
    routes
}

/// One client looks at the status, another one at the body.
fn told(what: &str, is_so: bool) -> Response {
    let status = match is_so {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    json_response(status, &json!({ what: is_so }))
}

/// Refuses another model's name, or a version that there is not.
fn check_name(service: &Service, named: &[(String, String)]) -> Result<(), Fault> {
    for (what, value) in named {
        let expected = match what.as_str() {
            "model" => service.name.as_str(),
            _ => VERSION,
        };
        if value != expected {
            return Err(Fault::not_found(format!(
                "there is no {what} {value:?} here: it is {expected:?}"
            )));
        }
    }
    Ok(())
}

async fn ready(State(service): App, Path(named): Named) -> Response {
    match check_name(&service, &named) {
        Ok(()) => {
            let is_ready = service.is_ready();
            let status = match is_ready {
                true => StatusCode::OK,
                false => StatusCode::SERVICE_UNAVAILABLE,
            };
            json_response(status, &json!({ "name": service.name, "ready": is_ready }))
        }
        Err(fault) => fault.response("/v2"),
    }
}

async fn server() -> Response {
    let extensions = ["binary_tensor_data", "classification"];
    json_response(
        StatusCode::OK,
        &json!({
            "name": "mobilenet",
            "version": env!("CARGO_PKG_VERSION"),
            "extensions": extensions,
        }),
    )
}

async fn metadata(State(service): App, Path(named): Named) -> Response {
    match check_name(&service, &named) {
        Ok(()) => json_response(StatusCode::OK, &described(&service)),
        Err(fault) => fault.response("/v2"),
    }
}

/// The tensors that it takes, of which a request has one, and those that it gives.
fn described(service: &Service) -> Value {
    let size = service.size();
    let classes = service.classifier.labels().classes().len();
    json!({
        "name": service.name,
        "versions": [VERSION],
        "platform": "mobilenet",
        "inputs": [
            { "name": IMAGE, "datatype": "BYTES", "shape": [-1] },
            { "name": PIXELS, "datatype": "UINT8", "shape": [-1, size, size, 3] },
            { "name": SCALED, "datatype": "FP32", "shape": [-1, 3, size, size] },
        ],
        "outputs": [
            { "name": SCORES, "datatype": "FP32", "shape": [-1, classes] },
            { "name": EMBEDDING, "datatype": "FP32", "shape": [-1, service.embedding_len()] },
        ],
        "parameters": {
            "pixel_scale": service.classifier.network().pixel_scale(),
        },
    })
}

/// In the words of Triton's model configuration, as far as there is something to say.
async fn config(State(service): App, Path(named): Named) -> Response {
    if let Err(fault) = check_name(&service, &named) {
        return fault.response("/v2");
    }
    let described = described(&service);
    let tensors = |key: &str| -> Vec<Value> {
        let listed = described[key]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let tensor = |tensor: &Value| {
            let datatype = match tensor["datatype"].as_str() {
                Some("BYTES") => "TYPE_STRING".into(),
                other => format!("TYPE_{}", other.unwrap_or_default()),
            };
            // Without the first one, which is that of the batch.
            let dims = tensor["shape"]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default();
            let dims = dims.get(1..).unwrap_or_default();
            let dims = if dims.is_empty() {
                vec![json!(1)]
            } else {
                dims.to_vec()
            };
            json!({
                "name": tensor["name"],
                "data_type": datatype,
                "dims": dims,
                "optional": key == "inputs",
            })
        };
        listed.iter().map(tensor).collect()
    };
    let config = json!({
        "name": service.name,
        "platform": "mobilenet",
        "max_batch_size": service.workers.capacity(),
        "input": tensors("inputs"),
        "output": tensors("outputs"),
    });
    json_response(StatusCode::OK, &config)
}

async fn infer(service: Arc<Service>, parts: Parts, body: Body) -> Result<Response, Fault> {
    Parameters::of(&parts.uri)?.finish()?;
    let received = service.bodies.read(&parts.headers, body).await?;
    let (bytes, held) = received.into_parts();
    // JSON of many numbers takes longer to read than a picture to classify.
    let size = service.size();
    let headers = parts.headers;
    let places = service.workers.reserve(1)?;
    let parsing = service
        .workers
        .run(places, move || InferRequest::read(&headers, &bytes, size));
    let request = super::workers::outcome(parsing).await?;
    let answer = run::run(service, request).await;
    drop(held);
    answer
}
