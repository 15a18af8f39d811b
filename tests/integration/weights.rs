//! Safetensors files that others wrote: every type and alignment, from a pipe, converted in place.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use mobilenet::model::{Config, MobileNet, random_tensors};
use mobilenet::weights::{Checkpoint, LoadOptions};
use sha2::{Digest, Sha256};

use crate::support::{Program, arg, floats, repository, values};

/// A small network's tensors as a file without metadata.
fn foreign(path: &Path, dtype: DType) -> Config {
    let config = Config {
        classes: Some(7),
        ..Config::with_alpha(0.05)
    };
    let mut tensors = random_tensors(&config, 1).expect("tensors");
    for tensor in tensors.values_mut() {
        *tensor = tensor.to_dtype(dtype).expect("converted");
    }
    candle_core::safetensors::save(&tensors, path).expect("saved");
    config
}

/// What is packed straight from a file's bytes is what comes of it tensor by tensor.
fn check(path: &Path, config: &Config) {
    let checkpoint = Checkpoint::open(path, &LoadOptions::default()).expect("a checkpoint");
    assert_eq!(checkpoint.config(), config);
    let direct = checkpoint.network(&Device::Cpu, DType::F32);
    let weights = checkpoint.weights(&Device::Cpu, DType::F32);
    let by_tensor = MobileNet::new(config, &weights.expect("tensors"));
    let pixels = Tensor::from_vec(values(3 * 64 * 64, 2), (1, 3, 64, 64), &Device::Cpu);
    let pixels = pixels.expect("pixels");
    let [direct, by_tensor] = [direct, by_tensor].map(|network| {
        let network = network.expect("a network");
        floats(&network.forward(&pixels).expect("logits"))
    });
    assert_eq!(direct, by_tensor);
    assert!(direct.iter().all(|logit| logit.is_finite()));
}

#[test]
fn every_type_is_read_where_it_lies() {
    let program = Program::new();
    let path = program.path("foreign.safetensors");
    for dtype in [DType::F32, DType::F16, DType::BF16, DType::F64] {
        let config = foreign(&path, dtype);
        check(&path, &config);
        // One more byte of header, and no float lies where floats do.
        let mut bytes = std::fs::read(&path).expect("saved");
        let length = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes"));
        bytes[..8].copy_from_slice(&(length + 1).to_le_bytes());
        bytes.insert(8 + length as usize, b' ');
        check(&program.file("odd.safetensors", bytes), &config);
    }
}

#[cfg(unix)]
#[test]
fn weights_may_come_through_a_pipe() {
    let program = Program::new();
    let path = program.path("foreign.safetensors");
    foreign(&path, DType::F32);
    let cat = repository("samples/cat.jpg");
    let classify =
        |weights: &str| program.command(&["classify", "--json", "--weights", weights, arg(&cat)]);
    let from_file = classify(arg(&path)).output().expect("ran");
    let bytes = std::fs::read(&path).expect("saved");
    let from_pipe = classify("/dev/stdin").write_stdin(bytes.clone()).output();
    let from_pipe = from_pipe.expect("ran");
    assert!(from_file.status.success() && from_pipe.status.success());
    assert_eq!(from_file.stdout, from_pipe.stdout);
    let half = bytes[..bytes.len() / 2].to_vec();
    let cut = classify("/dev/stdin")
        .write_stdin(half)
        .output()
        .expect("ran");
    assert_eq!(cut.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&cut.stderr).contains("/dev/stdin: truncated"));
}

/// The file that is read is the one that is replaced, and its digest is that of what was read.
#[test]
fn a_file_is_converted_in_place() {
    let program = Program::new();
    let path = program.path("model.safetensors");
    let config = foreign(&path, DType::F16);
    let before = std::fs::read(&path).expect("saved");
    let ran = program.run(&["convert", "model.safetensors", "-o", "model.safetensors"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    check(&path, &config);
    let checkpoint = Checkpoint::open(&path, &LoadOptions::default()).expect("a checkpoint");
    let source = checkpoint.source().expect("a source");
    let digest = Sha256::digest(&before);
    let sha256: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        (&*source.name, &source.sha256),
        ("model.safetensors", &sha256)
    );
}
