//! `Classifier`: a network with its labels, ready for pictures.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;

use mobilenet::device::OpenedDevice;
use mobilenet::error::ImageError;
use mobilenet::model::Precision;
use mobilenet::pipeline::{Answer, Model, Pipeline};
use mobilenet::pixels::DecodeOptions;
use mobilenet::weights::{Checkpoint, LoadOptions};
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::arrays::{Matrix, Pictures};
use crate::errors::raised;
use crate::options::{self, LabelNames};
use crate::rows::Rows;
use crate::run::Run;
use crate::{fork, json};

/// A network with its labels.
///
/// weights: a checkpoint of any kind that the program's --weights takes.
/// device: auto, cpu, cuda, cuda:N or metal, as far as this build has them.
/// threads: how many work [default: one for each core].
/// dtype: what to compute in [default: f32, and the integers of a quantised file on CPUs].
/// batch_size: how many pictures go through the network together.
/// labels: the classes' names, or a file of them [default: the checkpoint's].
/// size: the side of the network's input, where the checkpoint leaves it open.
/// exif: turn pictures as EXIF says.
/// full_decode: decode large JPEGs at their full size.
/// background: the colour behind transparent pixels, (R, G, B) [default: their alpha is dropped].
/// max_pixels, max_file_size: larger pictures are refused.
#[pyclass(frozen, module = "mobilenet")]
pub struct Classifier {
    classifier: Arc<mobilenet::Classifier>,
    scores: Arc<Pipeline>,
    embeddings: Arc<Pipeline>,
    device: OpenedDevice,
    precision: Precision,
    alpha: f64,
    embedding_width: usize,
}

#[pymethods]
impl Classifier {
    #[new]
    #[pyo3(signature = (
        weights, *, device = "auto", threads = None, dtype = None, batch_size = None, labels = None, size = None,
        exif = true, full_decode = false, background = None, max_pixels = None, max_file_size = None,
    ))]
    // One for each of Python's.
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        weights: PathBuf,
        device: &str,
        threads: Option<i64>,
        dtype: Option<&str>,
        batch_size: Option<i64>,
        labels: Option<LabelNames>,
        size: Option<i64>,
        exif: bool,
        full_decode: bool,
        background: Option<[u8; 3]>,
        max_pixels: Option<u64>,
        max_file_size: Option<u64>,
    ) -> PyResult<Self> {
        fork::check()?;
        let size = options::size(size)?;
        let asked = dtype.map(options::precision).transpose()?;
        let threads = options::count("threads", threads)?;
        let batch_size = options::count("batch_size", batch_size)?;
        let device = options::device(device, asked)?;
        let limits = DecodeOptions::default();
        let decode = DecodeOptions::default()
            .with_exif_orientation(exif)
            .with_reduced(!full_decode)
            .with_background(background)
            .with_max_pixels(max_pixels.unwrap_or(limits.max_pixels))
            .with_max_bytes(max_file_size.unwrap_or(limits.max_bytes));
        let pipeline = |model: Arc<dyn Model>| {
            let mut pipeline = Pipeline::new(model).decode_options(decode.clone());
            if let Some(threads) = threads {
                pipeline = pipeline.threads(threads);
            }
            Arc::new(match batch_size {
                Some(pictures) => pipeline.batch_size(pictures),
                None => pipeline,
            })
        };
        py.detach(|| {
            let checkpoint = Checkpoint::open(&weights, &LoadOptions::default().with_size(size))?;
            let config = checkpoint.config();
            let labels = labels.zip(config.classes);
            let labels = labels.map(|(labels, classes)| labels.labels(classes));
            let precision = asked.unwrap_or_else(|| checkpoint.default_precision(&device.device));
            let classifier =
                mobilenet::Classifier::new(&checkpoint, labels.transpose()?, &device, precision)?;
            let classifier = match threads {
                Some(threads) => classifier.with_threads(threads),
                None => classifier,
            };
            let classifier = Arc::new(classifier);
            Ok(Self {
                scores: pipeline(classifier.clone()),
                embeddings: pipeline(Arc::new(classifier.embedder().clone())),
                alpha: config.alpha,
                embedding_width: config.embedding_len(),
                classifier,
                device,
                precision,
            })
        })
        .map_err(|error: mobilenet::Error| raised(&error))
    }

    /// What pictures show: the rows of the program's --jsonl as dictionaries, in the order of the pictures, as
    /// they come.
    ///
    /// paths: a path, or any iterable of them; a folder stands for the pictures in it.
    /// top: how many labels of each picture.
    /// threshold: labels whose score is lower are left out.
    #[pyo3(signature = (paths, top = 5, threshold = None))]
    fn classify(
        &self,
        paths: &Bound<'_, PyAny>,
        top: i64,
        threshold: Option<f32>,
    ) -> PyResult<Rows> {
        let top = options::top(top)?;
        let threshold = options::threshold(threshold)?;
        let (classifier, pipeline) = (self.classifier.clone(), self.scores.clone());
        Rows::start(classifier, pipeline, paths, top, threshold)
    }

    /// What the pictures in an array show: for each a list of its labels.
    ///
    /// array: numpy's, of uint8, [H, W, 3] or [N, H, W, 3] in RGB; cropped and scaled as the checkpoint says.
    #[pyo3(signature = (array, top = 5, threshold = None))]
    fn classify_pixels<'py>(
        &self,
        array: Bound<'py, PyAny>,
        top: i64,
        threshold: Option<f32>,
    ) -> PyResult<Bound<'py, PyList>> {
        fork::check()?;
        let top = options::top(top)?;
        let threshold = options::threshold(threshold)?;
        let py = array.py();
        let answers = PyList::empty(py);
        Pictures::of(array)?.each(|pictures| {
            let predictions = py.detach(|| self.classifier.classify(pictures, top, threshold));
            for predictions in predictions.map_err(|error| raised(&error))? {
                answers.append(json::value(py, &json::text(&predictions)?)?)?;
            }
            Ok(())
        })?;
        Ok(answers)
    }

    /// The embeddings of pictures, float32 [N, width] in their order. One that can't be read is a row of NaN, and a
    /// warning says how many are.
    ///
    /// paths: as classify takes them.
    fn embed<'py>(&self, paths: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = paths.py();
        let run = Run::start(self.embeddings.clone(), paths, |answer: Answer| answer)?;
        let mut matrix = Matrix::new(py, self.embedding_width);
        let mut failures = Failures::default();
        while let Some(answer) = run.next(py)? {
            match &answer.values {
                Ok(embedding) => matrix.add(embedding)?,
                Err(error) => {
                    failures.add(&answer.name, error);
                    matrix.add(&vec![f32::NAN; self.embedding_width])?;
                }
            }
            py.check_signals()?;
        }
        failures.warn(py)?;
        matrix.array()
    }

    /// The embeddings of the pictures in an array, float32 [N, width].
    ///
    /// array: as classify_pixels takes it.
    fn embed_pixels<'py>(&self, array: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        fork::check()?;
        let py = array.py();
        let embedder = self.classifier.embedder();
        let mut matrix = Matrix::new(py, self.embedding_width);
        Pictures::of(array)?.each(|pictures| {
            let embeddings = py.detach(|| embedder.embeddings(pictures));
            let embeddings = embeddings.map_err(|error| raised(&error))?;
            embeddings.iter().try_for_each(|row| matrix.add(row))
        })?;
        matrix.array()
    }

    /// The classes' names, in the order of the network's outputs.
    #[getter]
    fn labels(&self) -> Vec<&str> {
        let classes = self.classifier.labels().classes().iter();
        classes.map(|class| class.label.as_str()).collect()
    }

    /// The number of classes.
    #[getter]
    fn classes(&self) -> usize {
        self.classifier.labels().classes().len()
    }

    /// The side of the network's input in pixels.
    #[getter]
    fn size(&self) -> usize {
        self.classifier.preprocessing().size
    }

    /// The network's width multiplier.
    #[getter]
    fn alpha(&self) -> f64 {
        self.alpha
    }

    /// How many numbers an embedding has.
    #[getter]
    fn embedding_width(&self) -> usize {
        self.embedding_width
    }

    /// The device that the network runs on.
    #[getter]
    fn device(&self) -> String {
        self.device.name.to_string()
    }

    /// What the network computes in.
    #[getter]
    fn dtype(&self) -> &'static str {
        self.precision.name()
    }

    fn __repr__(&self) -> String {
        format!(
            "<mobilenet.Classifier of {} classes: alpha {:?}, size {}, {} on {}>",
            self.classes(),
            self.alpha,
            self.size(),
            self.dtype(),
            self.device()
        )
    }
}

/// Pictures that have no embedding.
#[derive(Default)]
struct Failures {
    number: usize,
    first: Option<String>,
}

impl Failures {
    fn add(&mut self, name: &OsStr, error: &ImageError) {
        self.number += 1;
        self.first
            .get_or_insert_with(|| format!("{}: {}", name.display(), error.message));
    }

    /// Tells Python's caller, once.
    fn warn(&self, py: Python<'_>) -> PyResult<()> {
        let Some(first) = &self.first else {
            return Ok(());
        };
        let warn = py.import("warnings")?.getattr("warn")?;
        let number = self.number;
        warn.call1((format!(
            "no embedding of {number} pictures, the first of them {first}"
        ),))?;
        Ok(())
    }
}
