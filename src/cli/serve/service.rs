//! What answers requests: a network, its threads, and what is counted.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Result, ensure};
use mobilenet::error::ImageError;
use mobilenet::labels::wordnet::Rollup;
use mobilenet::{Classifier, Embedder, Head};
use serde_json::{Value, json};

use super::asking::Asking;
use super::bodies::Bodies;
use super::gate::Gate;
use super::metrics::Metrics;
use super::options::ServiceOptions;
use super::workers::Workers;
use crate::cli::explain::Explaining;
use crate::cli::options::{LabelOptions, OpenedNetwork, Provenance};
use crate::cli::similar::comparable;
use crate::cli::stored_embeddings::StoredEmbeddings;
use crate::cli::{Global, note};

/// Everything that requests share.
pub struct Service {
    /// What the network is called in addresses.
    pub name: String,
    pub classifier: Arc<Classifier>,
    pub embedder: Arc<Embedder>,
    pub provenance: Provenance,
    /// The groups of its classes, where those are ImageNet's.
    pub rollup: Option<Rollup>,
    /// None where the checkpoint can't be explained; why not.
    pub explaining: Result<Explaining, String>,
    pub scores: Asking,
    pub embeddings: Asking,
    pub index: Option<StoredEmbeddings>,
    pub workers: Workers,
    pub bodies: Bodies,
    pub gate: Gate,
    pub metrics: Metrics,
    /// It was asked to stop, and takes no more requests.
    is_stopping: AtomicBool,
    /// A line on stderr for each request.
    is_verbose: bool,
}

impl Service {
    /// Builds the network and starts the threads.
    ///
    /// # Errors
    /// A network or an index that can't be had, or are not of one another.
    pub fn start(
        options: &ServiceOptions,
        gate: Gate,
        network: &OpenedNetwork,
        labels: &LabelOptions,
        global: Global,
    ) -> Result<Self> {
        let index = options.index.clone().map(|path| open_index(path, network));
        let index = index.transpose()?;
        let classifier = network.classifier(labels)?;
        let threads = network.running.threads;
        let embedder = Arc::new(classifier.embedder().clone());
        let is_on_cpu = classifier.network().device().is_cpu();
        let in_batches = !is_on_cpu || network.running.batch_size.is_some_and(|size| size > 1);
        let rollup = Rollup::new(classifier.labels());
        let sums_up = classifier.head() == Head::Softmax && !rollup.is_empty();
        let explaining = Explaining::new(network, classifier.clone());
        let classifier = Arc::new(classifier);
        Ok(Self {
            name: options.name.clone(),
            provenance: network.provenance(),
            rollup: sums_up.then_some(rollup),
            explaining: explaining.map_err(|error| error.to_string()),
            scores: Asking::new(network.pipeline(classifier.clone()), in_batches)?,
            embeddings: Asking::new(network.pipeline(embedder.clone()), in_batches)?,
            embedder,
            classifier,
            index,
            workers: Workers::start(threads, options.queue.into())?,
            bodies: Bodies::new(options.max_body),
            gate,
            metrics: Metrics::new(),
            is_stopping: AtomicBool::new(false),
            is_verbose: global.verbose,
        })
    }

    /// How many values a picture's embedding has.
    pub fn embedding_len(&self) -> usize {
        self.embedder.network().config().embedding_len()
    }

    /// Width and height of the network's input in pixels.
    pub fn size(&self) -> usize {
        self.classifier.preprocessing().size
    }

    /// What `GET /v1/model` tells.
    pub fn description(&self) -> Value {
        json!({
            "name": self.name,
            "classes": self.classifier.labels().classes().len(),
            "size": self.size(),
            "embedding": self.embedding_len(),
            "rollup": self.rollup.is_some(),
            "explain": self.explaining.is_ok(),
            "index": self.index.is_some(),
            "max_body": self.bodies.largest,
            "max_pictures": self.workers.capacity(),
            "model": self.provenance,
        })
    }

    /// From now on it is not ready for more.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Whether it takes requests.
    pub fn is_ready(&self) -> bool {
        !self.is_stopping.load(Ordering::Relaxed)
    }

    /// Counts what became of a picture.
    pub fn count(&self, error: Option<&ImageError>) {
        self.metrics.picture(error.map(|error| error.kind));
    }

    /// Says on stderr what was asked and how long it took; nothing of pictures, nor their names.
    pub fn log(&self, method: &str, path: &str, status: u16, begin: Instant) {
        if self.is_verbose {
            let milliseconds = begin.elapsed().as_secs_f64() * 1e3;
            note(&format!("{method} {path} {status} {milliseconds:.1} ms"));
        }
    }
}

/// Embeddings that pictures are compared with.
fn open_index(path: PathBuf, network: &OpenedNetwork) -> Result<StoredEmbeddings> {
    let index = StoredEmbeddings::open(path)?;
    comparable(Some(network), std::slice::from_ref(&index))?;
    let named = index.path.display();
    ensure!(
        index.rows().any(|(_, embedding)| embedding.is_some()),
        "{named}: no picture in it has an embedding"
    );
    if !index.is_complete {
        note(&format!(
            "{named}: the run that wrote it was stopped: pictures are missing"
        ));
    }
    Ok(index)
}

/// Milliseconds of each part of an answer, for `Server-Timing`.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// When the picture was there.
    pub received: Instant,
    /// When a thread began with it.
    pub begun: Instant,
}

impl Timing {
    /// The value of the header.
    pub fn header(self) -> String {
        let queue = (self.begun - self.received).as_secs_f64() * 1e3;
        let work = self.begun.elapsed().as_secs_f64() * 1e3;
        format!("queue;dur={queue:.2}, work;dur={work:.2}")
    }
}
