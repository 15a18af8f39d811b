//! `/v1/explain`: where in a picture a class is seen, as numbers or drawn.

use std::sync::Arc;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::Response;
use mobilenet::dataset::Input;

use super::asking::failure;
use super::fault::{Fault, JSON, status_of};
use super::parameters::Parameters;
use super::rows::accepts;
use super::service::Service;
use super::uploads::Uploads;
use super::workers::outcome;
use crate::cli::explain::{Object, Wanted};

/// More classes than anybody looks at, each with a map of its own.
const MOST_CLASSES: usize = 100;

/// `POST /v1/explain`
pub async fn explain(service: Arc<Service>, parts: Parts, body: Body) -> Result<Response, Fault> {
    let explaining = service.explaining.as_ref();
    let explaining = explaining.map_err(|reason| Fault::not_found(reason.clone()))?;
    let mut parameters = Parameters::of(&parts.uri)?;
    let names = parameters.all("class");
    let top_k: Option<usize> = parameters.value("k", "a number")?;
    let max_side: Option<usize> = parameters.value("max_side", "pixels")?;
    let name = parameters.text("name")?;
    parameters.finish()?;
    if top_k.is_some() && !names.is_empty() {
        return Err(Fault::request(
            "k is for the most probable classes, and class names others",
        ));
    }
    if top_k.unwrap_or(1).max(names.len()) > MOST_CLASSES || top_k == Some(0) {
        return Err(Fault::request(format!(
            "from 1 to {MOST_CLASSES} classes can be explained at once"
        )));
    }
    if max_side.is_some_and(|side| !(16..=8192).contains(&side)) {
        return Err(Fault::request("max_side is from 16 to 8192 pixels"));
    }
    let wanted = match names.as_slice() {
        [] => Wanted::Top(top_k.unwrap_or(1)),
        names => {
            let outputs = explaining.outputs(names, "class=");
            Wanted::Outputs(outputs.map_err(|error| Fault::request(format!("{error:#}")))?)
        }
    };
    let uploads = Uploads::read(&service.bodies, 1, &parts, body, name).await?;
    let places = service.workers.reserve(1)?;
    let as_picture = accepts(&parts.headers, &["image/png"]);
    let sharing = service.clone();
    let Some(input) = uploads.inputs.into_iter().next() else {
        return Err(Fault::internal("no picture"));
    };
    let held = uploads.held;
    let work = move || {
        let response = respond(&sharing, &input, &wanted, as_picture, max_side);
        drop(held);
        response
    };
    outcome(service.workers.run(places, work)).await
}

fn respond(
    service: &Service,
    input: &Input,
    wanted: &Wanted,
    as_picture: bool,
    max_side: Option<usize>,
) -> Result<Response, Fault> {
    let Ok(explaining) = &service.explaining else {
        return Err(Fault::internal("it can't be explained"));
    };
    let answer = explaining.answer(input, wanted).map_err(failure)?;
    service.count(answer.as_ref().err());
    let (body, media_type) = match &answer {
        Ok(answer) if as_picture => {
            let png = answer.draw(max_side).map_err(failure)?;
            (png, HeaderValue::from_static("image/png"))
        }
        _ => {
            let object = Object::of(&input.name, answer.as_ref());
            (serde_json::to_vec(&object).map_err(failure)?, JSON)
        }
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status_of(answer.as_ref().err());
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    Ok(response)
}
