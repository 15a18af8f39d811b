//! `/v1/classify`, `/v1/embed`, `/v1/similar`: a row for each picture of a request.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use mobilenet::dataset::Input;
use mobilenet::error::ImageError;
use mobilenet::pipeline::Answer;
use mobilenet::rows::{ErrorKeys, PathKeys, PredictionRow};
use mobilenet::similarity::{Nearest, normalise};
use mobilenet::{Classifier, Head, Prediction};
use serde::Serialize;

use super::asking::Asking;
use super::fault::{Fault, JSON, status_of};
use super::parameters::Parameters;
use super::rows::{Rows, wants_lines};
use super::service::{Service, Timing};
use super::uploads::Uploads;
use super::workers::{Outcome, outcome};
use crate::cli::options::Provenance;
use crate::cli::output::{EmbeddingObject, Row, error_keys, prediction_row};

/// How long the parts of an answer took, which browsers show.
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// A picture's answer as it is sent.
pub struct Rendered {
    /// A JSON object.
    pub json: Vec<u8>,
    error: Option<ImageError>,
    timing: Timing,
}

/// What the rows of a request are to be like.
trait Rendering: Send + Sync + 'static {
    /// The row of an answer, a JSON object.
    fn render(&self, service: &Service, answer: &Answer) -> serde_json::Result<Vec<u8>>;
}

/// `POST /v1/classify`
pub async fn classify(service: Arc<Service>, parts: Parts, body: Body) -> Result<Response, Fault> {
    let mut parameters = Parameters::of(&parts.uri)?;
    let rendering = Labels::take(&mut parameters, &service)?;
    answer(service, parts, body, parameters, rendering, |service| {
        &service.scores
    })
    .await
}

/// `POST /v1/embed`
pub async fn embed(service: Arc<Service>, parts: Parts, body: Body) -> Result<Response, Fault> {
    let mut parameters = Parameters::of(&parts.uri)?;
    let rendering = Embedding {
        normalise: parameters.wish("normalize")?,
        provenance: parameters.wish("provenance")?,
    };
    answer(service, parts, body, parameters, rendering, |service| {
        &service.embeddings
    })
    .await
}

/// `POST /v1/similar`
pub async fn similar(service: Arc<Service>, parts: Parts, body: Body) -> Result<Response, Fault> {
    if service.index.is_none() {
        return Err(Fault::not_found(
            "there is no album to compare with: mobilenet serve --index ALBUM.safetensors",
        ));
    }
    let mut parameters = Parameters::of(&parts.uri)?;
    let rendering = Neighbours {
        most: parameters.value("k", "a number")?.unwrap_or(5),
        least: parameters.probability("threshold")?.unwrap_or(0.0),
    };
    answer(service, parts, body, parameters, rendering, |service| {
        &service.embeddings
    })
    .await
}

/// Answers the pictures of a request: one as an object, several as an array, or either as lines where
/// the client accepts those.
async fn answer(
    service: Arc<Service>,
    parts: Parts,
    body: Body,
    mut parameters: Parameters,
    rendering: impl Rendering,
    asking: fn(&Service) -> &Asking,
) -> Result<Response, Fault> {
    let name = parameters.text("name")?;
    parameters.finish()?;
    let most = service.workers.capacity();
    let uploads = Uploads::read(&service.bodies, most, &parts, body, name).await?;
    let places = service.workers.reserve(uploads.inputs.len())?;
    let rendering = Arc::new(rendering);
    let received = Instant::now();
    let ask = |input: Input| -> Outcome<Rendered> {
        let (rendering, held) = (rendering.clone(), uploads.held.clone());
        let sharing = service.clone();
        let then = move |answer: Answer, begun: Instant| {
            drop(held);
            rendered(&*rendering, &sharing, answer, Timing { received, begun })
        };
        asking(&service).answer(&service.workers, places.clone(), input, then)
    };
    let asked: Vec<_> = uploads.inputs.into_iter().map(ask).collect();
    drop(places);
    if wants_lines(&parts.headers) {
        return Ok(Rows::lines(asked));
    }
    if uploads.is_form {
        return Rows::array(asked).await;
    }
    let Some(only) = asked.into_iter().next() else {
        return Err(Fault::internal("no picture"));
    };
    let Rendered {
        json,
        error,
        timing,
    } = outcome(only).await?;
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = status_of(error.as_ref());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    if let Ok(timing) = HeaderValue::try_from(timing.header()) {
        headers.insert(SERVER_TIMING, timing);
    }
    Ok(response)
}

fn rendered(
    rendering: &impl Rendering,
    service: &Service,
    answer: Answer,
    timing: Timing,
) -> Rendered {
    service.count(answer.values.as_ref().err());
    // Numbers, text and lists of them always are JSON.
    let json = rendering.render(service, &answer).unwrap_or_default();
    Rendered {
        json,
        error: answer.values.err(),
        timing,
    }
}

/// The row of a picture's labels.
struct Labels {
    top_k: usize,
    threshold: Option<f32>,
    /// The most specific group of this probability in place of labels.
    rollup: Option<f32>,
    /// The same beside the labels.
    group: Option<f32>,
    provenance: bool,
}

#[derive(Serialize)]
struct WithGroup<'a> {
    #[serde(flatten)]
    row: PredictionRow<'a, Provenance>,
    group: Option<&'a Prediction>,
}

impl Labels {
    fn take(parameters: &mut Parameters, service: &Service) -> Result<Self, Fault> {
        let top_k = parameters.value("k", "a number")?;
        let labels = Self {
            threshold: parameters.probability("threshold")?,
            rollup: parameters.probability("rollup")?,
            group: parameters.probability("group")?,
            provenance: parameters.wish("provenance")?,
            top_k: top_k.unwrap_or(5),
        };
        if labels.rollup.is_some()
            && (top_k.is_some() || labels.threshold.is_some() || labels.group.is_some())
        {
            return Err(Fault::request(
                "rollup is in place of k, threshold and group",
            ));
        }
        if service.rollup.is_none() && (labels.rollup.is_some() || labels.group.is_some()) {
            return Err(Fault::request(match service.classifier.head() {
                Head::Softmax => "groups are of ImageNet's classes, and the network has others",
                _ => "groups add up probabilities that share out 1, and this network's do not",
            }));
        }
        Ok(labels)
    }

    fn group_of(service: &Service, scores: &[f32], least: f32) -> Option<Prediction> {
        let group = service.rollup.as_ref()?.of(scores, least)?;
        Some(Prediction {
            index: group.index,
            wnid: Some(group.wnid.to_owned()),
            label: group.label.to_owned(),
            score: group.score,
        })
    }

    fn predictions(&self, service: &Service, scores: &[f32], order: &[f32]) -> Vec<Prediction> {
        let classifier: &Classifier = &service.classifier;
        match self.rollup {
            Some(least) => Self::group_of(service, scores, least).into_iter().collect(),
            None => classifier.top_in_order(scores, order, self.top_k, self.threshold),
        }
    }
}

impl Rendering for Labels {
    fn render(&self, service: &Service, answer: &Answer) -> serde_json::Result<Vec<u8>> {
        let scores = answer.values.as_deref();
        let predictions = scores.map(|scores| self.predictions(service, scores, &answer.order));
        let row = prediction_row(&Row {
            name: &answer.name,
            answer: predictions.as_deref().map_err(|error| *error),
            provenance: self.provenance.then_some(&service.provenance),
            preview: answer.preview,
        });
        let Some(least) = self.group else {
            return serde_json::to_vec(&row);
        };
        let group = scores
            .ok()
            .and_then(|scores| Self::group_of(service, scores, least));
        let group = group.as_ref();
        serde_json::to_vec(&WithGroup { row, group })
    }
}

/// The row of a picture's embedding.
struct Embedding {
    normalise: bool,
    provenance: bool,
}

impl Rendering for Embedding {
    fn render(&self, service: &Service, answer: &Answer) -> serde_json::Result<Vec<u8>> {
        let mut values = answer.values.clone();
        if let (Ok(values), true) = (&mut values, self.normalise) {
            normalise(values);
        }
        serde_json::to_vec(&EmbeddingObject::of(&Row {
            name: &answer.name,
            answer: values.as_deref(),
            provenance: self.provenance.then_some(&service.provenance),
            preview: answer.preview,
        }))
    }
}

/// The row of the pictures of the album that are most like one.
struct Neighbours {
    most: usize,
    least: f32,
}

#[derive(Serialize)]
struct NeighboursObject<'a> {
    #[serde(flatten)]
    path: PathKeys<'a>,
    similar: Vec<Neighbour<'a>>,
    error: Option<ErrorKeys<'a>>,
}

#[derive(Serialize)]
struct Neighbour<'a> {
    #[serde(flatten)]
    path: PathKeys<'a>,
    similarity: f32,
}

impl Rendering for Neighbours {
    fn render(&self, service: &Service, answer: &Answer) -> serde_json::Result<Vec<u8>> {
        let mut similar = Vec::new();
        if let (Ok(embedding), Some(index)) = (&answer.values, &service.index) {
            let mut nearest = Nearest::new(embedding.clone(), self.most, self.least);
            for (name, other) in index.rows() {
                if let Some(other) = other {
                    nearest.offer(other, || name);
                }
            }
            let found = nearest.found().into_iter();
            similar.extend(found.map(|(similarity, name)| Neighbour {
                path: PathKeys::of(name),
                similarity,
            }));
        }
        serde_json::to_vec(&NeighboursObject {
            path: PathKeys::of(&answer.name),
            similar,
            error: answer.values.as_ref().err().map(error_keys),
        })
    }
}
