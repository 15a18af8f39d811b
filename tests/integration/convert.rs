//! `mobilenet convert`, and that what it writes answers as what it read.

use std::path::{Path, PathBuf};

use candle_core::DType;
use mobilenet::pixels::RgbImage;
use mobilenet::weights::{Checkpoint, LoadOptions};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::{Program, answer, arg, data, floats, image, largest_difference, tensors};

const TINY: &str = "keras/tiny.keras";

fn input() -> RgbImage {
    let golden = tensors(data("keras/tiny.golden.safetensors"));
    image(&golden["a.input"])
}

fn logits(path: &Path) -> Vec<f32> {
    let checkpoint = Checkpoint::open(path, &LoadOptions::default()).expect("a checkpoint");
    floats(&answer(&checkpoint, &[input()]).1)
}

fn convert(program: &Program, output: &str, more: &[&str]) -> PathBuf {
    let source = data(TINY);
    let fixed = ["convert", arg(&source), "-o", output];
    let ran = program.run(&[&fixed, more].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    program.path(output)
}

#[test]
fn a_folded_checkpoint_answers_to_the_bit_and_is_smaller() {
    let program = Program::new();
    let kept = convert(&program, "kept.safetensors", &[]);
    let folded = convert(&program, "folded.safetensors", &["--fold-batch-norm"]);
    assert_eq!(logits(&folded), logits(&kept));
    assert_eq!(logits(&kept), logits(&data(TINY)));
    let names = tensors(&folded);
    assert!(names.contains_key("conv1.bias") && !names.keys().any(|n| n.contains("_bn")));
    let length = |path: &Path| std::fs::metadata(path).expect("a file").len();
    assert!(length(&folded) < length(&kept));
    // Converting it again changes nothing.
    let again = program.path("again.safetensors");
    let arguments = [
        "convert",
        arg(&folded),
        "-o",
        arg(&again),
        "--fold-batch-norm",
    ];
    assert_eq!(program.run(&arguments).code, Some(0));
    assert_eq!(logits(&again), logits(&kept));
}

#[test]
fn halves_are_half_the_size_and_nearly_the_same() {
    let program = Program::new();
    let want = logits(&data(TINY));
    for (name, dtype, allowed) in [("f16", DType::F16, 0.2), ("bf16", DType::BF16, 2.0)] {
        let file = convert(&program, &format!("{name}.safetensors"), &["--dtype", name]);
        assert!(
            tensors(&file)
                .values()
                .all(|tensor| tensor.dtype() == dtype)
        );
        let off = largest_difference(&logits(&file), &want);
        assert!(off < allowed && off > 0.0, "{name}: {off}");
    }
}

#[test]
fn a_folder_is_a_repository_that_weights_reads() {
    let program = Program::new();
    let folder = convert(&program, "model/", &[]);
    assert_eq!(logits(&folder), logits(&data(TINY)));
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).expect(name);
    let config: Value = serde_json::from_str(&text("config.json")).expect("JSON");
    let bytes = std::fs::read(data(TINY)).expect("a fixture");
    let sha256: String = Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    assert_eq!(config["source"]["sha256"], sha256.as_str());
    let labels: Value = serde_json::from_str(&text("labels.json")).expect("JSON");
    assert_eq!(labels["0"], "class 0");
    let read_me = text("README.md");
    for part in [
        sha256.as_str(),
        "tiny.keras",
        env!("CARGO_PKG_VERSION"),
        "mobilenet classify",
    ] {
        assert!(read_me.contains(part), "{part} is not in {read_me}");
    }
    // Into a folder that is there, too, and the labels can be given back.
    convert(&program, "model", &["--dtype", "f16"]);
    let labels = folder.join("labels.json");
    let cat = crate::support::repository("samples/cat.jpg");
    let arguments = [
        "classify",
        "--weights",
        "model",
        "--labels",
        arg(&labels),
        arg(&cat),
    ];
    assert_eq!(program.run(&arguments).code, Some(0));
    program
        .run(&["classify", "--weights", ".", arg(&cat)])
        .refused(&["no model.safetensors"]);
}

/// Copied elsewhere, without a cache, a network or a word about weights.
#[cfg(unix)]
#[test]
fn a_bundle_is_all_that_is_needed() {
    let program = Program::new();
    let source = data(TINY);
    let cat = crate::support::repository("samples/cat.jpg");
    let labels = program.file("labels", "a\nb\nc\nd\ne\nf\ng\n");
    let plain = program.run(&["classify", "--jsonl", "--weights", arg(&source), arg(&cat)]);
    let make = |with: &[&str]| {
        let fixed = ["bundle", "-o", "made", "--weights", arg(&source)];
        program.run(&[&fixed, with].concat())
    };
    let run = |file: &str, arguments: &[&str]| {
        let mut command = std::process::Command::new(program.path(file));
        command
            .env_clear()
            .env("HOME", "/nonexistent")
            .args(arguments);
        crate::support::Ran::of(command.output().expect("the bundle"))
    };
    assert_eq!(make(&[]).code, Some(0));
    std::fs::create_dir(program.path("elsewhere")).expect("a folder");
    std::fs::rename(program.path("made"), program.path("elsewhere/it")).expect("moved");
    let ran = run("elsewhere/it", &["classify", "--jsonl", arg(&cat)]);
    assert_eq!(
        (ran.code, ran.text()),
        (Some(0), plain.text()),
        "{}",
        ran.stderr
    );
    run("elsewhere/it", &["classify", "--alpha", "0.5", arg(&cat)]).refused(&["alpha"]);
    let doctor = run("elsewhere/it", &["doctor", "--json"]).json();
    let bundled = doctor["bundled"].as_str().expect("what is in it");
    assert!(bundled.contains("7 classes"), "{bundled}");

    assert_eq!(make(&["--labels", arg(&labels)]).code, Some(0));
    let ran = run("made", &["classify", "--jsonl", "-k1", arg(&cat)]);
    let label = ran.rows()[0]["predictions"][0]["label"].clone();
    assert_eq!(label.as_str().map(str::len), Some(1), "{label}");
    // A bundle made by a bundle has its weights alone.
    let again = program.path("again");
    assert_eq!(run("made", &["bundle", "-o", arg(&again)]).code, Some(0));
    let length = |name: &str| std::fs::metadata(program.path(name)).expect("a file").len();
    assert_eq!(length("again"), length("made"));
    assert_eq!(
        run("again", &["classify", "--jsonl", "-k1", arg(&cat)]).text(),
        ran.text()
    );
}

#[test]
fn provenance_says_what_answered() {
    let program = Program::new();
    let weights = convert(&program, "tiny.safetensors", &[]);
    let cat = crate::support::repository("samples/cat.jpg");
    let fixed = [
        "classify",
        "--provenance",
        "--device",
        "cpu",
        "--weights",
        arg(&weights),
        arg(&cat),
        "absent.jpg",
    ];
    let ran = program.run(&[&fixed[..], &["--jsonl"]].concat());
    let bytes = std::fs::read(&weights).expect("written");
    let sha256: String = Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    for row in ran.rows() {
        let model = &row["model"];
        assert_eq!(model["sha256"], sha256.as_str());
        assert_eq!(model["name"], "tiny.safetensors");
        assert_eq!(model["source"]["name"], "tiny.keras");
        assert_eq!(
            (&model["device"], &model["dtype"]),
            (&"cpu".into(), &"f32".into())
        );
        assert_eq!(model["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(model["preprocessing"]["size"], 65);
    }
    let plain = program.run(&["classify", "--jsonl", "--weights", arg(&weights), arg(&cat)]);
    assert!(plain.rows()[0].get("model").is_none());
    program
        .run(&[&fixed[..], &["--format", "csv"]].concat())
        .refused(&["--provenance"]);
}
