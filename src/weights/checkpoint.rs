//! A checkpoint in memory: settings, tensors, and the recipe for its pixels.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use sha2::{Digest, Sha256};

use super::imported::{Imported, Source};
use super::safetensors::Stated;
use super::{hdf5, keras, safetensors};
use crate::error::{Error, Result};
use crate::model::{Config, MobileNet, Padding, alpha_from_channels};
use crate::ops::Activation;
use crate::pixels::Preprocessing;

/// Input side where neither the checkpoint nor the caller states one.
const DEFAULT_SIZE: usize = 224;
/// The largest checkpoint file read: alpha 16 has 1.1 GB.
pub(super) const MAX_FILE_BYTES: u64 = 2 << 30;

/// What a caller says of a checkpoint that the checkpoint itself may not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// Side of the input; goes before what the checkpoint states, since the same weights run
    /// at any size. 224 where neither states it.
    pub size: Option<usize>,
    /// The activation; an error where the checkpoint states another. ReLU6 where neither
    /// states it.
    pub activation: Option<Activation>,
}

/// A network's settings and tensors, with the recipe for its pixels.
///
/// Every tensor that the settings call for is there in its shape, and none besides.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    path: PathBuf,
    config: Config,
    preprocessing: Preprocessing,
    source: Option<Source>,
    assumed: Vec<&'static str>,
    tensors: Tensors,
}

/// A checkpoint's tensors.
#[derive(Debug, Clone)]
enum Tensors {
    /// A safetensors file, from which each is taken when it is asked for: a copy of all of them
    /// would cost as much time as the network needs for a picture.
    File(Arc<Vec<u8>>),
    /// Translated from another layout.
    Loaded(HashMap<String, Tensor>),
}

impl Tensors {
    /// Names, shapes and types.
    fn stated(&self) -> Result<Vec<Stated>, String> {
        match self {
            Self::File(bytes) => Ok(safetensors::inspect(bytes)?.1),
            Self::Loaded(tensors) => Ok(tensors
                .iter()
                .map(|(name, tensor)| Stated {
                    name: name.clone(),
                    shape: tensor.dims().to_vec(),
                    is_float: tensor.dtype().is_float(),
                })
                .collect()),
        }
    }
}

impl Checkpoint {
    /// Reads a checkpoint of any supported format, recognised from its content: our
    /// safetensors, Keras's HDF5 (keras-applications `*_tf.h5`, Keras 3's legacy `.h5`, a whole
    /// model's `.h5`, `.weights.h5`) and `.keras`.
    ///
    /// # Errors
    /// [`Error::Io`] where the file can't be read, [`Error::Checkpoint`] where it is of no such
    /// format, damaged, or of another network; then everything that is missing, superfluous or
    /// of the wrong shape is named.
    pub fn open(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Self> {
        let path = path.as_ref();
        Self::from_bytes(read_file(path)?, path, options)
    }

    /// The same from a file's bytes; `path` is for messages.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(bytes: Vec<u8>, path: &Path, options: &LoadOptions) -> Result<Self> {
        let error = |reason: String| Error::checkpoint(path, reason);
        if bytes.starts_with(hdf5::SIGNATURE) {
            let imported = keras::read_hdf5(&bytes).map_err(error)?;
            return Self::from_imported(imported, &bytes, path, options);
        }
        if bytes.starts_with(keras::ZIP_SIGNATURE) {
            let imported = keras::read_zip(&bytes).map_err(error)?;
            return Self::from_imported(imported, &bytes, path, options);
        }
        let (header, _) = safetensors::inspect(&bytes).map_err(error)?;
        let Some(header) = header else {
            // Named as ours but written by somebody else: what the tensors don't tell is as in
            // the published checkpoints.
            let imported = Imported {
                tensors: safetensors::tensors(&bytes).map_err(error)?,
                size: None,
                activation: None,
                padding: Padding::Keras,
                batch_norm_epsilon: 1e-3,
            };
            return Self::from_imported(imported, &bytes, path, options);
        };
        let stated = header.config.activation;
        if options.activation.is_some_and(|asked| asked != stated) {
            return Err(contradiction(path, stated));
        }
        let preprocessing = Preprocessing {
            size: options.size.unwrap_or(header.preprocessing.size),
            ..header.preprocessing
        };
        Self {
            path: path.into(),
            config: header.config,
            preprocessing,
            source: header.source,
            assumed: Vec::new(),
            tensors: Tensors::File(Arc::new(bytes)),
        }
        .checked()
    }

    fn from_imported(
        imported: Imported,
        bytes: &[u8],
        path: &Path,
        options: &LoadOptions,
    ) -> Result<Self> {
        if let (Some(stated), Some(asked)) = (imported.activation, options.activation)
            && stated != asked
        {
            return Err(contradiction(path, stated));
        }
        let activation = imported.activation.or(options.activation);
        let size = options.size.or(imported.size);
        let assumed = [
            ("size", size.is_none()),
            ("activation", activation.is_none()),
        ]
        .into_iter()
        .filter_map(|(name, assumed)| assumed.then_some(name))
        .collect();
        let recognised = recognise(&imported.tensors).map_err(|e| Error::checkpoint(path, e))?;
        let file_name = path.file_name().unwrap_or(path.as_os_str());
        Self {
            path: path.into(),
            config: Config {
                activation: activation.unwrap_or(Activation::Relu6),
                padding: imported.padding,
                batch_norm_epsilon: imported.batch_norm_epsilon,
                ..recognised
            },
            preprocessing: Preprocessing::center(size.unwrap_or(DEFAULT_SIZE)),
            assumed,
            source: Some(Source {
                name: file_name.to_string_lossy().into_owned(),
                sha256: sha256(bytes),
            }),
            tensors: Tensors::Loaded(imported.tensors),
        }
        .checked()
    }

    /// Names, all at once, what the settings call for and the file doesn't have, and what it
    /// has besides.
    fn checked(self) -> Result<Self> {
        let error = |reason: String| Error::checkpoint(&self.path, reason);
        self.config.validate().map_err(|e| error(e.to_string()))?;
        self.preprocessing
            .validate()
            .map_err(|e| error(e.to_string()))?;
        let stated = self.tensors.stated().map_err(error)?;
        let mut found: BTreeMap<&str, &Stated> =
            stated.iter().map(|s| (s.name.as_str(), s)).collect();
        let mut wrong = Vec::new();
        for (name, shape) in self.config.tensors() {
            match found.remove(name.as_str()) {
                None => wrong.push(format!("{name} is missing")),
                Some(tensor) if tensor.shape != shape => {
                    wrong.push(format!("{name} is {:?}, not {shape:?}", tensor.shape));
                }
                Some(tensor) if !tensor.is_float => {
                    wrong.push(format!("{name} is not of 16, 32 or 64-bit floats"));
                }
                Some(_) => {}
            }
        }
        wrong.extend(found.keys().map(|name| format!("{name} is not part of it")));
        if wrong.is_empty() {
            return Ok(self);
        }
        Err(error(format!(
            "not the MobileNet V1 that it seems to be ({}):{}",
            describe(&self.config),
            list(&wrong)
        )))
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

    /// The settings that neither the file nor the caller stated: `size`, `activation`.
    pub fn assumed(&self) -> &[&'static str] {
        &self.assumed
    }

    /// The file that this checkpoint was converted from, or is.
    pub fn source(&self) -> Option<&Source> {
        self.source.as_ref()
    }

    /// The same with another name for its source, such as the address it came from.
    pub fn with_source_name(mut self, name: &str) -> Self {
        if let Some(source) = &mut self.source {
            source.name = name.into();
        }
        self
    }

    /// Builds the network on a device, to compute in `dtype`.
    ///
    /// # Errors
    /// Weights that are not numbers, or a failure of the device.
    pub fn network(&self, device: &Device, dtype: DType) -> Result<MobileNet> {
        let weights = self.weights(device, dtype)?;
        MobileNet::new(&self.config, &weights).map_err(|error| match error {
            Error::Config(reason) => Error::checkpoint(&self.path, reason),
            other => other,
        })
    }

    /// The tensors for a network on a device, to compute in `dtype`.
    ///
    /// # Errors
    /// A failure to read them.
    pub fn weights(&self, device: &Device, dtype: DType) -> Result<VarBuilder<'_>> {
        Ok(match &self.tensors {
            Tensors::File(bytes) => VarBuilder::from_slice_safetensors(bytes, dtype, device)?,
            Tensors::Loaded(tensors) => VarBuilder::from_tensors(tensors.clone(), dtype, device),
        })
    }

    /// The checkpoint as our safetensors: f32, with the settings in the metadata. The same
    /// checkpoint always gives the same bytes.
    ///
    /// # Errors
    /// A tensor that can't be converted.
    pub fn to_safetensors(&self) -> Result<Vec<u8>> {
        let error = |e: String| Error::checkpoint(&self.path, e);
        let mut tensors = match &self.tensors {
            Tensors::File(bytes) => safetensors::tensors(bytes).map_err(error)?,
            Tensors::Loaded(tensors) => tensors.clone(),
        };
        for tensor in tensors.values_mut() {
            *tensor = tensor.to_dtype(DType::F32)?;
        }
        let header = safetensors::Header {
            version: safetensors::VERSION,
            config: self.config.clone(),
            preprocessing: self.preprocessing.clone(),
            source: self.source.clone(),
        };
        safetensors::encode(&tensors, &header).map_err(error)
    }

    /// Writes [`to_safetensors`](Self::to_safetensors) to a file, which appears whole or not at
    /// all. What a symbolic link points to is replaced, not the link; a device or a pipe is
    /// written to as it is.
    ///
    /// # Errors
    /// [`Error::Io`] where it can't be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let bytes = self.to_safetensors()?;
        write_whole(path, &bytes).map_err(Error::io(path))
    }
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if path.exists() && !path.is_file() {
        return std::fs::write(path, bytes);
    }
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    // A temporary file would be its owner's alone; this one is what the umask makes of any file.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    // Without the temporary name that the crate puts into its errors.
    let mut file = builder.tempfile_in(folder).map_err(|e| e.kind())?;
    file.write_all(bytes).map_err(|e| e.kind())?;
    file.persist(&target).map_err(|e| e.error)?;
    Ok(())
}

/// Reads a file whose first bytes are those of a checkpoint.
fn read_file(path: &Path) -> Result<Vec<u8>> {
    let mut file = File::open(path).map_err(Error::io(path))?;
    let mut bytes = Vec::new();
    let mut head = Read::by_ref(&mut file).take(16);
    head.read_to_end(&mut bytes).map_err(Error::io(path))?;
    let known = bytes.starts_with(hdf5::SIGNATURE)
        || bytes.starts_with(keras::ZIP_SIGNATURE)
        || safetensors::matches_signature(&bytes);
    if !known {
        return Err(Error::checkpoint(
            path,
            match bytes.is_empty() {
                true => "the file is empty",
                false => "not a checkpoint of a known format (safetensors, HDF5, .keras)",
            },
        ));
    }
    // At once what the file will need, where it tells; growing means copying.
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    bytes.reserve(length.min(MAX_FILE_BYTES) as usize);
    let mut rest = file.take(MAX_FILE_BYTES);
    rest.read_to_end(&mut bytes).map_err(Error::io(path))?;
    if bytes.len() as u64 >= MAX_FILE_BYTES {
        return Err(Error::checkpoint(path, "larger than any MobileNet V1"));
    }
    Ok(bytes)
}

/// Sha256 in hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn contradiction(path: &Path, stated: Activation) -> Error {
    Error::checkpoint(path, format!("it states that its activation is {stated}"))
}

/// Alpha, classes and shallow or not, from the tensors' names and shapes.
fn recognise(tensors: &HashMap<String, Tensor>) -> Result<Config, String> {
    let channels = |layer: &str| {
        let weight = tensors.get(&format!("{layer}.weight"))?;
        weight.dims().first().copied()
    };
    let widths = [
        ("conv1", 32),
        ("conv_pw_1", 64),
        ("conv_pw_2", 128),
        ("conv_pw_4", 256),
        ("conv_pw_6", 512),
        ("conv_pw_12", 1024),
    ];
    let observed: Vec<(usize, usize)> = widths
        .iter()
        .filter_map(|(layer, base)| Some((*base, channels(layer)?)))
        .collect();
    if observed.is_empty() {
        let mut names: Vec<&str> = tensors.keys().map(String::as_str).collect();
        names.sort_unstable();
        return Err(match names.as_slice() {
            [] => "it has no weights".into(),
            names => format!(
                "not a MobileNet V1 in a known layout: it has {} tensors, none of them \
                 conv1.weight or conv_pw_1.weight:{}",
                names.len(),
                list(names)
            ),
        });
    }
    let Some(alpha) = alpha_from_channels(&observed) else {
        let found: Vec<String> = observed.iter().map(|(_, c)| c.to_string()).collect();
        return Err(format!(
            "its layers have {} channels, which no one width multiplier gives",
            found.join(", ")
        ));
    };
    Ok(Config {
        classes: channels("conv_preds"),
        shallow: channels("conv_dw_7").is_none(),
        ..Config::with_alpha(alpha)
    })
}

fn describe(config: &Config) -> String {
    let kind = if config.shallow { "shallow, " } else { "" };
    let classes = match config.classes {
        Some(n) => format!("{n} classes"),
        None => "no classifier".into(),
    };
    format!("{kind}alpha {:?}, {classes}", config.alpha)
}

/// The first lines of a list that may be long.
fn list(lines: &[impl AsRef<str>]) -> String {
    const SHOWN: usize = 12;
    let shown = lines.iter().take(SHOWN);
    let mut text: String = shown.map(|line| format!("\n  {}", line.as_ref())).collect();
    if lines.len() > SHOWN {
        text.push_str(&format!("\n  and {} more", lines.len() - SHOWN));
    }
    text
}
