//! ONNX files of each exporter (`tests/data/onnx`), as they are, damaged, and made to harm.

use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use mobilenet::model::Padding;
use mobilenet::ops::Activation;
use mobilenet::pixels::{PixelScale, RgbImage};
use mobilenet::weights::{Checkpoint, LoadOptions};
use mobilenet::{Error, Head};
use rayon::prelude::*;

use crate::support::{Program, answer, data, floats, image, largest_difference, tensors};

const TOLERANCE: f32 = 2e-5;

/// Files that torch's exporters wrote, and those of Keras and tf2onnx with the side of their pictures.
const TORCH: [&str; 8] = [
    "dynamo",
    "script",
    "half",
    "dequantised",
    "training",
    "normalised",
    "bytes",
    "transformers",
];
const KERAS: [(&str, usize); 5] = [
    ("keras", 64),
    ("keras_scaled", 64),
    ("tf2onnx", 33),
    ("tf2onnx_nchw", 33),
    ("from_tflite", 33),
];

/// A packed file of a folder of fixtures.
pub fn unpacked(path: &str) -> Vec<u8> {
    let packed = std::fs::File::open(data(&format!("{path}.gz"))).expect("a fixture");
    let mut bytes = Vec::new();
    let mut unpacked = GzDecoder::new(packed);
    unpacked.read_to_end(&mut bytes).expect("a fixture");
    bytes
}

fn fixture(name: &str) -> Vec<u8> {
    unpacked(&format!("onnx/{name}.onnx"))
}

fn read(bytes: Vec<u8>) -> Result<Checkpoint, Error> {
    Checkpoint::from_bytes(bytes, Path::new("it.onnx"), &LoadOptions::default())
}

#[track_caller]
fn refused(bytes: Vec<u8>, reason: &str) {
    let error = read(bytes).expect_err(reason).to_string();
    assert!(error.contains(reason), "{reason:?} is not in {error:?}");
}

/// How far what a checkpoint says of a picture is from what a graph says, which may end with scores.
pub fn off(checkpoint: &Checkpoint, input: &RgbImage, is_scored: bool, want: &[f32]) -> f32 {
    let logits = floats(&answer(checkpoint, std::slice::from_ref(input)).1);
    let sigmoid = |x: &f32| 1.0 / (1.0 + (-x).exp());
    let sum: f32 = logits.iter().map(|x| x.exp()).sum();
    let said: Vec<f32> = match (is_scored, checkpoint.head()) {
        (false, _) => logits,
        (true, Head::Sigmoid) => logits.iter().map(sigmoid).collect(),
        (true, _) => logits.iter().map(|x| x.exp() / sum).collect(),
    };
    largest_difference(&said, want)
}

/// Each exporter's file gives what onnxruntime says.
#[test]
fn answers_are_those_of_onnxruntime() {
    let torch = tensors(data("onnx/torch.golden.safetensors"));
    let keras = tensors(data("onnx/keras.golden.safetensors"));
    let torch = TORCH.map(|name| (name, 64, &torch, "input".to_owned()));
    let keras = KERAS.map(|(name, size)| (name, size, &keras, format!("input{size}")));
    for (name, size, golden, input) in torch.into_iter().chain(keras) {
        let checkpoint = read(fixture(name)).expect(name);
        let is_scored = matches!(name, "normalised" | "bytes" | "keras" | "keras_scaled");
        let is_open = matches!(name, "training" | "keras_scaled");
        let assumes = |setting| checkpoint.assumed().contains(&setting);
        assert_eq!(assumes("size"), is_open, "{name}");
        assert_eq!(assumes("head"), !is_scored, "{name}");
        let is_scaled = matches!(name, "normalised" | "bytes" | "keras_scaled");
        assert_eq!(assumes("pixels"), !is_scaled, "{name}");
        assert!(!assumes("activation"), "{name}");
        if !is_open {
            assert_eq!(checkpoint.preprocessing().size, size, "{name}");
        }
        let want = floats(&golden[name]);
        let off = off(&checkpoint, &image(&golden[&input]), is_scored, &want);
        eprintln!("{name}: {off}");
        assert!(off < TOLERANCE, "{name}: {off}");
    }
}

/// What a graph says of the network, each in another way.
#[test]
fn what_a_graph_says_is_heeded() {
    let settings = |name: &str| {
        let checkpoint = read(fixture(name)).expect(name);
        let config = checkpoint.config();
        (config.activation, config.padding, checkpoint.head())
    };
    let (relu, relu6) = (Activation::Relu, Activation::Relu6);
    let (softmax, sigmoid) = (Head::Softmax, Head::Sigmoid);
    assert_eq!(settings("dynamo"), (relu6, Padding::Symmetric, softmax));
    assert_eq!(settings("normalised"), (relu, Padding::Symmetric, sigmoid));
    assert_eq!(settings("transformers"), (relu6, Padding::Same, softmax));
    assert_eq!(settings("keras_scaled"), (relu6, Padding::Keras, sigmoid));
    assert_eq!(settings("tf2onnx"), (relu, Padding::Same, softmax));

    let scale = |name: &str| read(fixture(name)).expect(name).preprocessing().pixel_scale;
    assert!(scale("bytes").is_default());
    assert!(scale("keras_scaled").is_default());
    let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let imagenet = PixelScale::from_mean_and_std(1.0 / 255.0, mean, std).expect("a scale");
    let normalised = scale("normalised");
    for colour in 0..3 {
        let near = |a: f64, b: f64| (a - b).abs() < 1e-6 * b.abs();
        assert!(near(normalised.scale()[colour], imagenet.scale()[colour]));
        assert!(near(normalised.offset()[colour], imagenet.offset()[colour]));
    }
}

/// Weights in another file: found beside it, and missed by name.
#[test]
fn weights_in_another_file_are_read() {
    let program = Program::new();
    let path = program.file("model.onnx", fixture("external"));
    let open = || Checkpoint::open(&path, &LoadOptions::default());
    let missing = open().expect_err("no weights").to_string();
    assert!(
        missing.contains("its weights are in \"external.onnx.data\""),
        "{missing}"
    );
    let weights = unpacked("onnx/external.onnx.data");
    program.file("external.onnx.data", &weights[..weights.len() / 2]);
    let short = open().expect_err("half of the weights").to_string();
    assert!(short.contains("it lies outside of"), "{short}");

    program.file("external.onnx.data", &weights);
    let checkpoint = open().expect("a checkpoint");
    let golden = tensors(data("onnx/torch.golden.safetensors"));
    let want = floats(&golden["external"]);
    let far = off(&checkpoint, &image(&golden["input"]), false, &want);
    assert!(far < TOLERANCE, "{far}");
    // What answered is the one file and the other.
    let both = [fixture("external"), weights.clone()].concat();
    let digest = checkpoint.sha256();
    let mut changed = weights;
    let last = changed.len() - 1;
    changed[last] ^= 1;
    program.file("external.onnx.data", changed);
    assert_ne!(digest, open().expect("another checkpoint").sha256());
    assert!(digest.is_some_and(|digest| digest == sha256(&both)));
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Converted, it is the same network: the same settings, and bit for bit the same answers.
#[test]
fn converting_changes_nothing() {
    let program = Program::new();
    let path = program.file("model.onnx", fixture("bytes"));
    let ran = program.run(&["convert", "model.onnx", "-o", "ours.safetensors"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let open = |path: &Path| Checkpoint::open(path, &LoadOptions::default()).expect("a checkpoint");
    let (before, after) = (open(&path), open(&program.path("ours.safetensors")));
    assert_eq!(before.config(), after.config());
    assert_eq!(before.preprocessing(), after.preprocessing());
    let golden = tensors(data("onnx/torch.golden.safetensors"));
    let inputs = [image(&golden["input"])];
    let [before, after] = [before, after].map(|it| floats(&answer(&it, &inputs).1));
    assert_eq!(before, after);
}

/// The first place of bytes in others.
fn find(bytes: &[u8], wanted: &[u8]) -> usize {
    let found = bytes.windows(wanted.len()).position(|at| at == wanted);
    found.expect("what is looked for")
}

/// A file in which some bytes are others, as long.
fn with(name: &str, from: &str, to: &str) -> Vec<u8> {
    let mut bytes = fixture(name);
    let at = find(&bytes, from.as_bytes());
    bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
    bytes
}

/// Operations that no MobileNet V1 has are named, with their nodes.
#[test]
fn what_is_no_mobilenet_is_refused_by_its_node() {
    for (name, from, to, reason) in [
        (
            "script",
            "\x04Gemm",
            "\x04Gemv",
            "(\"Gemv\"): not a MobileNet V1, which has no such",
        ),
        (
            "script",
            "\x04Clip",
            "\x04Selu",
            "(\"Selu\"): not a MobileNet V1, which has no such",
        ),
        (
            "script",
            "\x07Flatten",
            "\x07Sigmoid",
            "a sigmoid comes after the average",
        ),
        (
            "normalised",
            "\x04Relu",
            "\x04Sqrt",
            "a root comes between a convolution and its activation",
        ),
        (
            "tf2onnx",
            "\x11GlobalAverage",
            "\x11GlobalQuarter",
            "(\"GlobalQuarterPool\"): not a MobileNet V1",
        ),
    ] {
        refused(with(name, from, to), reason);
    }
}

/// A field of Protocol Buffers with a message or a text.
fn field(number: u8, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    let mut field = vec![(number << 3) | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        field.push(length as u8 | 0x80);
        length >>= 7;
    }
    field.push(length as u8);
    field.extend_from_slice(bytes);
    field
}

fn node(kind: &str, inputs: &[&str], output: &str) -> Vec<u8> {
    let mut node: Vec<u8> = inputs.iter().flat_map(|input| field(1, input)).collect();
    node.extend(field(2, output));
    node.extend(field(4, kind));
    field(1, node)
}

/// A file with these nodes and tensors, which takes `x` of 64x64 pixels and gives `y`.
fn model(parts: &[Vec<u8>]) -> Vec<u8> {
    let sides = [1u8, 3, 64, 64].map(|side| field(1, [0x08, side])).concat();
    let tensor = [vec![0x08, 1], field(2, sides)].concat();
    let input = [field(1, "x"), field(2, field(1, tensor))].concat();
    let graph = [parts.concat(), field(11, input), field(12, field(1, "y"))].concat();
    [vec![0x08, 8], field(7, graph), field(8, [0x10, 17])].concat()
}

/// A tensor of floats; `rest` says where its numbers are.
fn tensor(name: &str, sides: &[u8], rest: Vec<u8>) -> Vec<u8> {
    let sides: Vec<u8> = sides.iter().flat_map(|side| [0x08, *side]).collect();
    field(5, [sides, vec![0x10, 1], field(8, name), rest].concat())
}

#[test]
fn graphs_that_lead_nowhere_are_refused() {
    refused(
        model(&[node("Identity", &["x"], "z")]),
        "nothing in it makes \"y\"",
    );
    refused(
        model(&[node("Identity", &["x"], "y")]),
        "its output comes before the average",
    );
    let circle = [node("Identity", &["z"], "y"), node("Identity", &["y"], "z")];
    refused(model(&circle), "lead in a circle");
    refused(model(&[node("Add", &["x", "y"], "y")]), "lead in a circle");
    let twice = [node("Identity", &["x"], "y"), node("Relu", &["x"], "y")];
    refused(model(&twice), "two of its nodes make \"y\"");
    refused(
        model(&[node("Add", &["x", "x"], "y")]),
        "puts two of the network's own results together",
    );
    refused(
        model(&[node("Relu", &["x"], "y")]),
        "an activation comes right after the pixels",
    );
    refused(
        model(&[node("Shape", &["x"], "y")]),
        "its output does not come from its pixels",
    );
    // Each takes the one before twice: a walk that goes back would never end.
    let mut ladder: Vec<Vec<u8>> = vec![node("Identity", &["x"], "0")];
    for step in 1..2000 {
        let (before, after) = ((step - 1).to_string(), step.to_string());
        ladder.push(node("Max", &[&before, &before], &after));
    }
    ladder.push(node("Identity", &["1999"], "y"));
    refused(model(&ladder), "Max");
    let mut many: Vec<Vec<u8>> = (0..6000)
        .map(|n| node("Relu", &["x"], &n.to_string()))
        .collect();
    many.push(node("Identity", &["x"], "y"));
    refused(model(&many), "it has too many nodes");
    let names = ["x"; 100];
    refused(model(&[node("Sum", &names, "y")]), "too many parts");
}

#[test]
fn tensors_that_lie_are_refused() {
    let pass = || node("Add", &["x", "w"], "y");
    let of = |sides: &[u8], rest: Vec<u8>| model(&[pass(), tensor("w", sides, rest)]);
    refused(
        of(&[3, 1, 1], field(9, [0u8; 8])),
        "a tensor of [3, 1, 1] has 8 bytes",
    );
    refused(
        of(&[0x7f, 0x7f, 0x7f, 0x7f], field(9, [0u8; 4])),
        "truncated or damaged",
    );
    refused(of(&[1; 9], field(9, [0u8; 4])), "truncated or damaged");
    // Its sides are 2^62 and the like.
    let side = [0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40];
    let huge = field(
        5,
        [
            &side[..],
            &side,
            &[0x10, 1],
            &field(8, "w"),
            &field(9, [0u8; 4]),
        ]
        .concat(),
    );
    refused(model(&[pass(), huge]), "truncated or damaged");

    let elsewhere = |location: &str, offset: &str| {
        let entry = |key: &str, value: &str| field(13, [field(1, key), field(2, value)].concat());
        let place = [
            entry("location", location),
            entry("offset", offset),
            vec![0x70, 1],
        ];
        of(&[3, 1, 1], place.concat())
    };
    for location in [
        "../secret",
        "/etc/passwd",
        "a/../../b",
        "",
        "C:\\x",
        "..\\x",
    ] {
        refused(elsewhere(location, "0"), "which is not in its folder");
    }
    refused(elsewhere("none.data", "0"), "which has to lie beside it");
    refused(elsewhere(".", "0"), "which has to lie beside it");
    let program = Program::new();
    program.file("w.data", [0u8; 12]);
    for (offset, sound) in [
        ("0", true),
        ("4", false),
        ("99", false),
        ("-1", false),
        ("x", false),
    ] {
        let path = program.file("it.onnx", elsewhere("w.data", offset));
        let error = Checkpoint::open(&path, &LoadOptions::default()).expect_err("no network");
        let error = error.to_string();
        assert_eq!(
            error.contains("its output comes before"),
            sound,
            "{offset}: {error}"
        );
    }
}

/// Bytes that are others, and every length: some answer, and no panic.
#[test]
fn no_byte_makes_it_panic() {
    for name in ["script", "bytes", "keras", "half", "transformers"] {
        let whole = fixture(name);
        // What describes the graph lies before and behind the weights: all of it once, weights in steps.
        let tried = (0..whole.len()).into_par_iter().step_by(29).map(|place| {
            let mut changed = whole.clone();
            changed[place] ^= [0x01, 0x80, 0xff, 0x08][place % 4];
            read(changed).is_ok()
        });
        let sound = tried.filter(|sound| *sound).count();
        eprintln!("{name}: {sound} of {} are still networks", whole.len() / 29);
        let cut = (0..whole.len()).into_par_iter().step_by(211);
        assert!(
            cut.all(|length| read(whole[..length].to_vec()).is_err()),
            "{name}"
        );
    }
}
