//! TensorFlow.js's layers models, with the scores that it gives in JavaScript
//! (`tests/data/tensorflow_js/make_models.py`): as they are, damaged and incomplete.

use std::io::Read;
use std::path::{Path, PathBuf};

use mobilenet::Head;
use mobilenet::model::Padding;
use mobilenet::ops::Activation;
use mobilenet::pixels::PixelScale;
use mobilenet::weights::{Checkpoint, LoadOptions};

use crate::support::{Program, answer, data, floats, image, largest_difference, tensors};

/// Of the logarithms of scores, as of logits.
const TOLERANCE: f32 = 2e-4;

/// A fixture's files.
fn files(name: &str) -> Vec<(String, Vec<u8>)> {
    let path = data("tensorflow_js").join(format!("{name}.zip"));
    let file = std::fs::File::open(path).expect("a fixture");
    let mut archive = zip::ZipArchive::new(file).expect("a fixture");
    let files = (0..archive.len()).map(|number| {
        let mut file = archive.by_index(number).expect("a file");
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("a file");
        (file.name().expect("UTF-8").into_owned(), bytes)
    });
    files.collect()
}

/// Unpacks a fixture into a folder.
fn unpack(program: &Program, name: &str) -> PathBuf {
    let folder = program.path(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    for (file, bytes) in files(name) {
        std::fs::write(folder.join(file), bytes).expect("a file");
    }
    folder
}

fn open(path: &Path) -> Checkpoint {
    Checkpoint::open(path, &LoadOptions::default()).expect("a checkpoint")
}

/// The logarithm of a softmax, or the logits of which a sigmoid is.
fn comparable(head: Head, numbers: &[f32], are_scores: bool) -> Vec<f32> {
    let logs: Vec<f32> = match (head, are_scores) {
        (Head::Sigmoid, true) => numbers.iter().map(|p| (p / (1.0 - p)).ln()).collect(),
        (Head::Softmax, true) => numbers.iter().map(|p| p.ln()).collect(),
        _ => numbers.to_vec(),
    };
    match (head, are_scores) {
        (Head::Softmax, false) => {
            let sum: f32 = logs.iter().map(|x| x.exp()).sum();
            logs.iter().map(|x| x - sum.ln()).collect()
        }
        _ => logs,
    }
}

#[test]
fn scores_are_those_of_tensorflow_js() {
    let program = Program::new();
    let golden = tensors(data("tensorflow_js/answers.safetensors"));
    let (relu, relu6) = (Activation::Relu, Activation::Relu6);
    for (name, padding, activation, head) in [
        ("shards", Padding::Same, relu6, Head::Softmax),
        ("uint8", Padding::Keras, relu6, Head::Softmax),
        ("uint16", Padding::Keras, relu, Head::Softmax),
        ("float16", Padding::Keras, relu, Head::Softmax),
        ("nested", Padding::Keras, relu6, Head::Sigmoid),
        ("saved", Padding::Same, relu6, Head::Softmax),
    ] {
        let folder = unpack(&program, name);
        let checkpoint = open(&folder);
        assert_eq!(checkpoint.config().padding, padding, "{name}");
        assert_eq!(checkpoint.config().activation, activation, "{name}");
        assert_eq!(checkpoint.head(), head, "{name}");
        // All but the recipe, of which a model says at most the scale.
        for stated in ["size", "activation", "head"] {
            assert!(!checkpoint.assumed().contains(&stated), "{name}: {stated}");
        }
        let input = image(&golden[&format!("{name}.input")]);
        assert_eq!(checkpoint.preprocessing().size, input.width() as usize);
        let logits = floats(&answer(&checkpoint, &[input]).1);
        let scores = floats(&golden[&format!("{name}.scores")]);
        let off = largest_difference(
            &comparable(head, &logits, false),
            &comparable(head, &scores, true),
        );
        eprintln!("{name}: {off}");
        assert!(off < TOLERANCE, "{name}: {off}");
        // The folder and the file in it are the same, also by the sum of its bytes.
        let by_name = open(&folder.join("model.json"));
        assert_eq!(checkpoint.sha256(), by_name.sha256(), "{name}");
    }
    let scale = open(&program.path("nested")).preprocessing().pixel_scale;
    assert_eq!(scale, PixelScale::default());
}

/// By any name, and turned into one file that describes itself.
#[test]
fn the_program_takes_and_converts_them() {
    let program = Program::new();
    let folder = unpack(&program, "uint8");
    std::fs::rename(folder.join("model.json"), folder.join("best.JSON")).expect("renamed");
    let ran = program.run(&["convert", "uint8/best.JSON", "-o", "ours.safetensors"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let (theirs, ours) = (
        open(&folder.join("best.JSON")),
        open(&program.path("ours.safetensors")),
    );
    assert_eq!(theirs.config(), ours.config());
    let golden = tensors(data("tensorflow_js/answers.safetensors"));
    let inputs = [image(&golden["uint8.input"])];
    let [theirs, ours] = [theirs, ours].map(|it| floats(&answer(&it, &inputs).1));
    assert_eq!(theirs, ours);
}

/// Changes a fixture's `model.json`, and compares the reason with what is expected.
#[track_caller]
fn refused(name: &str, from: &str, to: &str, reason: &str) {
    let program = Program::new();
    let folder = unpack(&program, name);
    let path = folder.join("model.json");
    let text = std::fs::read_to_string(&path).expect("a text");
    assert!(text.contains(from), "{from} is not in it");
    std::fs::write(&path, text.replacen(from, to, 1)).expect("a text");
    let error = Checkpoint::open(&folder, &LoadOptions::default()).expect_err(reason);
    let error = error.to_string();
    assert!(error.contains(reason), "{reason:?} is not in {error:?}");
    assert!(error.contains("model.json"), "{error:?} names no file");
}

#[test]
fn weights_that_are_not_as_stated_are_refused() {
    let shard = "\"group1-shard1of3.bin\"";
    for (to, reason) in [
        ("\"../group1-shard1of3.bin\"", "which is no file beside it"),
        ("\"/etc/hostname\"", "which is no file beside it"),
        ("\"a\\\\b\"", "which is no file beside it"),
        ("\"\"", "which is no file beside it"),
        (
            "\"https://example.org/a.bin\"",
            "which is no file beside it",
        ),
        ("\"other.bin\"", "in other.bin, which is not beside it"),
        (
            "\"group1-shard1of3.bin\", \"group1-shard1of3.bin\"",
            "has more bytes",
        ),
        ("7", "its list of weights is damaged"),
    ] {
        refused("shards", shard, to, reason);
    }
    let shape = "\"shape\": [3, 3, 3, 2]";
    for (to, reason) in [
        ("\"shape\": [3, 3, 3, 3]", "108 bytes too short"),
        ("\"shape\": [3, 3, 3, 1]", "has more bytes than the weights"),
        (
            "\"shape\": [3, 3, 2, 3]",
            "its layers have 3, 4, 8, 16, 32, 64 channels",
        ),
        (
            "\"shape\": [3, 3, 3, 18446744073709551615]",
            "has more values than any",
        ),
        (
            "\"shape\": [3, 3, 3, 4294967296]",
            "larger than any MobileNet V1's",
        ),
        ("\"shape\": [3, 3, 3, -2]", "its list of weights is damaged"),
    ] {
        refused("shards", shape, to, reason);
    }
    refused(
        "shards",
        "\"shape\": [3, 3, 3, 2], \"dtype\": \"float32\"",
        "\"shape\": [3, 3, 3, 2], \"dtype\": \"int32\"",
        "is of int32",
    );
    let steps = "\"quantization\": {\"dtype\": \"uint8\"";
    refused(
        "uint8",
        steps,
        "\"quantization\": {\"dtype\": \"uint4\"",
        "is quantised to uint4",
    );
    refused(
        "uint8",
        "\"scale\": 0",
        "\"steps\": 0",
        "has no scale and least value",
    );
    refused(
        "shards",
        "conv2d/kernel",
        "conv2d/other",
        "conv2d/other is not part of it",
    );
    // Twice the same.
    refused(
        "shards",
        "batch_normalization/beta",
        "batch_normalization/gamma",
        "batch_normalization/gamma is not part of it",
    );
    refused(
        "shards",
        "\"weightsManifest\"",
        "\"weights\"",
        "doesn't say where its weights are",
    );
}

#[test]
fn other_models_are_called_by_their_names() {
    refused(
        "shards",
        "\"layers-model\"",
        "\"graph-model\"",
        "a graph model of TensorFlow.js",
    );
    refused(
        "shards",
        "\"model_config\"",
        "\"model\"",
        "doesn't describe that",
    );
    refused(
        "shards",
        "\"strides\": [2, 2]",
        "\"strides\": [1, 1]",
        "has strides [1,1]",
    );
    let program = Program::new();
    for (text, reason) in [
        (
            &b"[{\"paths\": [], \"weights\": []}]"[..],
            "give its model.json",
        ),
        (
            b"{\"weightsManifest\": [",
            "truncated or damaged model of TensorFlow.js",
        ),
        (b"{\"a\": 1}", "a JSON text, not a checkpoint"),
    ] {
        let path = program.file("some.json", text);
        let error = Checkpoint::open(&path, &LoadOptions::default()).expect_err(reason);
        assert!(error.to_string().contains(reason), "{error}");
    }
}

/// Cut off anywhere, and a shard with them.
#[test]
fn what_is_cut_off_is_refused() {
    let program = Program::new();
    let folder = unpack(&program, "uint8");
    for name in ["model.json", "group1-shard1of1.bin"] {
        let whole = std::fs::read(folder.join(name)).expect("a file");
        for length in (0..whole.len()).step_by(if name == "model.json" { 531 } else { 97 }) {
            std::fs::write(folder.join(name), &whole[..length]).expect("a file");
            let opened = Checkpoint::open(&folder, &LoadOptions::default());
            assert!(opened.is_err(), "{name}: {length} bytes");
        }
        std::fs::write(folder.join(name), whole).expect("a file");
    }
    open(&folder);
}

/// Any byte of the description, in several ways: an error or a network, and never a panic.
#[test]
fn no_byte_makes_it_panic() {
    let program = Program::new();
    let folder = unpack(&program, "uint8");
    let path = folder.join("model.json");
    let text = std::fs::read(&path).expect("a text");
    let mut valid = 0;
    for at in (0..text.len()).step_by(13) {
        for mask in [0x01, 0x10] {
            let mut changed = text.clone();
            changed[at] ^= mask;
            std::fs::write(&path, changed).expect("a text");
            let opened = Checkpoint::open(&folder, &LoadOptions::default());
            valid += usize::from(opened.is_ok());
        }
    }
    eprintln!("{valid} are still networks");
    assert!(valid > 100, "{valid}");
}
