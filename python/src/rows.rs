//! `Rows`: what `Classifier.classify` gives.

use std::borrow::Cow;
use std::sync::Arc;

use mobilenet::Classifier;
use mobilenet::error::{ImageError, ImageLimit};
use mobilenet::pipeline::{Answer, Pipeline};
use mobilenet::rows::{ErrorKeys, PathKeys, PredictionRow};
use pyo3::prelude::*;

use crate::json;
use crate::run::Run;

/// The rows of pictures, in their order, as they come: an iterator.
#[pyclass(frozen, module = "mobilenet")]
pub struct Rows(Run<PyResult<Vec<u8>>>);

impl Rows {
    pub fn start(
        classifier: Arc<Classifier>,
        pipeline: Arc<Pipeline>,
        paths: &Bound<'_, PyAny>,
        top: usize,
        threshold: Option<f32>,
    ) -> PyResult<Self> {
        let row = move |answer: Answer| {
            let predictions = answer
                .values
                .as_ref()
                .map(|scores| classifier.top_in_order(scores, &answer.order, top, threshold));
            let row: PredictionRow = PredictionRow {
                path: PathKeys::of(&answer.name),
                predictions: predictions.as_deref().unwrap_or_default(),
                error: predictions.as_ref().err().map(|error| error_keys(error)),
                model: None,
                preview: None,
            };
            json::text(&row)
        };
        Run::start(pipeline, paths, row).map(Self)
    }
}

#[pymethods]
impl Rows {
    fn __iter__(this: Bound<'_, Self>) -> Bound<'_, Self> {
        this
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let row = self.0.next(py)?;
        row.map(|text| json::value(py, &text?)).transpose()
    }

    /// Ends the run: no more pictures are looked at.
    fn close(&self) {
        self.0.cancel();
    }
}

/// Why a picture has no answer, with the argument that would let it have one.
fn error_keys(error: &ImageError) -> ErrorKeys<'_> {
    let argument = match error.limit {
        Some(ImageLimit::Pixels) => Some("max_pixels"),
        Some(ImageLimit::FileSize) => Some("max_file_size"),
        _ => None,
    };
    let message = match argument {
        Some(argument) => Cow::Owned(format!("{}; {argument} raises it", error.message)),
        None => Cow::Borrowed(error.message.as_str()),
    };
    ErrorKeys {
        kind: error.kind,
        message,
    }
}
