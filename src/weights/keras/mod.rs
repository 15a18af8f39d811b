//! What Keras writes, translated into our names and layouts.
//!
//! Every file of Keras is a list of variables, and some describe their model too:
//!
//! | file | its variables are named | description |
//! | --- | --- | --- |
//! | weights `.h5` of Keras 2 and keras-applications | `conv_dw_1/conv_dw_1/depthwise_kernel:0` | none |
//! | whole model `.h5` | the same under `model_weights/`; Keras 3 without `:0` | an attribute |
//! | `.weights.h5` | `layers/depthwise_conv2d_3/vars/0` | none |
//! | `X_00000.weights.h5` and so on | that, some layers in each; `X.weights.json` says which (`beside`) | none |
//! | `.keras`, a zip or unpacked | that in `model.weights.h5` | `config.json` |
//!
//! The variables of a model that is a layer of another one lie in the outer layer's group:
//! `mobilenet_1.00_224/conv1/kernel`, `layers/functional/layers/conv2d/vars/0`. Those of a model that is a
//! class of its own lie under its attributes, and the groups say the layers' names: `backbone/layers/conv2d/vars/0`,
//! `blocks/block_3/pointwise/vars/0`.
//!
//! `layout` says how Keras names and orders what its layers have, as data. `stored` gathers a
//! file's variables by layer. Which layer of ours each is, the model's description tells
//! (`describe` lists its layers, `walk` goes through them, `network` and `unit` hold them
//! against the architecture, `front` says what comes before the first convolution, `top` what comes after the
//! pool, `settings` what a layer's settings mean), or else names, numbers or order (`names`). `translate`
//! makes tensors of them, `dense` and `lora` of those that are quantised or adapted.

mod beside;
mod dense;
mod describe;
mod front;
mod layout;
mod lora;
mod names;
mod network;
mod settings;
mod stored;
mod top;
mod translate;
mod unit;
mod walk;

use std::io::{Cursor, Read};

use serde_json::Value;

use super::hdf5::{Dataset, File};
use super::imported::{Imported, Tensors};
use super::stranger;
pub(super) use beside::{FilesBeside, without_index};
use describe::Described;
use network::DescribedNetwork;
use stored::Stored;

/// More than any MobileNet's weights, so that a zip bomb ends early.
const MAX_WEIGHTS_BYTES: u64 = 512 << 20;

/// More files than tell what a zip is.
const MAX_NAMES: usize = 10_000;

/// More than any model's description.
const MAX_CONFIG_BYTES: u64 = 64 << 20;

/// Reads an HDF5 file of weights or of a whole model.
pub(super) fn read_hdf5(bytes: &[u8]) -> Result<Imported, String> {
    let file = File::parse(bytes)?;
    let description = file.text("model_config")?;
    import(&[file], description.as_deref().map(str::as_bytes))
}

/// Reads a `.keras` file.
pub(super) fn read_zip(bytes: &[u8]) -> Result<Imported, String> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes))
        .map_err(|e| format!("truncated or damaged zip ({e})"))?;
    let names = archive.file_names().take(MAX_NAMES);
    let names: Vec<String> = names.filter_map(|n| Some(n.ok()?.into_owned())).collect();
    if let Some(known) = stranger::zip(names.iter().map(String::as_str)) {
        return Err(known);
    }
    let description = member(&mut archive, "config.json", MAX_CONFIG_BYTES)?;
    let weights = member(&mut archive, "model.weights.h5", MAX_WEIGHTS_BYTES)?;
    import(&[File::parse(&weights)?], Some(&description))
}

fn member(
    archive: &mut zip::ZipArchive<Cursor<&[u8]>>,
    name: &str,
    most: u64,
) -> Result<Vec<u8>, String> {
    let member = archive
        .by_name(name)
        .map_err(|e| format!("a zip, but not one of Keras: {name}: {e}"))?;
    let mut bytes = Vec::new();
    member
        .take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| format!("{name} in it is damaged: {e}"))?;
    if bytes.len() as u64 > most {
        return Err(format!("{name} in it is larger than any MobileNet"));
    }
    Ok(bytes)
}

/// What a file is, or several that are parts of one, and the model's description with them.
fn import(parts: &[File], description: Option<&[u8]>) -> Result<Imported, String> {
    let mut stored = Stored::read(parts)?;
    let description: Value = match description {
        Some(json) => serde_json::from_slice(json)
            .map_err(|e| format!("the model's description in it is damaged: {e}"))?,
        None => Value::Null,
    };
    let layers = describe::layers(&description)?;
    // A model that is a class of its own is described by nothing but its name.
    if layers.is_empty() {
        let (found, padding) = names::identify(&mut stored)?;
        let tensors = translate::tensors(found, stored).map_err(|e| e.to_string())?;
        return Ok(Imported {
            padding,
            ..Imported::new(Tensors::Loaded(tensors))
        });
    }
    described(&layers, stored)
}

/// Reads a model from its description and its variables, which lie elsewhere and are named
/// `LAYER/VARIABLE`, whatever model within the model the layer lies in.
pub(super) fn read_described(
    description: &Value,
    variables: Vec<Dataset>,
) -> Result<Imported, String> {
    let layers = describe::layers(description)?;
    if layers.is_empty() {
        return Err("its description has no layers".into());
    }
    let stored = Stored::by_layer(variables, |name| {
        let layer = layers.iter().find(|layer| layer.name == name);
        layer.and_then(|layer| layer.within)
    });
    described(&layers, stored)
}

fn described(layers: &[Described], mut stored: Stored) -> Result<Imported, String> {
    let network = DescribedNetwork::of(layers, &mut stored)?;
    let head = network.head();
    let found = network.find(&mut stored)?;
    let top = network.find_top(&mut stored, &found)?;
    let mut tensors = translate::tensors(found, stored).map_err(|e| e.to_string())?;
    tensors.extend(top.tensors);
    Ok(Imported {
        pool: network.pool,
        hidden: top.hidden,
        size: network.size,
        pixel_scale: network.pixel_scale,
        view: network.view,
        head,
        activation: Some(network.activation),
        padding: network.padding,
        batch_norm_epsilon: network.batch_norm_epsilon,
        ..Imported::new(Tensors::Loaded(tensors))
    })
}
