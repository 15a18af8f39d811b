//! TensorFlow's frozen graphs and the checkpoints of TF-Slim (`tests/data/tensorflow`), as they are and damaged.

use std::path::{Path, PathBuf};

use mobilenet::model::Padding;
use mobilenet::ops::Activation;
use mobilenet::pixels::RgbImage;
use mobilenet::weights::{Checkpoint, LoadOptions};
use mobilenet::{Error, Head};
use rayon::prelude::*;

use crate::onnx::{off, unpacked};
use crate::support::{Program, answer, data, floats, image, tensors};

const TOLERANCE: f32 = 2e-5;

const INDEX: &str = "slim.ckpt-7.index";
const NUMBERS: &str = "slim.ckpt-7.data-00000-of-00001";

fn fixture(name: &str) -> Vec<u8> {
    unpacked(&format!("tensorflow/{name}"))
}

fn open(path: &Path) -> Result<Checkpoint, Error> {
    Checkpoint::open(path, &LoadOptions::default().with_size(64))
}

fn read(bytes: Vec<u8>) -> Result<Checkpoint, Error> {
    Checkpoint::from_bytes(bytes, Path::new("it.pb"), &LoadOptions::default())
}

#[test]
fn frozen_graphs_give_the_answers_of_tensorflow() {
    let golden = tensors(data("tensorflow/golden.safetensors"));
    let input = image(&golden["input"]);
    let small = image(&golden["input32"]);
    let large = RgbImage::from_fn(224, 224, |x, y| *small.get_pixel(x / 7, y / 7));
    for (name, input, size, is_scored, head) in [
        ("frozen", &input, 64, false, Head::Softmax),
        // The side of its average pool tells that of its pixels.
        ("open", &large, 224, true, Head::Softmax),
        ("optimised", &input, 64, false, Head::Softmax),
        ("retrained", &input, 64, true, Head::Sigmoid),
    ] {
        let checkpoint = read(fixture(&format!("{name}.pb"))).expect(name);
        let config = checkpoint.config();
        assert_eq!(config.activation, Activation::Relu6, "{name}");
        assert_eq!(config.padding, Padding::Same, "{name}");
        assert_eq!(checkpoint.head(), head, "{name}");
        assert_eq!(checkpoint.preprocessing().size, size, "{name}");
        assert!(
            checkpoint.preprocessing().pixel_scale.is_default(),
            "{name}"
        );
        let assumes = |setting| checkpoint.assumed().contains(&setting);
        assert!(!assumes("size") && !assumes("activation"), "{name}");
        assert_eq!(
            assumes("head"),
            !matches!(name, "frozen" | "open" | "retrained"),
            "{name}"
        );
        let answer = if name == "optimised" { "frozen" } else { name };
        let off = off(&checkpoint, input, is_scored, &floats(&golden[answer]));
        eprintln!("{name}: {off}");
        assert!(off < TOLERANCE, "{name}: {off}");
    }
}

/// A checkpoint in a folder, by the path of its table.
fn checkpoint(program: &Program) -> PathBuf {
    program.file(NUMBERS, fixture(NUMBERS));
    program.file(INDEX, fixture(INDEX))
}

/// TF-Slim's variables give what its graph says with them, however the checkpoint is named; not its moving averages.
#[test]
fn checkpoints_give_the_answers_of_tensorflow() {
    let golden = tensors(data("tensorflow/golden.safetensors"));
    let input = image(&golden["input"]);
    let program = Program::new();
    checkpoint(&program);
    program.file("model.ckpt", fixture("v1.ckpt"));
    for (name, answer) in [
        (INDEX, "slim"),
        (NUMBERS, "slim"),
        ("slim.ckpt-7", "slim"),
        ("slim.ckpt-7.meta", "slim"),
        (".", "slim"),
        ("model.ckpt", "v1"),
    ] {
        let checkpoint = open(&program.path(name)).expect(name);
        let config = checkpoint.config();
        assert_eq!(config.padding, Padding::Same, "{name}");
        assert!(!config.batch_norm_folded, "{name}");
        assert_eq!(config.classes, Some(5), "{name}");
        let off = off(&checkpoint, &input, false, &floats(&golden[answer]));
        eprintln!("{name}: {off}");
        assert!(off < TOLERANCE, "{name}: {off}");
    }
    // Of several, the one that the folder's own file says is the latest.
    program.file("other.ckpt-9.index", fixture(INDEX));
    let several = open(&program.path(".")).expect_err("two").to_string();
    assert!(
        several.contains("several checkpoints of TensorFlow"),
        "{several}"
    );
    let latest = "model_checkpoint_path: \"/somewhere/else/slim.ckpt-7\"\nall_model_checkpoint_paths: \"x\"\n";
    program.file("checkpoint", latest);
    open(&program.path(".")).expect("the latest");
}

/// Converted, it is the same network.
#[test]
fn converting_changes_nothing() {
    let program = Program::new();
    checkpoint(&program);
    program.file("frozen.pb", fixture("frozen.pb"));
    let inputs = [image(
        &tensors(data("tensorflow/golden.safetensors"))["input"],
    )];
    for name in ["slim.ckpt-7", "frozen.pb"] {
        let ran = program.run(&["convert", name, "-o", "ours.safetensors", "--size", "64"]);
        assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
        let (before, after) = (
            open(&program.path(name)),
            open(&program.path("ours.safetensors")),
        );
        let (before, after) = (before.expect(name), after.expect(name));
        assert_eq!(before.config(), after.config());
        let [before, after] = [before, after].map(|it| floats(&answer(&it, &inputs).1));
        assert_eq!(before, after, "{name}");
    }
}

#[track_caller]
fn refused(path: &Path, reason: &str) {
    let error = open(path).expect_err(reason).to_string();
    assert!(error.contains(reason), "{reason:?} is not in {error:?}");
}

/// Names and numbers have checksums: no change goes by unseen.
#[test]
fn damaged_checkpoints_are_refused() {
    let program = Program::new();
    let path = program.file(INDEX, fixture(INDEX));
    refused(&path, "which has to lie beside it");
    let numbers = fixture(NUMBERS);
    program.file(NUMBERS, &numbers[..numbers.len() / 2]);
    refused(&path, "it lies outside of its file");
    for place in (0..numbers.len()).step_by(numbers.len() / 40) {
        let mut changed = numbers.clone();
        changed[place] ^= 0x10;
        program.file(NUMBERS, changed);
        // What is not the network's is not looked at.
        if let Err(error) = open(&path) {
            let error = error.to_string();
            assert!(error.contains("its checksum is wrong"), "{place}: {error}");
        }
    }
    let wrong = (0..8).map(|part| {
        let mut changed = numbers.clone();
        let at = part * numbers.len() / 8;
        changed[at..at + 400]
            .iter_mut()
            .for_each(|byte| *byte ^= 0x10);
        program.file(NUMBERS, changed);
        open(&path).is_err()
    });
    assert!(wrong.filter(|is_wrong| *is_wrong).count() >= 2);
    program.file(NUMBERS, numbers);
    let index = fixture(INDEX);
    for place in (0..index.len()).step_by(3) {
        let mut changed = index.clone();
        changed[place] ^= [0x01, 0x80, 0xff][place % 3];
        program.file(INDEX, changed);
        // Behind the blocks only the unused end of the footer may be anything.
        let is_filling = place > index.len() - 48 && place < index.len() - 8;
        assert!(open(&path).is_err() || is_filling, "{place}");
    }
    for length in (0..index.len()).step_by(61) {
        program.file(INDEX, &index[..length]);
        assert!(open(&path).is_err(), "{length}");
    }
}

/// Bytes that are others, and every length: some answer, and no panic.
#[test]
fn no_byte_of_a_graph_makes_it_panic() {
    for name in ["frozen.pb", "optimised.pb", "retrained.pb", "v1.ckpt"] {
        let whole = fixture(name);
        let tried = (0..whole.len()).into_par_iter().step_by(31).map(|place| {
            let mut changed = whole.clone();
            changed[place] ^= [0x01, 0x80, 0xff, 0x08][place % 4];
            read(changed).is_ok()
        });
        let sound = tried.filter(|sound| *sound).count();
        eprintln!("{name}: {sound} of {} are still networks", whole.len() / 31);
        let cut = (0..whole.len()).into_par_iter().step_by(211);
        // Without its last nodes a graph may end with its average.
        let embeds = |length: usize| match read(whole[..length].to_vec()) {
            Ok(checkpoint) => checkpoint.config().classes.is_none(),
            Err(_) => true,
        };
        assert!(cut.all(embeds), "{name}");
    }
}

/// A file in which some bytes are others, as long.
fn with(name: &str, from: &str, to: &str) -> Vec<u8> {
    let mut bytes = fixture(name);
    let found = bytes
        .windows(from.len())
        .position(|at| at == from.as_bytes());
    let at = found.expect("what is looked for");
    bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
    bytes
}

#[test]
fn what_is_no_mobilenet_is_refused_by_its_node() {
    for (from, to, reason) in [
        (
            "\x05Relu6",
            "\x05Relu7",
            "(\"Relu7\"): not a MobileNet V1, which has no such operation",
        ),
        (
            "\x07AvgPool",
            "\x07MaxPool",
            "(\"MaxPool\"): not a MobileNet V1, which has no such operation",
        ),
        (
            "\x10FusedBatchNormV3",
            "\x10FakeQuantWithMin",
            "it is trained for eight bits",
        ),
        (
            "\x0bPlaceholder",
            "\x0bPlaceholdex",
            "it has no placeholder for pixels",
        ),
        (
            "\x08Identity",
            "\x08Variable",
            "its variables are in another file",
        ),
    ] {
        let error = read(with("frozen.pb", from, to))
            .expect_err(reason)
            .to_string();
        assert!(error.contains(reason), "{reason:?} is not in {error:?}");
    }
}
