//! A dense layer's weights: as they are, quantised by Keras, or with LoRA beside them.

use serde_json::Value;

use super::describe::Described;
use super::layout::Kind;
use super::lora;
use super::settings::{self, Quantised};
use super::stored::{Stored, StoredLayer, take};
use crate::weights::hdf5::Dataset;

/// A dense layer, or a 1x1 convolution of a single pixel.
pub(super) struct DenseWeights {
    pub inputs: usize,
    /// `[out][in]`.
    pub weight: Vec<f32>,
    /// `[out]`.
    pub bias: Vec<f32>,
}

/// Takes a described layer's variables out of a file.
///
/// # Errors
/// What is missing, of the wrong shape, or not what the description calls for.
pub(super) fn read(
    stored: &mut Stored,
    described: &Described<'_>,
    kind: Kind,
) -> Result<DenseWeights, String> {
    let mut layer = take(stored, described, kind).ok_or("has no weights in the file")?;
    let config = described.config;
    let quantised = match kind {
        Kind::Dense => settings::quantisation(config)?,
        _ => None,
    };
    let has_bias = config["use_bias"] != false;
    name_variables(&mut layer, has_bias, quantised);
    let mut kernel = match quantised {
        Some(quantised) => quantised_kernel(&mut layer, config, quantised)?,
        None => float(&mut layer, "kernel")?,
    };
    lora::merge(&mut layer, &mut kernel, config)?;
    let (inputs, units) = match kernel.shape.as_slice() {
        [inputs, units] | [1, 1, inputs, units] => (*inputs, *units),
        shape => return Err(format!("has a kernel of shape {shape:?}")),
    };
    let bias = match has_bias {
        true => float(&mut layer, "bias")?.values,
        false => vec![0.0; units],
    };
    let stated = match kind {
        Kind::Dense => &config["units"],
        _ => &config["filters"],
    };
    if stated.as_u64().is_some_and(|stated| stated != units as u64) {
        return Err(format!("has {units} outputs in the file, not {stated}"));
    }
    let left = layer.variables.keys().chain(layer.integers.keys()).next();
    if let Some(left) = left {
        return Err(format!(
            "has a variable {left} that such a layer does not have"
        ));
    }
    if bias.len() != units {
        let found = bias.len();
        return Err(format!("has {found} biases for {units} outputs"));
    }
    let mut weight = Vec::with_capacity(kernel.values.len());
    for unit in 0..units {
        weight.extend((0..inputs).map(|input| kernel.values[input * units + unit]));
    }
    Ok(DenseWeights {
        inputs,
        weight,
        bias,
    })
}

/// Names variables that a file numbers.
fn name_variables(layer: &mut StoredLayer, has_bias: bool, quantised: Option<Quantised>) {
    let more: &[&str] = match quantised {
        None => &[],
        Some(Quantised::Int8) => &["kernel_scale"],
        // Those of several blocks have all three.
        Some(Quantised::Int4) => &["kernel_scale", "kernel_zero", "g_idx"],
    };
    let bias = has_bias.then_some("bias");
    let names = ["kernel"]
        .into_iter()
        .chain(bias)
        .chain(more.iter().copied());
    for (number, name) in names.enumerate() {
        for variables in [&mut layer.variables, &mut layer.integers] {
            if let Some(data) = variables.remove(&number.to_string()) {
                variables.insert(name.into(), data);
            }
        }
    }
}

fn float(layer: &mut StoredLayer, name: &str) -> Result<Dataset, String> {
    let found = layer.variables.remove(name);
    found.ok_or_else(|| format!("has no {name} of floats in the file"))
}

fn integers(layer: &mut StoredLayer, name: &str) -> Result<Dataset, String> {
    let found = layer.integers.remove(name);
    found.ok_or_else(|| format!("has no {name} of bytes in the file"))
}

/// What a quantised kernel stands for, `[in, out]`.
fn quantised_kernel(
    layer: &mut StoredLayer,
    config: &Value,
    quantised: Quantised,
) -> Result<Dataset, String> {
    let mut kernel = integers(layer, "kernel")?;
    let scale = float(layer, "kernel_scale")?;
    if quantised == Quantised::Int4 {
        kernel = unpacked(kernel, config)?;
    }
    let &[inputs, units] = kernel.shape.as_slice() else {
        return Err(format!("has a kernel of shape {:?}", kernel.shape));
    };
    if !layer.integers.contains_key("kernel_zero") {
        if scale.shape != [units] {
            let shape = scale.shape;
            return Err(format!("has scales of shape {shape:?} for {units} outputs"));
        }
        for row in kernel.values.chunks_exact_mut(units.max(1)) {
            for (value, scale) in row.iter_mut().zip(&scale.values) {
                *value /= scale;
            }
        }
        return Ok(kernel);
    }
    let zero = integers(layer, "kernel_zero")?;
    let groups = float(layer, "g_idx")?;
    if scale.shape != zero.shape
        || scale.shape.get(1..) != Some(&[units])
        || groups.shape != [inputs]
    {
        let (scale, zero, groups) = (scale.shape, zero.shape, groups.shape);
        return Err(format!(
            "has scales of shape {scale:?}, zeros of shape {zero:?} and groups of shape {groups:?} for \
             {inputs} inputs and {units} outputs"
        ));
    }
    let rows = kernel.values.chunks_exact_mut(units.max(1));
    for (row, &group) in rows.zip(&groups.values) {
        // A whole number, which is stored as a float.
        let place = if group >= 0.0 {
            group as usize
        } else {
            usize::MAX
        };
        let place = place.checked_mul(units);
        let within = |data: &'_ Dataset| {
            let values = data.values.get(place?..)?.get(..units)?;
            Some(values.to_vec())
        };
        let (Some(scales), Some(zeros)) = (within(&scale), within(&zero)) else {
            return Err(format!("has a group {group}, for which it has no scales"));
        };
        for (value, (scale, zero)) in row.iter_mut().zip(scales.iter().zip(zeros)) {
            *value = (*value - zero) * scale;
        }
    }
    Ok(kernel)
}

/// Bytes of two weights each, those of one input side by side, the low half first.
fn unpacked(packed: Dataset, config: &Value) -> Result<Dataset, String> {
    let units = config["units"].as_u64();
    let units = units.and_then(|units| usize::try_from(units).ok());
    let (Some(units), &[inputs, bytes]) = (units, packed.shape.as_slice()) else {
        return Err("has integers of four bits in an unknown order".into());
    };
    if units == 0 || units.div_ceil(2) != bytes {
        return Err(format!(
            "has rows of {bytes} bytes for {units} outputs of four bits; Keras 3.13 and later pack them \
             so that {} are enough",
            units.div_ceil(2)
        ));
    }
    let halves = |&byte: &f32| {
        let byte = byte as i32 as u8;
        // Shifted as signed bytes, so that the sign fills up.
        [(byte << 4) as i8 >> 4, byte as i8 >> 4].map(f32::from)
    };
    let rows = packed.values.chunks_exact(bytes);
    let values = rows.flat_map(|row| row.iter().flat_map(halves).take(units));
    Ok(Dataset {
        values: values.collect(),
        shape: vec![inputs, units],
        ..packed
    })
}
