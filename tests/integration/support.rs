//! What several tests need.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use mobilenet::pixels::{AsPixels, DecodeOptions, RgbImage, open, to_bytes};
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
    crate::skipped::skip(format_args!("../shared/{path} is not there"));
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

/// Every file of a folder of `tests/data` decodes to the picture of its name; those in `inexact`
/// may be off by so much.
#[track_caller]
pub fn decodes_to(golden: &HashMap<String, Tensor>, folder: &str, inexact: &[(&str, u8)]) {
    let mut wrong = Vec::new();
    for (name, want) in golden {
        let want = image(want);
        let got = match open(data(folder).join(name), &DecodeOptions::default()) {
            Ok(got) => got,
            Err(error) => {
                wrong.push(error.to_string());
                continue;
            }
        };
        if got.dimensions() != want.dimensions() {
            let (got, want) = (got.dimensions(), want.dimensions());
            wrong.push(format!("{name}: {got:?}, not {want:?}"));
            continue;
        }
        let pairs = got.as_raw().iter().zip(want.as_raw());
        let off = pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0);
        let allowed = inexact.iter().find(|(n, _)| n == name).map_or(0, |n| n.1);
        if off > allowed {
            wrong.push(format!("{name}: off by {off}"));
        }
    }
    wrong.sort();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
pub fn answer<P: AsPixels>(checkpoint: &Checkpoint, inputs: &[P]) -> (Tensor, Tensor) {
    let network = checkpoint
        .network(&Device::Cpu, DType::F32)
        .expect("a network");
    let pixels = to_bytes(inputs, &Device::Cpu).expect("pixels");
    let embedding = network.embed(&pixels).expect("an embedding");
    let logits = network.forward(&pixels).expect("logits");
    (embedding, logits)
}

/// The program, with no environment but a home, caches and a path of its own.
pub struct Program {
    folder: tempfile::TempDir,
}

impl Program {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder }
    }

    /// A path in a folder that is empty at first and gone with this value.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file there.
    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).expect("written");
        path
    }

    /// A command with these arguments, to be run in that folder.
    pub fn command<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> assert_cmd::Command {
        let mut command = assert_cmd::Command::from_std(self.process(arguments));
        command.timeout(std::time::Duration::from_secs(120));
        command
    }

    /// The same as a process that can be started and left to itself.
    pub fn process<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> std::process::Command {
        let mut process = std::process::Command::new(env!("CARGO_BIN_EXE_mobilenet"));
        process
            .env_clear()
            .env("HOME", self.path("home"))
            .env("MOBILENET_CACHE", self.path("cache"))
            .env("HF_HOME", self.path("hf"))
            // What is tried again is tried at once.
            .env("MOBILENET_RETRY_DELAY", "0.01")
            .current_dir(self.folder.path())
            .args(arguments);
        process
    }

    /// Runs it to its end.
    pub fn run<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Ran {
        Ran::of(self.command(arguments).output().expect("the program"))
    }
}

/// What a run left.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    /// But for what is said of the checkpoint.
    pub stderr: String,
    /// What the checkpoint does not state, if that was said.
    pub assumed: Option<String>,
}

/// What the program says of what a checkpoint leaves open.
const ASSUMED: &str = "so this is assumed: ";

impl Ran {
    pub fn of(output: std::process::Output) -> Self {
        let (mut stderr, mut assumed) = (String::new(), None);
        for line in String::from_utf8_lossy(&output.stderr).split_inclusive('\n') {
            match line.split_once(ASSUMED) {
                Some((_, settings)) => {
                    assert!(assumed.is_none(), "said twice: {line}");
                    assumed = Some(settings.trim_end().to_owned());
                }
                None => stderr.push_str(line),
            }
        }
        let ran = Self {
            code: output.status.code(),
            stdout: output.stdout,
            stderr,
            assumed,
        };
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        ran
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("UTF-8")
    }

    /// Stdout as one JSON value.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).expect("JSON")
    }

    /// Stdout as a JSON value a line.
    pub fn rows(&self) -> Vec<serde_json::Value> {
        let lines = self.text().lines();
        lines
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }

    /// The run failed with exit code 2 and nothing on stdout; `parts` are in its message.
    #[track_caller]
    pub fn refused(&self, parts: &[&str]) {
        assert_eq!(self.code, Some(2), "{self:?}");
        assert!(self.stdout.is_empty(), "{self:?}");
        for part in parts {
            assert!(
                self.stderr.contains(part),
                "{part:?} is not in {:?}",
                self.stderr
            );
        }
    }
}

/// A path as an argument.
pub fn arg(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// The file of Keras's release that `tests/data/keras/make_release.py` made.
pub fn release_file() -> Vec<u8> {
    let packed = std::fs::File::open(data("keras/release_2_5_224_tf.h5.gz")).expect("a fixture");
    let mut bytes = Vec::new();
    let mut unpacked = flate2::read::GzDecoder::new(packed);
    std::io::Read::read_to_end(&mut unpacked, &mut bytes).expect("a fixture");
    bytes
}

/// A file's bytes, unpacked part by part if its name says that it is packed; what is cut off at the end is left out.
pub fn unpacked(path: &Path) -> Vec<u8> {
    let mut packed = &std::fs::read(path).unwrap_or_default()[..];
    let mut bytes = Vec::new();
    let extension = path.extension().and_then(|extension| extension.to_str());
    while !packed.is_empty() {
        let mut part = Vec::new();
        let read = match extension {
            Some("gz") => {
                let mut decoder = flate2::bufread::GzDecoder::new(&mut packed);
                std::io::Read::read_to_end(&mut decoder, &mut part).is_ok()
            }
            Some("zst") => {
                ruzstd::decoding::StreamingDecoder::new(&mut packed).is_ok_and(|mut decoder| {
                    std::io::Read::read_to_end(&mut decoder, &mut part).is_ok()
                })
            }
            _ => return packed.to_vec(),
        };
        if !read {
            break;
        }
        bytes.extend(part);
    }
    bytes
}

/// Values that are not symmetric, so that a swapped index shows; the same for a seed.
pub fn values(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1u64 << 24) as f32) * 2.0 - 0.9
    };
    (0..len).map(|_| next()).collect()
}
