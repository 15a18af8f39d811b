//! The tensors of floats and bytes of an HDF5 file, as h5py writes them.
//!
//! The hdf5-reader crate parses; this module bounds what a file may ask of it. Without bounds
//! a hard link to a group's own parent recurses without end, and a dataset that was declared
//! but never written allocates whatever size it states.

use half::{bf16, f16};
use hdf5_reader::{Datatype, Hdf5File, OpenOptions, StringSize, group::Group};

/// More data than any MobileNet in HDF5 has: the published ones have 17 MB, alpha 4 has 270 MB.
const MAX_BYTES: usize = 512 << 20;
/// A MobileNet checkpoint has a few hundred groups and datasets.
const MAX_OBJECTS: usize = 20_000;
const MAX_DEPTH: usize = 16;
/// Parts of a list that is spread over several attributes.
const MAX_PARTS: usize = 100;

/// A dataset of floats, or of bytes.
#[derive(Debug)]
pub(super) struct Dataset {
    /// Names of the groups it lies in and its own, joined by `/`, without a leading one.
    pub path: String,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
    /// The values are integers of eight bits.
    pub is_bytes: bool,
}

/// An HDF5 file in memory.
pub(super) struct File {
    file: Hdf5File,
    /// Its name, where it is one of several parts.
    part: Option<String>,
}

impl File {
    /// Parses the file's outermost structure.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let options = OpenOptions::default()
            .with_max_read_bytes(MAX_BYTES)
            .with_max_chunk_bytes(256 << 20)
            .with_max_object_header_bytes(16 << 20);
        let file = Hdf5File::from_bytes_with_options(bytes, options).map_err(damaged)?;
        Ok(Self { file, part: None })
    }

    /// The same of one of several parts, with a name.
    pub fn named(self, name: impl Into<String>) -> Self {
        Self {
            part: Some(name.into()),
            ..self
        }
    }

    /// The text attribute of the root group, or `None` where there is none.
    pub fn text(&self, name: &str) -> Result<Option<String>, String> {
        let texts = texts(&self.file.root_group().map_err(damaged)?, name)?;
        Ok(texts.and_then(|texts| texts.into_iter().next()))
    }

    /// A list of texts that is an attribute of the group at a path, or of the root for an empty
    /// one. h5py's users spread long lists over `NAME0`, `NAME1` and so on. Empty where there
    /// is no such group or attribute.
    pub fn texts(&self, path: &str, name: &str) -> Result<Vec<String>, String> {
        let mut group = self.file.root_group().map_err(damaged)?;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            match group.group(part) {
                Ok(inner) => group = inner,
                Err(_) => return Ok(Vec::new()),
            }
        }
        if let Some(whole) = texts(&group, name)? {
            return Ok(whole);
        }
        let mut all = Vec::new();
        for number in 0..MAX_PARTS {
            match texts(&group, &format!("{name}{number}"))? {
                Some(part) => all.extend(part),
                None => break,
            }
        }
        Ok(all)
    }

    /// What is in several files that are parts of one: every dataset of 16, 32 or 64-bit floats, or of
    /// bytes, as f32. Others are passed over: a training checkpoint also holds counters. And the paths of
    /// all groups.
    pub fn contents(parts: &[Self]) -> Result<Listing, String> {
        let mut walk = Walk {
            objects_left: MAX_OBJECTS,
            bytes_left: MAX_BYTES,
            found: Listing::default(),
        };
        for part in parts {
            let root = part.file.root_group().map_err(damaged);
            let walked = root.and_then(|root| walk.group(&root, "", 0));
            walked.map_err(|reason| match &part.part {
                Some(name) => format!("its part {name}: {reason}"),
                None => reason,
            })?;
        }
        Ok(walk.found)
    }
}

/// What is in a file.
#[derive(Default)]
pub(super) struct Listing {
    pub datasets: Vec<Dataset>,
    pub groups: Vec<String>,
}

/// The texts of a group's attribute. The crate's own way decodes all attributes, and each text
/// may be as long as the file.
fn texts(group: &Group, name: &str) -> Result<Option<Vec<String>>, String> {
    let attributes = group.raw_attributes().map_err(damaged)?;
    let Some(attribute) = attributes.iter().find(|a| a.name() == name) else {
        return Ok(None);
    };
    let message = attribute.message();
    let data = &message.raw_data;
    let count = message.dataspace.num_elements().map_err(damaged)?;
    let width = match usize::try_from(count) {
        Ok(count @ 1..) if !data.is_empty() => data.len().div_ceil(count),
        _ => return Ok(Some(Vec::new())),
    };
    let variable = match &message.datatype {
        Datatype::String { size, .. } => *size == StringSize::Variable,
        Datatype::VarLen { .. } => true,
        _ => return Ok(Some(Vec::new())),
    };
    let mut bytes_left = MAX_BYTES;
    let mut texts = Vec::new();
    for stored in data.chunks_exact(width) {
        let referred = match variable {
            true => group.resolve_vlen_reference_bytes(stored, 1),
            false => Ok(stored.to_vec()),
        };
        let bytes = referred.map_err(damaged)?;
        bytes_left = bytes_left
            .checked_sub(bytes.len())
            .ok_or_else(|| format!("its {name} are longer than any MobileNet's"))?;
        let text = String::from_utf8(bytes).map_err(damaged)?;
        texts.push(text.trim_end_matches('\0').to_owned());
    }
    Ok(Some(texts))
}

/// How the values of a dataset are stored.
#[derive(Clone, Copy)]
enum Stored {
    /// Of so many bytes.
    Float(usize),
    /// HDF5 has no such type: opaque bytes, little-endian, and an attribute that says it.
    BFloat16,
    Byte {
        signed: bool,
    },
}

/// Whether opaque values are what Keras says so of.
fn is_bfloat16(dataset: &hdf5_reader::Dataset) -> Result<bool, String> {
    let attributes = dataset.raw_attributes().map_err(damaged)?;
    let mut attributes = attributes.iter();
    let named = |name: &str| name == "dtype";
    let Some(attribute) = attributes.find(|attribute| named(attribute.name())) else {
        return Ok(false);
    };
    let text = dataset.attribute(attribute.name()).map_err(damaged)?;
    Ok(text.read_string().is_ok_and(|text| text == "bfloat16"))
}

struct Walk {
    objects_left: usize,
    bytes_left: usize,
    found: Listing,
}

impl Walk {
    fn group(&mut self, group: &Group, prefix: &str, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(format!("its groups are nested more than {MAX_DEPTH} deep"));
        }
        let (groups, datasets) = group.members().map_err(damaged)?;
        self.objects_left = self
            .objects_left
            .checked_sub(1 + datasets.len())
            .ok_or_else(|| format!("it has more than {MAX_OBJECTS} groups and datasets"))?;
        for dataset in datasets {
            self.dataset(&dataset, prefix)?;
        }
        for inner in groups {
            let path = format!("{prefix}{}", inner.name());
            self.group(&inner, &format!("{path}/"), depth + 1)?;
            self.found.groups.push(path);
        }
        Ok(())
    }

    fn dataset(&mut self, dataset: &hdf5_reader::Dataset, prefix: &str) -> Result<(), String> {
        let path = format!("{prefix}{}", dataset.name());
        let stored = match dataset.dtype() {
            Datatype::FloatingPoint { size, .. } => Stored::Float(usize::from(*size)),
            Datatype::Opaque { size: 2, .. } if is_bfloat16(dataset)? => Stored::BFloat16,
            Datatype::FixedPoint {
                size: 1, signed, ..
            } => Stored::Byte { signed: *signed },
            _ => return Ok(()),
        };
        let width = match stored {
            Stored::Float(width) => width,
            Stored::BFloat16 => 2,
            Stored::Byte { .. } => 1,
        };
        let stated = dataset.raw_byte_len().map_err(damaged)?;
        // They become floats of 32 bits.
        let needed = match width {
            1 => stated.saturating_mul(size_of::<f32>()),
            _ => stated,
        };
        self.bytes_left = self
            .bytes_left
            .checked_sub(needed)
            .ok_or("it states more data than any MobileNet has")?;
        let bytes = dataset.read_native_bytes().map_err(damaged)?;
        let (whole, rest) = (bytes.len() / width.max(1), bytes.len() % width.max(1));
        let values: Vec<f32> = match stored {
            Stored::BFloat16 => floats(&bytes, |b| bf16::from_le_bytes(b).to_f32()),
            Stored::Byte { signed: true } => floats(&bytes, |b| i8::from_ne_bytes(b).into()),
            Stored::Byte { signed: false } => floats(&bytes, |[b]| b.into()),
            Stored::Float(2) => floats(&bytes, |b| f16::from_ne_bytes(b).to_f32()),
            Stored::Float(4) => floats(&bytes, f32::from_ne_bytes),
            Stored::Float(8) => floats(&bytes, |b| f64::from_ne_bytes(b) as f32),
            Stored::Float(_) => return Err(format!("{path} has floats of {width} bytes")),
        };
        let shape: Vec<usize> = dataset.shape().iter().map(|&n| n as usize).collect();
        let stated = shape
            .iter()
            .try_fold(1usize, |n, &side| n.checked_mul(side));
        if rest != 0 || stated != Some(whole) {
            return Err(format!("{path} is damaged: its data is not of its shape"));
        }
        self.found.datasets.push(Dataset {
            path,
            shape,
            values,
            is_bytes: matches!(stored, Stored::Byte { .. }),
        });
        Ok(())
    }
}

fn floats<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|&b| value(b)).collect()
}

fn damaged(error: impl std::fmt::Display) -> String {
    format!("truncated or damaged HDF5 ({error})")
}
