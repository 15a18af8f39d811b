//! What Prometheus reads: requests, failures by kind, how long answers took, pictures, the queue.

use std::time::Duration;

use mobilenet::error::ImageErrorKind;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Seconds, from a small network's answer to a queue that is too long.
const BUCKETS: [f64; 13] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0,
];

/// The media type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The numbers, and their names.
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    faults: Family<Kind, Counter>,
    seconds: Family<Endpoint, Histogram>,
    pictures: Family<Kind, Counter>,
    queue: Gauge,
    /// How many connections are open.
    pub connections: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    endpoint: String,
    status: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Endpoint {
    endpoint: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

impl Metrics {
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("mobilenet");
        let histogram = || Histogram::new(BUCKETS);
        let metrics = Self {
            requests: Family::default(),
            faults: Family::default(),
            seconds: Family::new_with_constructor(histogram),
            pictures: Family::default(),
            queue: Gauge::default(),
            connections: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register(
            "requests",
            "Requests by endpoint and status",
            metrics.requests.clone(),
        );
        registry.register(
            "request_failures",
            "Requests that were refused or failed, by kind",
            metrics.faults.clone(),
        );
        registry.register_with_unit(
            "request_duration",
            "Time from a request's head to its answer's",
            Unit::Seconds,
            metrics.seconds.clone(),
        );
        registry.register(
            "pictures",
            "Pictures by what became of them: answered, or the kind of their error",
            metrics.pictures.clone(),
        );
        registry.register(
            "pictures_in_progress",
            "Pictures that are waiting or being answered",
            metrics.queue.clone(),
        );
        registry.register(
            "connections",
            "Open connections",
            metrics.connections.clone(),
        );
        // So that a rate is 0 and not missing before the first one.
        for kind in ["answered", "decode", "limit"] {
            drop(metrics.pictures.get_or_create(&Kind { kind }));
        }
        Self {
            registry,
            ..metrics
        }
    }

    /// Counts a request to an endpoint, which is one of a few and not what a client named.
    pub fn request(&self, endpoint: &str, status: u16, took: Duration) {
        let endpoint = endpoint.to_owned();
        let status = status.into();
        let seconds = self.seconds.get_or_create(&Endpoint {
            endpoint: endpoint.clone(),
        });
        seconds.observe(took.as_secs_f64());
        let request = Request { endpoint, status };
        self.requests.get_or_create(&request).inc();
    }

    /// Counts a request that has no answer.
    pub fn fault(&self, kind: &'static str) {
        self.faults.get_or_create(&Kind { kind }).inc();
    }

    /// Counts a picture: one that was answered, or why it was not.
    pub fn picture(&self, error: Option<ImageErrorKind>) {
        let kind = match error {
            None => "answered",
            Some(ImageErrorKind::Decode) => "decode",
            Some(ImageErrorKind::Limit) => "limit",
            Some(_) => "other",
        };
        self.pictures.get_or_create(&Kind { kind }).inc();
    }

    /// Counts pictures that came as tensors, and were answered.
    pub fn pictures_answered(&self, count: usize) {
        let kind = Kind { kind: "answered" };
        self.pictures.get_or_create(&kind).inc_by(count as u64);
    }

    /// All of them, with so many pictures in progress.
    ///
    /// # Errors
    /// None that is known.
    pub fn text(&self, in_progress: usize) -> Result<String, std::fmt::Error> {
        self.queue
            .set(i64::try_from(in_progress).unwrap_or(i64::MAX));
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
