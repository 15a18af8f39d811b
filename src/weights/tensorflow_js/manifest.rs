//! What a `model.json` says of its weights: in which files they lie one after another, and how.

use half::f16;
use serde::Deserialize;
use serde_json::Value;

use crate::weights::hdf5::Dataset;

/// More than the layers of any MobileNet have.
const MAX_WEIGHTS: usize = 10_000;

/// More files than anybody makes of a few megabytes.
const MAX_SHARDS: usize = 1000;

/// Weights that lie one after another in the same files.
#[derive(Deserialize)]
pub(super) struct Group {
    pub paths: Vec<String>,
    weights: Vec<Weight>,
}

#[derive(Deserialize)]
struct Weight {
    /// `LAYER/VARIABLE`.
    name: String,
    shape: Vec<u64>,
    dtype: String,
    quantization: Option<Steps>,
}

/// How integers, or shorter floats, stand for a weight's numbers.
#[derive(Deserialize)]
struct Steps {
    dtype: String,
    scale: Option<f64>,
    min: Option<f64>,
}

/// The groups of a model's weights.
pub(super) fn groups(manifest: &Value) -> Result<Vec<Group>, String> {
    if manifest.is_null() {
        return Err("it doesn't say where its weights are (weightsManifest)".into());
    }
    let groups = Vec::<Group>::deserialize(manifest);
    let groups = groups.map_err(|e| format!("its list of weights is damaged ({e})"))?;
    let weights: usize = groups.iter().map(|group| group.weights.len()).sum();
    let shards: usize = groups.iter().map(|group| group.paths.len()).sum();
    if weights > MAX_WEIGHTS || shards > MAX_SHARDS {
        return Err(format!(
            "not a MobileNet V1: it has {weights} weights in {shards} files"
        ));
    }
    Ok(groups)
}

impl Group {
    /// How many bytes all of its weights have.
    pub fn bytes(&self) -> Result<u64, String> {
        let mut sum = 0u64;
        for weight in &self.weights {
            sum = sum.saturating_add(weight.bytes()?);
        }
        Ok(sum)
    }

    /// Its weights as numbers, from the bytes of its files.
    pub fn variables(&self, mut bytes: &[u8]) -> Result<Vec<Dataset>, String> {
        let mut found = Vec::new();
        for weight in &self.weights {
            let length = usize::try_from(weight.bytes()?).unwrap_or(usize::MAX);
            let (part, rest) = bytes
                .split_at_checked(length)
                .ok_or("its weights end too early")?;
            bytes = rest;
            found.push(Dataset {
                path: weight.name.clone(),
                shape: weight.shape.iter().map(|&side| side as usize).collect(),
                values: weight.numbers(part)?,
                is_bytes: false,
            });
        }
        Ok(found)
    }
}

/// How a number is stored.
enum Stored {
    F32,
    F16,
    /// Of one byte or two: `integer * scale + min`.
    Steps {
        wide: bool,
        scale: f64,
        min: f64,
    },
}

impl Stored {
    fn width(&self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Steps { wide: true, .. } => 2,
            Self::Steps { wide: false, .. } => 1,
        }
    }
}

impl Weight {
    fn stored(&self) -> Result<Stored, String> {
        let error = |reason: String| format!("its weight {} {reason}", self.name);
        if self.dtype != "float32" {
            let kind = shown(&self.dtype);
            return Err(error(format!("is of {kind}, where float32 is expected")));
        }
        let Some(steps) = &self.quantization else {
            return Ok(Stored::F32);
        };
        let wide = match steps.dtype.as_str() {
            "float16" => return Ok(Stored::F16),
            "uint8" => false,
            "uint16" => true,
            other => {
                return Err(error(format!(
                    "is quantised to {}: uint8, uint16 and float16 are read",
                    shown(other)
                )));
            }
        };
        match (steps.scale, steps.min) {
            (Some(scale), Some(min)) if (scale as f32).is_finite() && (min as f32).is_finite() => {
                Ok(Stored::Steps { wide, scale, min })
            }
            _ => Err(error(
                "has no scale and least value for its integers".into(),
            )),
        }
    }

    fn bytes(&self) -> Result<u64, String> {
        let width = self.stored()?.width();
        let mut sides = self.shape.iter();
        let bytes = sides.try_fold(width, |n, &side| n.checked_mul(side));
        bytes.ok_or_else(|| format!("its weight {} has more values than any", self.name))
    }

    fn numbers(&self, bytes: &[u8]) -> Result<Vec<f32>, String> {
        // In f64, as JavaScript computes.
        let number = |integer: f64, scale: f64, min: f64| (integer * scale + min) as f32;
        Ok(match self.stored()? {
            Stored::F32 => chunks(bytes, f32::from_le_bytes),
            Stored::F16 => chunks(bytes, |bytes| f16::from_le_bytes(bytes).to_f32()),
            Stored::Steps {
                wide: false,
                scale,
                min,
            } => chunks(bytes, |[byte]| number(byte.into(), scale, min)),
            Stored::Steps {
                wide: true,
                scale,
                min,
            } => chunks(bytes, |bytes| {
                number(u16::from_le_bytes(bytes).into(), scale, min)
            }),
        })
    }
}

fn chunks<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|chunk| number(*chunk)).collect()
}

/// A name that a file states, as far as it is fit for a message.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(20).collect()
}
