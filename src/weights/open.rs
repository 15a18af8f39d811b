//! A file of any supported format to a checkpoint.

use std::path::Path;
use std::sync::Arc;

use super::checkpoint::Checkpoint;
use super::contents::Contents;
use super::format::FileFormat;
use super::imported::{Imported, Tensors};
use super::lesson::StoredLesson;
use super::provenance::Origin;
use super::quantised::Scales;
use super::recognise::{Stated, recognise};
use super::safetensors::{EXAMPLES, Header, SafetensorsFile};
use super::{
    keras, onnx, other_networks, shards, sidecar, stranger, tensorflow, tensorflow_js, tflite,
    torch,
};
use crate::error::{Error, Result};
use crate::familiarity::Familiarity;
use crate::head::Head;
use crate::labels::{Class, Labels};
use crate::model::{Config, Folded, TensorSource};
use crate::ops::Activation;
use crate::pixels::{PixelScale, Preprocessing};

/// The checkpoint in a folder, or the index of its parts, the best first: the later ones are what older
/// tools have there.
pub(super) const FILES_IN_FOLDER: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// Trained first layers for pixels from -1 to 1 have a largest weight of 1.8 to 3.5; with 1/127.5 or
/// 1/255 in them it is 0.03 or less.
const SMALLEST_STEM: f32 = 0.05;

/// Input side where neither the checkpoint nor the caller states one.
const DEFAULT_SIZE: usize = 224;

/// What a caller says of a checkpoint that the checkpoint itself may not.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct LoadOptions {
    /// Side of the input; goes before what the checkpoint states, since the same weights run
    /// at any size. 224 where neither states it.
    pub size: Option<usize>,
    /// The activation; an error where the checkpoint states another. ReLU6 where neither
    /// states it.
    pub activation: Option<Activation>,
    /// What the bytes of a picture become; an error where the checkpoint states something else. From -1
    /// to 1 where neither states it.
    pub pixel_scale: Option<PixelScale>,
    /// What makes scores of the outputs; an error where the checkpoint states something else. A softmax
    /// where neither states it, but for a single output, which is refused then.
    pub head: Option<Head>,
}

impl LoadOptions {
    /// The same with an input side, if one is given.
    pub fn with_size(self, size: impl Into<Option<usize>>) -> Self {
        Self {
            size: size.into(),
            ..self
        }
    }

    /// The same with an activation, if one is given.
    pub fn with_activation(self, activation: impl Into<Option<Activation>>) -> Self {
        Self {
            activation: activation.into(),
            ..self
        }
    }
}

impl LoadOptions {
    /// The same with what bytes become, if that is given.
    pub fn with_pixel_scale(self, pixel_scale: impl Into<Option<PixelScale>>) -> Self {
        Self {
            pixel_scale: pixel_scale.into(),
            ..self
        }
    }

    /// The same with what makes scores of the outputs, if that is given.
    pub fn with_head(self, head: impl Into<Option<Head>>) -> Self {
        Self {
            head: head.into(),
            ..self
        }
    }

    /// What makes scores of a checkpoint's outputs, of which it may say so itself.
    fn head(&self, path: &Path, stated: Option<Head>, classes: Option<usize>) -> Result<Head> {
        let error = |reason: String| Err(Error::checkpoint(path, reason));
        if let (Some(stated), Some(asked)) = (stated, self.head)
            && stated != asked
        {
            return error(format!("it states that its head is a {stated}"));
        }
        let head = stated.or(self.head);
        match head.unwrap_or_default().unsuitable(classes) {
            None => Ok(head.unwrap_or_default()),
            Some(reason) if head.is_some() => error(reason.into()),
            Some(_) => error(
                "it has a single output, and says of no activation what makes a score of it: \
                 --head sigmoid, if it was trained with one"
                    .into(),
            ),
        }
    }

    /// Refuses what a checkpoint says otherwise of its pixels.
    fn check_scale(&self, path: &Path, stated: &PixelScale) -> Result<()> {
        match self.pixel_scale.is_some_and(|asked| asked != *stated) {
            true => Err(Error::checkpoint(
                path,
                "it states another scale of pixels than the one that is asked for",
            )),
            false => Ok(()),
        }
    }
}

impl Checkpoint {
    /// Reads a checkpoint of any supported format, recognised from its content: our
    /// safetensors, those of transformers and timm with the `config.json` beside them, Keras's
    /// HDF5 (keras-applications `*_tf.h5`, Keras 3's legacy `.h5`, a whole model's `.h5`,
    /// `.weights.h5`) and `.keras`, TensorFlow Lite's `.tflite` (quantised weights become the
    /// floats they stand for), PyTorch's files of tensors (no code is run), ONNX (with the files
    /// beside it that have its weights), TensorFlow's frozen graphs, TensorFlow.js's
    /// `model.json` with its shards, and TF-Slim's checkpoints by their `.index` or prefix. A folder stands for the `model.safetensors` in it, or else its
    /// `pytorch_model.bin`, or for the parts that `model.safetensors.index.json` or
    /// `pytorch_model.bin.index.json` names, for what an unpacked `.keras` file has, for the parts
    /// that a `NAME.weights.json` of Keras's names, for TensorFlow.js's `model.json`, or for TF-Slim's checkpoint. Such an index of
    /// Keras's, or one of its parts, stands for all of them.
    ///
    /// # Errors
    /// [`Error::Io`] where the file can't be read, [`Error::Checkpoint`] where it is of no such
    /// format, damaged, or of another network; then everything that is missing, superfluous or
    /// of the wrong shape is named.
    pub fn open(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Self> {
        let path = path.as_ref();
        if path.is_dir() {
            let files = FILES_IN_FOLDER.map(|name| path.join(name));
            let found = files.iter().find(|file| file.exists()).cloned();
            if found.is_none()
                && let Some(files) = keras::FilesBeside::in_folder(path)
            {
                return Self::of_keras_files(&files, options);
            }
            let model = path.join(tensorflow_js::FILE_IN_FOLDER);
            let found = found.or_else(|| model.exists().then_some(model));
            return match found.or_else(|| tensorflow::located(path)) {
                Some(file) => Self::open_file(&file, options),
                None => {
                    let reason = stranger::folder(path, FILES_IN_FOLDER[0]);
                    Err(Error::checkpoint(path, reason))
                }
            };
        }
        if let Some(files) = keras::FilesBeside::of(path) {
            return Self::of_keras_files(&files, options);
        }
        let table = tensorflow::located(path);
        Self::open_file(table.as_deref().unwrap_or(path), options)
    }

    /// Keras's files that belong together.
    fn of_keras_files(files: &keras::FilesBeside, options: &LoadOptions) -> Result<Self> {
        let (imported, bytes) = files.read()?;
        Self::from_imported(
            imported,
            Arc::new(Contents::read(bytes)),
            files.path(),
            options,
        )
    }

    fn open_file(path: &Path, options: &LoadOptions) -> Result<Self> {
        let error = |reason: String| Error::checkpoint(path, reason);
        if shards::is_index(path) {
            let contents = Arc::new(Contents::read(shards::read(path)?));
            let file = SafetensorsFile::new(Arc::clone(&contents)).map_err(error)?;
            let imported = foreign(file, path).map_err(error)?;
            let read = Self::from_imported(imported, Arc::clone(&contents), path, options);
            return read.map_err(|error| or_another(error, path, &contents));
        }
        if let Some(reason) = shards::is_part(path) {
            return Err(error(reason));
        }
        if let Some(model) = tensorflow_js::Model::open(path)? {
            let (imported, bytes) = model.read(path)?;
            let contents = Arc::new(Contents::read(bytes));
            return Self::from_imported(imported, contents, path, options);
        }
        Self::from_contents(Contents::open(path)?, path, options)
    }

    /// The same from a file's bytes; `path` is for messages.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(bytes: Vec<u8>, path: &Path, options: &LoadOptions) -> Result<Self> {
        Self::from_contents(Contents::read(bytes), path, options)
    }

    pub(super) fn from_contents(
        contents: Contents,
        path: &Path,
        options: &LoadOptions,
    ) -> Result<Self> {
        let contents = Arc::new(contents);
        let read = Self::of(Arc::clone(&contents), path, options);
        read.map_err(|error| or_another(error, path, &contents))
    }

    fn of(contents: Arc<Contents>, path: &Path, options: &LoadOptions) -> Result<Self> {
        let error = |reason: String| Error::checkpoint(path, reason);
        let imported = match FileFormat::of(&contents) {
            Some(FileFormat::Hdf5) => keras::read_hdf5(&contents)
                .map_err(|reason| error(keras::without_index(path).unwrap_or(reason)))?,
            Some(FileFormat::Zip) if torch::is_torch(&contents) => {
                of_torch(torch::read_zip(&contents), path).map_err(error)?
            }
            Some(FileFormat::TorchStream) => {
                of_torch(torch::read_stream(&contents), path).map_err(error)?
            }
            Some(FileFormat::Zip) => keras::read_zip(&contents).map_err(error)?,
            Some(FileFormat::Tflite) => tflite::read(&contents).map_err(error)?,
            Some(FileFormat::FrozenGraph) => tensorflow::read_frozen(&contents).map_err(error)?,
            Some(FileFormat::TensorFlowTable) => {
                let (imported, all) = tensorflow::read_checkpoint(contents, path).map_err(error)?;
                return Self::from_imported(imported, all, path, options);
            }
            Some(FileFormat::Onnx) => {
                let (imported, all) = onnx::read(contents, path).map_err(error)?;
                return Self::from_imported(imported, all, path, options);
            }
            None => return Err(error(stranger::file(path, &contents))),
            Some(FileFormat::Safetensors) => {
                let file = SafetensorsFile::new(Arc::clone(&contents)).map_err(error)?;
                if let Some(header) = file.header().map_err(error)? {
                    return Self::ours(file, header, path, options);
                }
                foreign(file, path).map_err(error)?
            }
        };
        Self::from_imported(imported, contents, path, options)
    }

    /// A file that describes itself.
    fn ours(
        file: SafetensorsFile,
        mut header: Header,
        path: &Path,
        options: &LoadOptions,
    ) -> Result<Self> {
        let stated = header.config.activation;
        if options.activation.is_some_and(|asked| asked != stated) {
            return Err(contradiction(path, stated));
        }
        options.check_scale(path, &header.preprocessing.pixel_scale)?;
        let head = options.head(path, Some(header.head), header.config.classes)?;
        let contents = Arc::clone(file.contents());
        let mut stated = file.stated();
        let named = |error: Error| Error::checkpoint(path, error.to_string());
        let lesson = StoredLesson::of(&mut header, &mut stated).map_err(named)?;
        let familiarity = familiarity(&file, &header, lesson.as_ref(), &mut stated);
        let familiarity = familiarity.map_err(named)?;
        let scales = match header.quantisation {
            Some(summary) => Scales::read(&file, summary, &header.config, &mut stated)
                .map_err(|e| Error::checkpoint(path, e.to_string()))?,
            None => Scales::default(),
        };
        let preprocessing = header.preprocessing.clone().at(options.size);
        // Of another size embeddings are others.
        let lesson = lesson.map(|lesson| match preprocessing == header.preprocessing {
            true => lesson,
            false => lesson.without_examples(),
        });
        let tensors = Tensors::File(file.with_scales(scales));
        Self {
            path: path.into(),
            config: header.config,
            preprocessing,
            labels: header.labels,
            head,
            rejection: header.rejection,
            familiarity: familiarity.map(Arc::new),
            lesson,
            quantisation: header.quantisation,
            origin: Origin::Stated(header.source),
            assumed: Vec::new(),
            tensors,
            contents: Some(contents),
        }
        .checked(&stated)
    }

    fn from_imported(
        imported: Imported,
        contents: Arc<Contents>,
        path: &Path,
        options: &LoadOptions,
    ) -> Result<Self> {
        if let (Some(stated), Some(asked)) = (imported.activation, options.activation)
            && stated != asked
        {
            return Err(contradiction(path, stated));
        }
        let activation = imported.activation.or(options.activation);
        let recipe = imported.recipe;
        let size = recipe.as_ref().map(|recipe| recipe.size).or(imported.size);
        let size = options.size.or(size);
        let stated_scale = recipe.as_ref().map(|recipe| recipe.pixel_scale);
        let stated_scale = stated_scale.or(imported.pixel_scale);
        if let Some(stated) = &stated_scale {
            options.check_scale(path, stated)?;
        }
        let scale = stated_scale.or(options.pixel_scale);
        let has_view = recipe.is_some() || imported.view.is_some();
        let usual = || {
            let recipe = imported.view;
            let recipe = recipe.unwrap_or_else(|| Preprocessing::center(DEFAULT_SIZE));
            recipe.with_pixel_scale(scale.unwrap_or_default())
        };
        let preprocessing = recipe.unwrap_or_else(usual).at(size);
        let stated = imported.tensors.stated();
        let recognised = recognise(&stated).map_err(|e| Error::checkpoint(path, e))?;
        let has_head = imported.head.or(options.head).is_some() || recognised.classes.is_none();
        let assumed = [
            ("size", size.is_none()),
            ("activation", activation.is_none()),
            ("pixels", scale.is_none()),
            ("head", !has_head),
            ("crop", !has_view),
            ("filter", !has_view),
        ]
        .into_iter()
        .filter_map(|(name, assumed)| assumed.then_some(name))
        .collect();
        let head = options.head(path, imported.head, recognised.classes)?;
        let file_name = path.file_name().unwrap_or(path.as_os_str());
        let checkpoint = Self {
            path: path.into(),
            config: Config {
                activation: activation.unwrap_or(Activation::Relu6),
                padding: imported.padding,
                batch_norm_epsilon: imported.batch_norm_epsilon,
                pool: imported.pool,
                hidden: imported.hidden,
                ..recognised
            },
            preprocessing,
            labels: imported.labels.filter(|labels| !are_imagenets(labels)),
            head,
            rejection: None,
            familiarity: None,
            lesson: None,
            quantisation: None,
            assumed,
            origin: Origin::file(
                file_name.to_string_lossy().into_owned(),
                Arc::clone(&contents),
            ),
            tensors: imported.tensors,
            contents: Some(contents),
        }
        .checked(&stated)?;
        match scale {
            Some(_) => Ok(checkpoint),
            None => checkpoint.with_usual_stem(),
        }
    }

    /// Refuses a first layer that can't be one for pixels from -1 to 1, which nothing says that it is.
    fn with_usual_stem(self) -> Result<Self> {
        let convolutions = self.config.convolutions();
        let stem = convolutions.first();
        let stem = stem.map(|stem| Folded::read(&self.config, stem, &self.tensors));
        // What can't be read is told when the network is built.
        let largest = stem.and_then(std::result::Result::ok).map_or(0.0, |stem| {
            let weights = stem.scaled().into_iter();
            weights.fold(0f32, |largest, weight| largest.max(weight.abs()))
        });
        match largest > 0.0 && largest < SMALLEST_STEM {
            true => Err(Error::checkpoint(
                &self.path,
                format!(
                    "the largest weight of its first layer is {largest:.4}, where networks for pixels \
                     from -1 to 1 have one above 1: a converter has put the scale of its pixels into \
                     it. Say what it takes: --pixels 0..255 in most cases"
                ),
            )),
            false => Ok(self),
        }
    }
}

/// The examples of familiar pictures in a file that says what they mean; they are no part of the
/// network's tensors then.
fn familiarity(
    file: &SafetensorsFile,
    header: &Header,
    lesson: Option<&StoredLesson>,
    stated: &mut Vec<Stated>,
) -> Result<Option<Familiarity>> {
    let Some(range) = header.familiarity else {
        return Ok(None);
    };
    let error = |reason: &str| Error::tensor(EXAMPLES, reason);
    let found = stated.iter().position(|tensor| tensor.name == EXAMPLES);
    let tensor = found.map(|at| stated.swap_remove(at));
    let len = header.config.embedding_len();
    if let (None, Some(lesson)) = (&tensor, lesson)
        && let Some(values) = lesson.first_views(file, len)?
    {
        // They are not in the file twice.
        return Familiarity::new(values, len, range).map(Some);
    }
    let tensor = tensor.ok_or_else(|| error("is missing"))?;
    if !tensor.is_numeric || tensor.shape.len() != 2 || tensor.shape[1] != len {
        return Err(error(&format!(
            "is {:?}, not [N, {len}] of floats",
            tensor.shape
        )));
    }
    let values = file
        .tensor(EXAMPLES, &tensor.shape)?
        .numbers()?
        .into_owned();
    Familiarity::new(values, len, range).map(Some)
}

/// Safetensors that do not describe themselves: in somebody else's naming, with what the files
/// beside them say, or in ours without a word.
fn foreign(file: SafetensorsFile, path: &Path) -> Result<Imported, String> {
    let (file, layout) = file.translated();
    let imported = Imported::new(Tensors::File(file));
    let Some(layout) = layout else {
        return Ok(imported);
    };
    let mut imported = Imported {
        padding: layout.padding,
        batch_norm_epsilon: layout.batch_norm_epsilon,
        ..imported
    };
    sidecar::read(path, &mut imported)?;
    // Neither tool has the network with another one unless its file says so.
    imported.activation = imported.activation.or(Some(Activation::Relu6));
    Ok(imported)
}

/// The same out of a file of PyTorch's.
fn of_torch(
    tensors: std::result::Result<Vec<u8>, String>,
    path: &Path,
) -> std::result::Result<Imported, String> {
    let contents = Arc::new(Contents::read(tensors?));
    foreign(SafetensorsFile::new(contents)?, path)
}

/// What is wrong with a file, or the network that it is of instead, where that is known.
fn or_another(error: Error, path: &Path, contents: &[u8]) -> Error {
    match other_networks::described(contents) {
        Some(network) if matches!(error, Error::Checkpoint { .. }) => {
            Error::checkpoint(path, network)
        }
        _ => error,
    }
}

/// Whether labels are ImageNet's, which come with their WordNet ids.
fn are_imagenets(labels: &[String]) -> bool {
    let known = Labels::for_classes(labels.len());
    let same = |(label, class): (&String, &Class)| *label == class.label;
    labels.iter().zip(known.classes()).take(3).all(same)
}

fn contradiction(path: &Path, stated: Activation) -> Error {
    Error::checkpoint(path, format!("it states that its activation is {stated}"))
}
