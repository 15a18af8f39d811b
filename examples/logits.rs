//! Bytes of pictures at the network's own size to logits, without anything between: what a network
//! computes, to be compared with what others do.
//!
//! ```console
//! cargo run --release --example logits -- CHECKPOINT PIXELS OUT [TYPE]
//! ```
//!
//! PIXELS holds `[N, size, size, 3]` bytes, OUT gets `[N, classes]` f32. TYPE is f32, int8 or
//! int8-reference; without it what the checkpoint computes in by default.

use std::error::Error;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use mobilenet::model::Precision;
use mobilenet::weights::{Checkpoint, LoadOptions};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, pixels, out, rest @ ..] = arguments.as_slice() else {
        return Err("logits CHECKPOINT PIXELS OUT [TYPE]".into());
    };
    let checkpoint = Checkpoint::open(path, &LoadOptions::default())?;
    let precision = match rest.first().map(String::as_str) {
        None => checkpoint.default_precision(&Device::Cpu),
        Some("f32") => DType::F32.into(),
        Some("int8") => Precision::Int8,
        Some("int8-reference") => Precision::Int8Reference,
        Some(other) => return Err(format!("no type {other}").into()),
    };
    let network = checkpoint.network(&Device::Cpu, precision)?;
    let size = checkpoint.preprocessing().size;
    let bytes = std::fs::read(Path::new(pixels))?;
    let mut logits: Vec<u8> = Vec::new();
    for picture in bytes.chunks_exact(size * size * 3) {
        let picture = Tensor::from_slice(picture, (1, size, size, 3), &Device::Cpu)?;
        let found: Vec<f32> = network.forward(&picture)?.flatten_all()?.to_vec1()?;
        logits.extend(found.iter().flat_map(|logit| logit.to_le_bytes()));
    }
    std::fs::write(Path::new(out), logits)?;
    Ok(())
}
