//! Safetensors: our own, whose metadata describes the network, and those of others.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use ::safetensors::tensor::{Metadata, TensorInfo};
use ::safetensors::{Dtype, SafeTensors};
use bytemuck::AnyBitPattern;
use candle_core::{Device, Tensor};
use half::{bf16, f16};
use serde::{Deserialize, Serialize};

use super::contents::Contents;
use super::naming::Naming;
use super::provenance::Source;
use super::quantised::{QuantisationSummary, Scales, scale_tensors};
use super::recognise::Stated;
use crate::error::{Error, Result, without_backtrace};
use crate::familiarity::FamiliarityRange;
use crate::head::Head;
use crate::learn::Lesson;
use crate::model::{
    Config, Convolution, Pool, Quantisation, StoredTensor, StoredTensors, StoredValues,
    TensorSource,
};
use crate::pixels::Preprocessing;
use crate::rejection::Rejection;

/// The key of the file's metadata under which [`Header`] stands as JSON.
const METADATA_KEY: &str = "mobilenet_v1";

/// Embeddings `[N, int(1024 * alpha)]` of pictures that the classes were learned from.
pub(super) const EXAMPLES: &str = "familiarity.examples";

/// Embeddings `[N, views, int(1024 * alpha)]` of all pictures that the classes were learned from.
pub(super) const LEARNED: &str = "learned.examples";

/// The newest version of [`Header`] that is read.
const VERSION: u32 = 2;

/// What the file says of the network besides its tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Header {
    /// See [`Header::version`]; a newer one is not understood.
    pub version: u32,
    #[serde(flatten)]
    pub config: Config,
    pub preprocessing: Preprocessing,
    /// The classes' names, where they are not ImageNet's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// What makes scores of its outputs.
    #[serde(default, skip_serializing_if = "Head::is_softmax")]
    pub head: Head,
    /// When a picture is of none of the classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejection: Option<Rejection>,
    /// What the cosines of a picture and the nearest of [`EXAMPLES`] mean, where there are such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub familiarity: Option<FamiliarityRange>,
    /// How the tensors were made integers, where some are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantisation: Option<QuantisationSummary>,
    /// How the classes were learned, and whether [`LEARNED`] is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned: Option<Lesson>,
    /// The file that this one was converted from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

impl Header {
    /// The version of what describes a network: 2 where a reader of version 1, which passes over what it
    /// doesn't know, would give another answer.
    pub fn version(config: &Config) -> u32 {
        match config.pool {
            Pool::Average => 1,
            Pool::Max => 2,
        }
    }
}

/// A file whose header was read and checked against its length.
#[derive(Debug, Clone)]
pub(super) struct SafetensorsFile {
    contents: Arc<Contents>,
    /// Where the tensors begin.
    start: usize,
    metadata: Arc<Metadata>,
    /// Our names, each with the file's own, where it has others.
    names: Arc<HashMap<String, String>>,
    naming: Option<&'static Naming>,
    /// What integers in it stand for.
    scales: Arc<Scales>,
}

impl SafetensorsFile {
    /// Reads a file's header.
    pub fn new(contents: Arc<Contents>) -> Result<Self, String> {
        let (length, metadata) = SafeTensors::read_metadata(&contents).map_err(damaged)?;
        Ok(Self {
            contents,
            start: length + size_of::<u64>(),
            metadata: Arc::new(metadata),
            names: Arc::default(),
            naming: None,
            scales: Arc::default(),
        })
    }

    /// The same with our names for the tensors of somebody else's naming, if it is in one.
    pub fn translated(self) -> (Self, Option<&'static Naming>) {
        let tensors = self.metadata.tensors();
        let prefix = wrapping(tensors.keys().map(String::as_str));
        let names = tensors.keys().filter_map(|name| name.strip_prefix(&prefix));
        let naming = Naming::of(&names.collect::<Vec<_>>());
        let names = naming.map(|naming| {
            let names = naming.names().into_iter();
            let names = names.map(|(ours, theirs)| (ours, format!("{prefix}{theirs}")));
            names.collect()
        });
        let translated = Self {
            names: Arc::new(names.unwrap_or_default()),
            naming,
            ..self
        };
        (translated, naming)
    }

    /// The same where integers stand for something.
    pub fn with_scales(self, scales: Scales) -> Self {
        Self {
            scales: Arc::new(scales),
            ..self
        }
    }

    /// The file's name for a tensor of ours.
    pub fn name<'a>(&'a self, ours: &'a str) -> &'a str {
        self.names.get(ours).map_or(ours, String::as_str)
    }

    /// Whether the tensors have our names and shapes in the file itself.
    pub fn is_ours(&self) -> bool {
        self.naming.is_none()
    }

    /// What it says of the network, where it is one of ours.
    pub fn header(&self) -> Result<Option<Header>, String> {
        let header = self.metadata.metadata().as_ref();
        let header = header.and_then(|entries| entries.get(METADATA_KEY));
        let header: Option<Header> = header
            .map(|json| serde_json::from_str(json))
            .transpose()
            .map_err(|e| format!("its metadata {METADATA_KEY} is not understood: {e}"))?;
        match header {
            Some(Header { version, .. }) if !(1..=VERSION).contains(&version) => Err(format!(
                "its metadata is of version {version}, and none after {VERSION} is understood"
            )),
            header => Ok(header),
        }
    }

    /// Names, shapes and types of its tensors, in our terms.
    pub fn stated(&self) -> Vec<Stated> {
        let ours = self.names.iter().map(|(ours, theirs)| (theirs, ours));
        let ours: HashMap<&String, &String> = ours.collect();
        let matters = |name: &String| {
            let ignored = self.naming.map(|naming| naming.ignored);
            ignored.is_none_or(|ignored| !name.ends_with(ignored))
        };
        let classifier = Convolution::classifier(1, 1).weight_name();
        let tensors = self.metadata.tensors().into_iter();
        let tensors = tensors.filter(|(name, _)| matters(name));
        let stated = tensors.map(|(name, tensor)| {
            let name = ours.get(&name).map_or(name.clone(), |ours| (*ours).clone());
            let mut shape = tensor.shape.clone();
            // A classifier is a 1x1 convolution to us.
            if self.naming.is_some() && name == classifier && shape.len() == 2 {
                shape.extend([1, 1]);
            }
            Stated {
                name,
                shape,
                is_numeric: matches!(
                    tensor.dtype,
                    Dtype::F16 | Dtype::BF16 | Dtype::F32 | Dtype::F64
                ),
                is_bytes: tensor.dtype == Dtype::I8,
            }
        });
        stated.collect()
    }

    /// All of the file.
    pub fn contents(&self) -> &Arc<Contents> {
        &self.contents
    }

    /// Whether some of its tensors are integers.
    pub fn is_quantised(&self) -> bool {
        !self.scales.weights.is_empty()
    }

    /// Copies all tensors of floats, under our names and in our shapes.
    pub fn tensors(&self) -> Result<HashMap<String, Tensor>, String> {
        let failed = |e| damaged(without_backtrace(e));
        let loaded = candle_core::safetensors::load_buffer(&self.contents, &Device::Cpu);
        let mut loaded = loaded.map_err(failed)?;
        if self.is_ours() {
            return Ok(loaded);
        }
        let mut tensors = HashMap::new();
        for Stated { name, shape, .. } in self.stated() {
            if let Some(tensor) = loaded.remove(self.name(&name)) {
                tensors.insert(name, tensor.reshape(shape).map_err(failed)?);
            }
        }
        Ok(tensors)
    }
}

impl TensorSource for SafetensorsFile {
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<StoredTensor<'_>> {
        let name = self.name(name);
        let error = |reason: &str| Error::tensor(name, reason);
        // The same numbers in the same order, whatever the shape; that was checked before.
        let fits = |info: &&TensorInfo| {
            info.shape.iter().product::<usize>() == shape.iter().product::<usize>()
        };
        let info = self.metadata.info(name).filter(fits);
        let info = info.ok_or_else(|| error(&format!("of shape {shape:?} is missing")))?;
        let (start, end) = info.data_offsets;
        let bytes = self.contents.get(self.start + start..self.start + end);
        let bytes = bytes.ok_or_else(|| error("is cut off"))?;
        let values = match info.dtype {
            Dtype::F64 => StoredValues::F64(values(bytes, f64::from_le_bytes)),
            Dtype::F32 => StoredValues::F32(values(bytes, f32::from_le_bytes)),
            Dtype::F16 => StoredValues::F16(values(bytes, f16::from_le_bytes)),
            Dtype::BF16 => StoredValues::BF16(values(bytes, bf16::from_le_bytes)),
            Dtype::I8 => {
                let scales = self.scales.weights.get(name);
                let scales = scales.ok_or_else(|| error("is of integers without a scale"))?;
                return Ok(StoredTensor {
                    values: StoredValues::I8(bytemuck::cast_slice(bytes).into()),
                    shape: shape.to_vec(),
                    quantisation: Some(scales.clone()),
                });
            }
            other => return Err(error(&format!("is of {other:?}"))),
        };
        Ok(StoredTensor::floats(values, shape))
    }

    fn activation(&self, convolution: &str) -> Option<&Quantisation> {
        self.scales.activations.get(convolution)
    }
}

/// What programs that train wrap a network in, which shows in the name of each tensor.
const WRAPPINGS: [&str; 3] = ["module.", "_orig_mod.", "model."];

/// The part that all names begin with and that is no part of the network's.
fn wrapping<'a>(names: impl Iterator<Item = &'a str> + Clone) -> String {
    let mut prefix = String::new();
    // Each of them once, in any order.
    for _ in WRAPPINGS {
        let longer = WRAPPINGS.iter().find_map(|part| {
            let longer = format!("{prefix}{part}");
            let mut names = names.clone().peekable();
            let all = names.peek().is_some() && names.all(|name| name.starts_with(&longer));
            all.then_some(longer)
        });
        match longer {
            Some(longer) => prefix = longer,
            None => break,
        }
    }
    prefix
}

/// Little-endian numbers: where they lie, if that is this machine's order of bytes and a place for
/// such numbers, as in every file of ours; else a copy.
fn values<const SIZE: usize, T: AnyBitPattern>(
    bytes: &[u8],
    number: impl Fn([u8; SIZE]) -> T,
) -> Cow<'_, [T]> {
    if cfg!(target_endian = "little")
        && let Ok(values) = bytemuck::try_cast_slice(bytes)
    {
        return Cow::Borrowed(values);
    }
    let (numbers, _) = bytes.as_chunks::<SIZE>();
    numbers.iter().map(|&bytes| number(bytes)).collect()
}

fn damaged(error: impl std::fmt::Display) -> String {
    format!("truncated or damaged safetensors ({error})")
}

/// The bytes of a file with these tensors and this header.
pub(super) fn encode(
    tensors: &HashMap<String, Tensor>,
    header: &Header,
) -> Result<Vec<u8>, String> {
    let json = serde_json::to_string(header).map_err(|e| e.to_string())?;
    // One entry, so that the same checkpoint always makes the same file.
    let metadata = HashMap::from([(METADATA_KEY.to_owned(), json)]);
    ::safetensors::serialize(tensors, Some(metadata)).map_err(|e| e.to_string())
}

/// The same with tensors as they are stored.
pub(super) fn encode_stored(stored: &StoredTensors, header: &Header) -> Result<Vec<u8>, String> {
    let json = serde_json::to_string(header).map_err(|e| e.to_string())?;
    let mut views: Vec<(String, View)> = Vec::new();
    for (name, tensor) in &stored.tensors {
        let (dtype, bytes) = match &tensor.values {
            StoredValues::F32(values) => (Dtype::F32, little_endian(values)),
            StoredValues::I8(values) => (Dtype::I8, bytemuck::cast_slice(values).to_vec()),
            _ => return Err(format!("{name} is of a type that is not written")),
        };
        let shape = tensor.shape.clone();
        views.push((
            name.clone(),
            View {
                dtype,
                shape,
                bytes,
            },
        ));
    }
    for (name, scales) in scale_tensors(stored) {
        let (dtype, bytes) = (Dtype::F32, little_endian(scales));
        let shape = vec![scales.len()];
        views.push((
            name,
            View {
                dtype,
                shape,
                bytes,
            },
        ));
    }
    let metadata = HashMap::from([(METADATA_KEY.to_owned(), json)]);
    ::safetensors::serialize(views, Some(metadata)).map_err(|e| e.to_string())
}

fn little_endian(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// A tensor's bytes, as the encoder takes them.
pub(super) struct View {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

impl ::safetensors::View for View {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}
