//! A request's pictures through the network.

use std::sync::Arc;

use axum::response::Response;
use candle_core::{Device, Tensor};
use mobilenet::dataset::Input;
use mobilenet::pixels::Pixels;

use super::request::{Content, InferRequest, Wish};
use super::response::{EMBEDDING, Output, SCORES, Values, respond};
use crate::cli::advice::picture_error;
use crate::cli::serve::asking::failure;
use crate::cli::serve::fault::{Fault, status_of};
use crate::cli::serve::service::Service;
use crate::cli::serve::workers::{Outcome, Places, outcome};

/// Pictures that go through the network in one piece of work, so that others come in between.
const TOGETHER: usize = 8;

/// What the network makes of some pictures.
#[derive(Default)]
struct Found {
    /// Of all classes, a list a picture.
    scores: Vec<Vec<f32>>,
    embeddings: Vec<Vec<f32>>,
}

/// What of it is wanted.
#[derive(Clone, Copy)]
struct Wanted {
    scores: bool,
    embeddings: bool,
}

/// Answers a request.
///
/// # Errors
/// Outputs that there are not, pictures that can't be read, no room, a failure of the network.
pub async fn run(service: Arc<Service>, request: InferRequest) -> Result<Response, Fault> {
    let InferRequest {
        id,
        content,
        count,
        mut wishes,
        binary_by_default,
    } = request;
    if wishes.is_empty() {
        wishes.push(Wish {
            name: SCORES.into(),
            binary: binary_by_default,
            classification: None,
        });
    }
    check(&wishes)?;
    let wanted = Wanted {
        scores: wishes.iter().any(|wish| wish.name == SCORES),
        embeddings: wishes.iter().any(|wish| wish.name == EMBEDDING),
    };
    let places = service.workers.reserve(count)?;
    let work = match content {
        Content::Files(files) => ask_of_files(&service, &places, files, wanted),
        Content::Pixels(bytes) => ask_of_pixels(&service, &places, &bytes, wanted),
        Content::Scaled(values) => ask_of_scaled(&service, &places, &values, wanted),
    };
    drop(places);
    let mut found = Found::default();
    for part in work {
        let part = outcome(part).await?;
        found.scores.extend(part.scores);
        found.embeddings.extend(part.embeddings);
    }
    service.metrics.pictures_answered(count);
    let outputs = wishes
        .into_iter()
        .map(|wish| output(&service, &found, wish));
    let outputs: Vec<Output> = outputs.collect();
    respond(&service.name, id.as_deref(), &outputs)
}

/// Refuses outputs that there are not.
fn check(wishes: &[Wish]) -> Result<(), Fault> {
    for wish in wishes {
        let name = &wish.name;
        if name != SCORES && name != EMBEDDING {
            return Err(Fault::request(format!(
                "{name}: there is no such output; there are {SCORES} and {EMBEDDING}"
            )));
        }
        if wish.classification.is_some() && name != SCORES {
            return Err(Fault::request(format!(
                "{name}: classification is for {SCORES}"
            )));
        }
    }
    Ok(())
}

fn output(service: &Service, found: &Found, wish: Wish) -> Output {
    let values = match wish.name.as_str() {
        EMBEDDING => &found.embeddings,
        _ => &found.scores,
    };
    let Some(top_k) = wish.classification else {
        return Output {
            shape: vec![values.len(), values.first().map_or(0, Vec::len)],
            values: Values::Numbers(values.concat()),
            wish,
        };
    };
    // Triton's words for a class: score, index and label.
    let classes = service.classifier.labels().classes();
    let top_k = top_k.min(classes.len());
    let texts = values.iter().flat_map(|scores| {
        let outputs = mobilenet::top_outputs(scores, top_k, f32::NEG_INFINITY);
        let text =
            |output: usize| format!("{:.6}:{output}:{}", scores[output], classes[output].label);
        outputs.into_iter().map(text)
    });
    Output {
        shape: vec![values.len(), top_k],
        values: Values::Texts(texts.collect()),
        wish,
    }
}

/// Files are decoded each by itself.
fn ask_of_files(
    service: &Arc<Service>,
    places: &Places,
    files: Vec<Vec<u8>>,
    wanted: Wanted,
) -> Vec<Outcome<Found>> {
    let ask = |(number, file): (usize, Vec<u8>)| {
        let sharing = service.clone();
        let work = move || of_file(&sharing, number, file, wanted);
        service.workers.run(places.clone(), work)
    };
    files.into_iter().enumerate().map(ask).collect()
}

fn of_file(
    service: &Service,
    number: usize,
    file: Vec<u8>,
    wanted: Wanted,
) -> Result<Found, Fault> {
    let input = Input::bytes(number.to_string(), file);
    let look = service.scores.pipeline().look(&input).map_err(failure)?;
    let look = look.map_err(|error| {
        service.count(Some(&error));
        let message = format!("picture {number}: {}", picture_error(&error));
        Fault::new(status_of(Some(&error)), "picture", message)
    })?;
    let mut found = Found::default();
    if wanted.embeddings {
        let pixels: [Pixels; 1] = [look.pixels];
        let embeddings = service.embedder.embeddings_of_inputs(&pixels);
        found.embeddings = embeddings.map_err(failure)?;
    }
    if wanted.scores {
        found.scores = vec![look.values];
    }
    Ok(found)
}

fn ask_of_pixels(
    service: &Arc<Service>,
    places: &Places,
    bytes: &[u8],
    wanted: Wanted,
) -> Vec<Outcome<Found>> {
    let size = service.size();
    let of_one = 3 * size * size;
    let ask = |bytes: &[u8]| {
        let shape = (bytes.len() / of_one, size, size, 3);
        let (sharing, bytes) = (service.clone(), bytes.to_vec());
        let work = move || {
            let pixels = Tensor::from_vec(bytes, shape, &Device::Cpu).map_err(failure)?;
            of_tensor(&sharing, &pixels, wanted)
        };
        service.workers.run(places.clone(), work)
    };
    bytes.chunks(TOGETHER * of_one).map(ask).collect()
}

fn ask_of_scaled(
    service: &Arc<Service>,
    places: &Places,
    values: &[f32],
    wanted: Wanted,
) -> Vec<Outcome<Found>> {
    let size = service.size();
    let of_one = 3 * size * size;
    let ask = |values: &[f32]| {
        let shape = (values.len() / of_one, 3, size, size);
        let (sharing, values) = (service.clone(), values.to_vec());
        let work = move || {
            let pixels = Tensor::from_vec(values, shape, &Device::Cpu).map_err(failure)?;
            of_tensor(&sharing, &pixels, wanted)
        };
        service.workers.run(places.clone(), work)
    };
    values.chunks(TOGETHER * of_one).map(ask).collect()
}

fn of_tensor(service: &Service, pixels: &Tensor, wanted: Wanted) -> Result<Found, Fault> {
    let mut found = Found::default();
    if wanted.scores {
        let scores = service.classifier.scores_of_tensor(pixels);
        found.scores = scores.map_err(failure)?;
    }
    if wanted.embeddings {
        let embeddings = service.embedder.embeddings_of_tensor(pixels);
        found.embeddings = embeddings.map_err(failure)?;
    }
    Ok(found)
}
