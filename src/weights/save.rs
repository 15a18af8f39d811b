//! A checkpoint as a file of ours.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};

use super::checkpoint::Checkpoint;
use super::safetensors::{self, EXAMPLES, Header, LEARNED};
use crate::atomic_file;
use crate::error::{Error, Result};
use crate::familiarity::Familiarity;
use crate::learn::Lesson;
use crate::model::{Config, Folded, StoredTensor, StoredTensors, StoredValues};

/// How a checkpoint is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SaveOptions {
    /// The type of the tensors: f32, f16 or bf16.
    pub dtype: DType,
    /// Fold each batch norm into its convolution.
    pub fold_batch_norm: bool,
    /// Write what is in eight bits as the floats that it stands for.
    pub dequantise: bool,
}

impl Default for SaveOptions {
    /// f32, batch norm as it is: nothing is lost.
    fn default() -> Self {
        Self {
            dtype: DType::F32,
            fold_batch_norm: false,
            dequantise: false,
        }
    }
}

impl SaveOptions {
    /// The same with a checkpoint in eight bits as the floats that it stands for, or as it is.
    pub fn with_dequantise(self, dequantise: bool) -> Self {
        Self { dequantise, ..self }
    }

    /// The same with tensors of another type.
    pub fn with_dtype(self, dtype: DType) -> Self {
        Self { dtype, ..self }
    }

    /// The same with each batch norm folded into its convolution, or not.
    pub fn with_fold_batch_norm(self, fold_batch_norm: bool) -> Self {
        Self {
            fold_batch_norm,
            ..self
        }
    }
}

impl Checkpoint {
    /// The checkpoint as our safetensors, with the settings in the metadata. The same checkpoint
    /// always gives the same bytes.
    ///
    /// # Errors
    /// A tensor that can't be converted.
    pub fn to_safetensors(&self, options: &SaveOptions) -> Result<Vec<u8>> {
        let error = |e: String| Error::checkpoint(&self.path, e);
        if self.quantisation.is_some() && !options.dequantise {
            let stored = self.stored(options)?;
            return safetensors::encode_stored(&stored, &self.header(self.config.clone(), options))
                .map_err(error);
        }
        let folds = options.fold_batch_norm && !self.config.batch_norm_folded;
        let (mut tensors, config) = if folds {
            self.folded()?
        } else {
            (self.copies()?, self.config.clone())
        };
        if let Some(familiarity) = self.own_examples(options) {
            let (examples, len) = familiarity.examples();
            let shape = (examples.len() / len, len);
            let examples = Tensor::from_slice(examples, shape, &Device::Cpu)?;
            tensors.insert(EXAMPLES.into(), examples);
        }
        if let Some(lesson) = self.kept_lesson(options)
            && let Some(values) = self.lesson_values()?
        {
            let shape = (lesson.count(), lesson.views, self.config.embedding_len());
            let examples = Tensor::from_vec(values, shape, &Device::Cpu)?;
            tensors.insert(LEARNED.into(), examples);
        }
        for tensor in tensors.values_mut() {
            *tensor = tensor.to_dtype(options.dtype)?;
        }
        safetensors::encode(&tensors, &self.header(config, options)).map_err(error)
    }

    /// What our safetensors state besides the tensors, as JSON: the settings, the recipe for the
    /// pixels, the labels where they are not ImageNet's, and the source.
    ///
    /// # Errors
    /// Settings that JSON has no form for.
    pub fn description(&self, options: &SaveOptions) -> Result<String> {
        let config = Config {
            batch_norm_folded: self.config.batch_norm_folded || options.fold_batch_norm,
            ..self.config.clone()
        };
        let json = serde_json::to_string_pretty(&self.header(config, options));
        json.map_err(|e| Error::checkpoint(&self.path, e.to_string()))
    }

    /// Writes the checkpoint as our safetensors to a file, which appears whole or not at
    /// all. What a symbolic link points to is replaced, not the link; a device or a pipe is
    /// written to as it is.
    ///
    /// # Errors
    /// [`Error::Io`] where it can't be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_as(path, &SaveOptions::default())
    }

    /// The same in another form.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub fn save_as(&self, path: impl AsRef<Path>, options: &SaveOptions) -> Result<()> {
        let path = path.as_ref();
        let bytes = self.to_safetensors(options)?;
        atomic_file::write(path, &bytes).map_err(Error::io(path))
    }

    fn header(&self, config: Config, options: &SaveOptions) -> Header {
        Header {
            version: Header::version(&config),
            config,
            preprocessing: self.preprocessing.clone(),
            labels: self.labels.clone(),
            head: self.head,
            rejection: self.rejection,
            familiarity: self.familiarity().map(Familiarity::range),
            quantisation: self.quantisation.filter(|_| !options.dequantise),
            learned: self.lesson().map(|lesson| Lesson {
                has_examples: self.kept_lesson(options).is_some(),
                ..lesson.clone()
            }),
            source: self.source().cloned(),
        }
    }

    /// Whether the embeddings of the pictures that its classes were learned from are written, if it has them.
    pub fn writes_lesson_examples(&self, options: &SaveOptions) -> bool {
        self.kept_lesson(options).is_some()
    }

    /// The lesson whose examples are written: of a network whose embeddings are the same afterwards, with all of their
    /// digits.
    fn kept_lesson(&self, options: &SaveOptions) -> Option<&Lesson> {
        let is_as_it_was = match self.quantisation {
            Some(_) => !options.dequantise,
            None => options.dtype == DType::F32,
        };
        let lesson = self.lesson().filter(|lesson| lesson.has_examples);
        lesson.filter(|_| is_as_it_was)
    }

    /// What tells familiar pictures, where it is written beside the lesson's examples and not made of them.
    fn own_examples(&self, options: &SaveOptions) -> Option<&Familiarity> {
        self.familiarity().filter(|familiarity| {
            let (examples, len) = familiarity.examples();
            let lesson = self.kept_lesson(options);
            lesson.is_none_or(|lesson| lesson.count() != examples.len() / len)
        })
    }

    /// All tensors that are written, as they are stored.
    fn stored(&self, options: &SaveOptions) -> Result<StoredTensors> {
        let mut stored = self.stored_tensors()?;
        if let Some(lesson) = self.kept_lesson(options)
            && let Some(values) = self.lesson_values()?
        {
            let shape = [lesson.count(), lesson.views, self.config.embedding_len()];
            let tensor = StoredTensor::floats(StoredValues::F32(values.into()), &shape);
            stored.tensors.insert(LEARNED.into(), tensor);
        }
        if let Some(familiarity) = self.own_examples(options) {
            let (examples, len) = familiarity.examples();
            let values = StoredValues::F32(examples.to_vec().into());
            let tensor = StoredTensor::floats(values, &[examples.len() / len, len]);
            stored.tensors.insert(EXAMPLES.into(), tensor);
        }
        Ok(stored)
    }

    /// All tensors of the network, under our names.
    pub(super) fn copies(&self) -> Result<HashMap<String, Tensor>> {
        let named = |error: Error| error.in_checkpoint(&self.path);
        let mut tensors = self.tensors.copies().map_err(named)?;
        // They are no part of the network.
        tensors.remove(EXAMPLES);
        tensors.remove(LEARNED);
        Ok(tensors)
    }

    /// The tensors with each batch norm folded into its convolution, rounded to f32 once, as when
    /// the network is built; and the settings that say so.
    fn folded(&self) -> Result<(HashMap<String, Tensor>, Config)> {
        let mut tensors = HashMap::new();
        let convolutions = self.config.convolutions().into_iter();
        for convolution in convolutions.filter(|convolution| !convolution.identity) {
            let folded = Folded::read(&self.config, &convolution, &self.tensors)?;
            let shape = convolution.weight_shape();
            let (weight, bias) = folded.tensors(&shape, |value| value as f32)?;
            tensors.insert(convolution.weight_name(), weight);
            tensors.insert(convolution.bias_name(), bias);
        }
        // Hidden layers have none.
        let copies = self.copies()?;
        for (name, _) in self.config.tensors() {
            if let Some(tensor) = copies.get(&name)
                && name.starts_with("hidden_")
            {
                tensors.insert(name, tensor.clone());
            }
        }
        let config = Config {
            batch_norm_folded: true,
            ..self.config.clone()
        };
        Ok((tensors, config))
    }
}
