//! A checkpoint in memory: settings, tensors, and the recipe for its pixels.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

use super::contents::Contents;
use super::imported::Tensors;
use super::lesson::StoredLesson;
use super::provenance::{Origin, Source};
use super::quantised::QuantisationSummary;
use super::recognise::{Stated, check};
use crate::cpu::Isa;
use crate::error::{Error, Result};
use crate::familiarity::Familiarity;
use crate::head::Head;
use crate::labels::Labels;
use crate::model::{
    Blueprint, Config, Convolution, ConvolutionKind, Folded, MobileNet, Precision, TensorSource,
};
use crate::pixels::Preprocessing;
use crate::rejection::Rejection;

/// Whether a checkpoint has integers of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Integers {
    /// It is of floats.
    None,
    /// It has, and can be computed in them.
    Own,
    /// It has, but not for everything, or in a way that is not known: then they are the floats that
    /// they stand for.
    NotUnderstood(String),
}

/// A network's settings and tensors, with the recipe for its pixels.
///
/// Every tensor that the settings call for is there in its shape, and none besides.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    pub(super) path: PathBuf,
    pub(super) config: Config,
    pub(super) preprocessing: Preprocessing,
    pub(super) labels: Option<Vec<String>>,
    pub(super) head: Head,
    pub(super) rejection: Option<Rejection>,
    pub(super) familiarity: Option<Arc<Familiarity>>,
    pub(super) lesson: Option<StoredLesson>,
    pub(super) quantisation: Option<QuantisationSummary>,
    pub(super) origin: Origin,
    pub(super) assumed: Vec<&'static str>,
    pub(super) tensors: Tensors,
    /// Of the file that was read, if one was.
    pub(super) contents: Option<Arc<Contents>>,
}

impl Checkpoint {
    /// A network that was put together in memory: `tensors` as [`Config::tensors`] says, `labels`
    /// one a class. `path`, such as that of the file it will be, is for messages.
    ///
    /// # Errors
    /// As [`open`](Self::open), for what does not fit together.
    pub fn from_tensors(
        path: &Path,
        config: Config,
        tensors: HashMap<String, Tensor>,
        preprocessing: Preprocessing,
        labels: Option<Vec<String>>,
    ) -> Result<Self> {
        let tensors = Tensors::Loaded(tensors);
        let stated = tensors.stated();
        Self {
            path: path.into(),
            config,
            preprocessing,
            labels,
            head: Head::Softmax,
            rejection: None,
            familiarity: None,
            lesson: None,
            quantisation: None,
            origin: Origin::Stated(None),
            assumed: Vec::new(),
            tensors,
            contents: None,
        }
        .checked(&stated)
    }

    /// The same network with another last layer and a softmax, from the embedding to classes of other
    /// names, in the place of its last layer and any hidden ones:
    /// `weight` of `[classes, int(1024 * alpha)]`, `bias` of `[classes]`, f32.
    ///
    /// # Errors
    /// Shapes that don't fit.
    pub fn with_classifier(
        self,
        weight: &Tensor,
        bias: &Tensor,
        labels: Vec<String>,
    ) -> Result<Self> {
        let (classes, channels) = weight.dims2()?;
        let classifier = Convolution::classifier(channels, classes);
        let convolution = weight.reshape((classes, channels, 1, 1))?;
        let classifier = [
            (classifier.weight_name(), convolution),
            (classifier.bias_name(), bias.clone()),
        ];
        let config = Config {
            classes: Some(classes),
            hidden: Vec::new(),
            ..self.config.clone()
        };
        if self.quantisation.is_some() {
            let plain = Self {
                labels: Some(labels),
                head: Head::Softmax,
                rejection: None,
                familiarity: None,
                lesson: None,
                ..self
            };
            return plain.with_float_classifier(config, classifier);
        }
        let mut tensors = self.copies()?;
        tensors.extend(classifier);
        let kept: HashSet<String> = config.tensors().into_iter().map(|(name, _)| name).collect();
        tensors.retain(|name, _| kept.contains(name));
        let replaced = Self::from_tensors(
            &self.path,
            config,
            tensors,
            self.preprocessing,
            Some(labels),
        )?;
        Ok(Self {
            origin: self.origin,
            ..replaced
        })
    }

    /// The same network with other values for all of its tensors, which have no source.
    ///
    /// # Errors
    /// As [`from_tensors`](Self::from_tensors).
    pub(crate) fn with_tensors(&self, tensors: HashMap<String, Tensor>) -> Result<Self> {
        Self::from_tensors(
            &self.path,
            self.config.clone(),
            tensors,
            self.preprocessing.clone(),
            self.labels.clone(),
        )
    }

    /// All tensors in f32, named as [`Config::tensors`] says.
    ///
    /// # Errors
    /// A failure to read them.
    pub(crate) fn tensors(&self) -> Result<HashMap<String, Tensor>> {
        let tensors = self.copies()?.into_iter();
        let tensors = tensors.map(|(name, tensor)| Ok((name, tensor.to_dtype(DType::F32)?)));
        tensors.collect()
    }

    /// Refuses settings out of range, and tensors that are not those of the settings.
    pub(super) fn checked(self, stated: &[Stated]) -> Result<Self> {
        let error = |reason: String| Error::checkpoint(&self.path, reason);
        self.config.validate().map_err(|e| error(e.to_string()))?;
        self.preprocessing
            .validate()
            .map_err(|e| error(e.to_string()))?;
        if let Some(rejection) = self.rejection {
            rejection.validate().map_err(error)?;
        }
        let name = |ours: &str| self.tensors.name(ours).to_owned();
        check(&self.config, stated, &name).map_err(error)?;
        match (&self.labels, self.config.classes) {
            (Some(labels), Some(classes)) if labels.len() != classes => Err(error(format!(
                "it has {} labels for {classes} classes",
                labels.len()
            ))),
            _ => Ok(self),
        }
    }

    /// The last layer, from the embedding (or the last hidden layer) to the classes: weight `[classes,
    /// Config::head_len]` and bias `[classes]`, in f32 on the CPU; `None` without one.
    ///
    /// # Errors
    /// Values that are not finite numbers.
    pub fn classifier(&self) -> Result<Option<(Tensor, Tensor)>> {
        let convolutions = self.config.convolutions();
        let is_classifier = |c: &&Convolution| c.kind == ConvolutionKind::Classifier;
        let Some(last) = convolutions.last().filter(is_classifier) else {
            return Ok(None);
        };
        let folded = Folded::read(&self.config, last, &self.tensors)?;
        let shape = [last.out_channels, last.in_channels];
        folded.tensors(&shape, |value| value as f32).map(Some)
    }

    /// The file that was read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The network's settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// How the network wants its pixels.
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    /// The same with another recipe for the pixels.
    ///
    /// # Errors
    /// A recipe out of range.
    pub fn with_preprocessing(mut self, preprocessing: Preprocessing) -> Result<Self> {
        let error = |e: Error| Error::checkpoint(&self.path, e.to_string());
        preprocessing.validate().map_err(error)?;
        if preprocessing != self.preprocessing {
            // What it was learned from was seen otherwise.
            self.lesson = self.lesson.as_ref().map(StoredLesson::without_examples);
        }
        self.preprocessing = preprocessing;
        Ok(self)
    }

    /// The classes' names: the checkpoint's own, else those that their number suggests; none
    /// without a classifier.
    pub fn labels(&self) -> Option<Labels> {
        let classes = self.config.classes?;
        Some(match &self.labels {
            Some(names) => Labels::named(names.iter().cloned()),
            None => Labels::for_classes(classes),
        })
    }

    /// The same with other names for its classes.
    ///
    /// # Errors
    /// Not as many as there are classes.
    pub fn with_labels(mut self, labels: &Labels) -> Result<Self> {
        let classes = self.config.classes.unwrap_or(0);
        if labels.classes().len() != classes {
            let found = labels.classes().len();
            let reason = format!("{found} labels for {classes} classes");
            return Err(Error::checkpoint(&self.path, reason));
        }
        let names = labels.classes().iter().map(|class| class.label.clone());
        self.labels = Some(names.collect());
        Ok(self)
    }

    /// What makes scores of its outputs.
    pub fn head(&self) -> Head {
        self.head
    }

    /// When a picture is of none of the classes, if it says so.
    pub fn rejection(&self) -> Option<Rejection> {
        self.rejection
    }

    /// The same with another answer to that.
    ///
    /// # Errors
    /// Values that are not probabilities.
    pub fn with_rejection(mut self, rejection: Option<Rejection>) -> Result<Self> {
        if let Some(rejection) = rejection {
            let error = |reason| Error::checkpoint(&self.path, reason);
            rejection.validate().map_err(error)?;
        }
        self.rejection = rejection;
        Ok(self)
    }

    /// What tells pictures that are like those that the classes were learned from, if it knows.
    pub fn familiarity(&self) -> Option<&Familiarity> {
        self.familiarity.as_deref()
    }

    /// The same, shared.
    pub(crate) fn shared_familiarity(&self) -> Option<Arc<Familiarity>> {
        self.familiarity.clone()
    }

    /// The same with something else to tell them by.
    ///
    /// # Errors
    /// Embeddings of another length than the network's.
    pub fn with_familiarity(mut self, familiarity: Option<Familiarity>) -> Result<Self> {
        let expected = self.config.embedding_len();
        if let Some(len) = familiarity.as_ref().map(|known| known.examples().1)
            && len != expected
        {
            let reason = format!("examples of {len} values, not {expected}");
            return Err(Error::checkpoint(&self.path, reason));
        }
        self.familiarity = familiarity.map(Arc::new);
        Ok(self)
    }

    /// The settings that neither the file nor the caller stated: of `size`, `activation`, `pixels` (what
    /// bytes become), `head`, `crop` and `filter`.
    pub fn assumed(&self) -> &[&'static str] {
        &self.assumed
    }

    /// The file that this checkpoint was converted from, or is; then its digest is taken now.
    pub fn source(&self) -> Option<&Source> {
        self.origin.source()
    }

    /// Sha256 of the file that was read, in hexadecimal, taken now; `None` for what was put
    /// together in memory.
    pub fn sha256(&self) -> Option<String> {
        let contents = self.contents.as_ref()?;
        Some(contents.sha256().to_owned())
    }

    /// Begins to make [that digest](Self::sha256) on a thread of its own, for who will ask for it when the
    /// network is built.
    pub fn begin_sha256(&self) {
        if let Some(contents) = self.contents.clone() {
            std::thread::spawn(move || {
                contents.sha256();
            });
        }
    }

    /// The same with another name for its source, such as the address it came from.
    pub fn with_source_name(mut self, name: &str) -> Self {
        self.origin = self.origin.renamed(name);
        self
    }

    /// Builds the network on a device, for pixels as its recipe scales them.
    ///
    /// # Errors
    /// Weights that are not numbers, or a failure of the device.
    pub fn network(&self, device: &Device, precision: impl Into<Precision>) -> Result<MobileNet> {
        self.network_in(device, precision, None)
    }

    /// The same in an instruction set, where that matters; else it is the fastest that the machine has.
    ///
    /// # Errors
    /// As [`network`](Self::network); an instruction set without kernels for that.
    pub fn network_in(
        &self,
        device: &Device,
        precision: impl Into<Precision>,
        isa: Option<Isa>,
    ) -> Result<MobileNet> {
        let blueprint = Blueprint {
            config: &self.config,
            pixel_scale: &self.preprocessing.pixel_scale,
            tensors: &self.tensors,
        };
        let network = MobileNet::from_blueprint(blueprint, device, precision.into(), isa);
        network.map_err(|error| error.in_checkpoint(&self.path))
    }

    /// What the network computes in on a device where nothing else is asked for: a file of integers in
    /// those on the CPU, if they are understood ([`integers`](Self::integers)), all else in f32.
    pub fn default_precision(&self, device: &Device) -> Precision {
        match self.integers() {
            Integers::Own if device.is_cpu() => Precision::Int8,
            _ => DType::F32.into(),
        }
    }

    /// Whether it has integers of its own, in which it can be computed.
    pub fn integers(&self) -> Integers {
        match self.tensors.integers() {
            None if self.quantisation.is_some() => Integers::Own,
            None => Integers::None,
            Some(Ok(_)) => Integers::Own,
            Some(Err(reason)) => Integers::NotUnderstood(reason.into()),
        }
    }

    /// The tensors for a network on a device, to compute in `dtype`.
    ///
    /// # Errors
    /// A failure to read them.
    pub fn weights(&self, device: &Device, dtype: DType) -> Result<VarBuilder<'_>> {
        Ok(match &self.tensors {
            Tensors::File(file) if file.is_ours() && !file.is_quantised() => {
                VarBuilder::from_slice_safetensors(file.contents(), dtype, device)?
            }
            _ => VarBuilder::from_tensors(self.copies()?, dtype, device),
        })
    }
}
