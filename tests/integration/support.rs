//! What several tests need.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use mobilenet::pixels::{RgbImage, to_tensor};
use mobilenet::weights::Checkpoint;

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A file of `tests/data`.
pub fn data(path: &str) -> PathBuf {
    repository("tests/data").join(path)
}

/// A file of the folder with pretrained weights and photographs, or `None`, said aloud, where
/// this checkout has no such folder beside it.
pub fn shared(path: &str) -> Option<PathBuf> {
    let file = repository("../shared").join(path);
    if file.exists() {
        return Some(file);
    }
    eprintln!("skipped: ../shared/{path} is not there");
    None
}

/// The tensors of a safetensors file.
pub fn tensors(path: impl AsRef<Path>) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(path, &Device::Cpu).expect("a readable fixture")
}

/// A uint8 tensor `[H, W, 3]` as an image.
pub fn image(tensor: &Tensor) -> RgbImage {
    let (height, width, _) = tensor.dims3().expect("[H, W, 3]");
    let bytes = tensor.flatten_all().and_then(|t| t.to_vec1()).expect("u8");
    RgbImage::from_raw(width as u32, height as u32, bytes).expect("as many bytes as pixels")
}

/// The values of a float tensor.
pub fn floats(tensor: &Tensor) -> Vec<f32> {
    let flat = tensor.flatten_all().expect("a tensor");
    flat.to_vec1().expect("f32")
}

/// The largest difference between two lists of equal length.
pub fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let differences = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, |a, b| if b.is_nan() { b } else { a.max(b) })
}

/// A checkpoint's embedding and logits for pictures that are the network's input already.
pub fn answer(checkpoint: &Checkpoint, inputs: &[RgbImage]) -> (Tensor, Tensor) {
    let network = checkpoint
        .network(&Device::Cpu, DType::F32)
        .expect("a network");
    let pixels = to_tensor(inputs, &Device::Cpu).expect("pixels");
    let embedding = network.embed(&pixels).expect("an embedding");
    let logits = network.forward(&pixels).expect("logits");
    (embedding, logits)
}
