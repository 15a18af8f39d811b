//! Pictures of none of the classes: `unknown`, in every command and format.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use mobilenet::device::{DeviceChoice, open};
use mobilenet::model::{Config, random_tensors};
use mobilenet::pixels::{self, DecodeOptions, Preprocessing};
use mobilenet::similarity::cosine;
use mobilenet::weights::{Checkpoint, LoadOptions};
use mobilenet::{Decay, Embedder, Familiarity, FamiliarityRange, Rejection};
use serde_json::{Value, json};

use crate::support::{Program, Ran, arg, repository};

/// A checkpoint that gives every picture the scores 0.6, 0.3 and 0.1, and rejects pictures with
/// less than `threshold`.
fn fixed(program: &Program, threshold: Option<f32>) -> PathBuf {
    let config = Config {
        classes: None,
        ..Config::with_alpha(0.05)
    };
    let tensors = random_tensors(&config, 7).expect("tensors");
    let path = program.path("fixed.safetensors");
    let recipe = Preprocessing::center(32);
    let weight = Tensor::zeros((3, config.embedding_len()), DType::F32, &Device::Cpu);
    let bias = [0.6f32, 0.3, 0.1].map(f32::ln);
    let bias = Tensor::new(&bias, &Device::Cpu).expect("a bias");
    let labels = ["cup", "Mug", "tea pot"].map(String::from).to_vec();
    Checkpoint::from_tensors(&path, config, tensors, recipe, None)
        .and_then(|backbone| backbone.with_classifier(&weight.expect("zeros"), &bias, labels))
        .and_then(|made| {
            made.with_rejection(threshold.map(|threshold| Rejection {
                threshold,
                share: 0.05,
            }))
        })
        .and_then(|made| made.save(&path))
        .expect("a checkpoint");
    path
}

fn run(program: &Program, command: &str, weights: &Path, more: &[&str]) -> Ran {
    let picture = repository("samples/cat.jpg");
    let fixed = [command, "--weights", arg(weights)];
    program.run(&[&fixed, more, &[arg(&picture)]].concat())
}

fn predictions(program: &Program, weights: &Path, more: &[&str]) -> Value {
    let ran = run(program, "classify", weights, &[more, &["--jsonl"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.rows()[0]["predictions"].clone()
}

#[test]
fn a_rejected_picture_has_unknown_as_its_one_prediction() {
    let program = Program::new();
    let weights = fixed(&program, Some(0.7));
    let unknown = json!([{"index": null, "wnid": null, "label": "unknown", "score": 0.6}]);
    assert_eq!(predictions(&program, &weights, &[]), unknown);
    // The threshold of the command line goes before the checkpoint's.
    assert_eq!(
        predictions(&program, &weights, &["--threshold", "0.9"]),
        unknown
    );
    let found = predictions(&program, &weights, &["--threshold", "0.2"]);
    let labels = found.as_array().expect("an array").iter();
    let labels: Vec<&Value> = labels.map(|p| &p["label"]).collect();
    assert_eq!(labels, ["cup", "Mug"]);
    let all = predictions(&program, &weights, &["--threshold", "0"]);
    assert_eq!(all.as_array().map(Vec::len), Some(3));

    let table = run(&program, "classify", &weights, &["--format", "csv"]);
    assert!(table.text().ends_with(",1,,,unknown,0.6,\n"));
    let text = run(&program, "classify", &weights, &[]);
    assert!(text.text().ends_with("\n  0.6000  unknown\n"));
}

#[test]
fn a_picture_that_is_sure_enough_is_not_rejected() {
    let program = Program::new();
    // Not "at most": a score that is the threshold is accepted.
    for threshold in [Some(0.6), Some(0.0), None] {
        let weights = fixed(&program, threshold);
        let found = predictions(&program, &weights, &[]);
        assert_eq!(found.as_array().map(Vec::len), Some(3), "{threshold:?}");
        assert_eq!(found[0]["label"], "cup");
    }
    // Without a rejection in the checkpoint, a threshold leaves out and says nothing.
    let found = predictions(&program, &fixed(&program, None), &["--threshold", "0.9"]);
    assert_eq!(found, json!([]));
}

#[test]
fn grep_finds_what_is_unknown_by_that_name_alone() {
    let program = Program::new();
    let weights = fixed(&program, Some(0.7));
    for (more, matches) in [
        (vec!["unknown"], true),
        (vec!["cup"], false),
        (vec!["-v", "cup"], true),
        (vec!["cup", "--threshold", "0.5"], true),
        (vec!["mug", "--threshold", "0.5"], false),
        (vec!["unknown", "--threshold", "0.5"], false),
    ] {
        let ran = run(&program, "grep", &weights, &more);
        let code = if matches { 0 } else { 1 };
        assert_eq!(ran.code, Some(code), "{more:?}: {}", ran.stderr);
    }
}

#[test]
fn what_is_converted_rejects_as_before() {
    let program = Program::new();
    let weights = fixed(&program, Some(0.7));
    for more in [vec![], vec!["--fold-batch-norm"], vec!["--dtype", "f16"]] {
        let output = program.path("converted.safetensors");
        let arguments = ["convert", arg(&weights), "-o", arg(&output)];
        let ran = program.run(&[&arguments[..], &more].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let found = predictions(&program, &output, &[]);
        assert_eq!(found[0]["label"], "unknown", "{more:?}");
    }
}

#[test]
fn a_threshold_that_is_no_probability_is_refused() {
    let program = Program::new();
    let weights = fixed(&program, Some(0.7));
    let bytes = std::fs::read(&weights).expect("a checkpoint");
    let at = |part: &[u8]| bytes.windows(part.len()).position(|w| w == part);
    let start = at(br#"threshold\":0.7"#).expect("the threshold") + br#"threshold\":"#.len();
    let mut damaged = bytes.clone();
    damaged[start..start + 3].copy_from_slice(b"7.0");
    let weights = program.file("damaged.safetensors", damaged);
    let ran = run(&program, "classify", &weights, &[]);
    ran.refused(&["rejection threshold is 7", "damaged.safetensors"]);
}

/// The scores 0.6, 0.3 and 0.1 again, on a network that tells pictures apart: it has seen a 0, and
/// has no reason to believe anything of a 1.
fn of_noughts(program: &Program) -> PathBuf {
    let digits = repository("weights/digits.safetensors");
    let digits = Checkpoint::open(digits, &LoadOptions::default()).expect("a checkpoint");
    let device = open(DeviceChoice::Cpu).expect("a CPU");
    let embedder = Embedder::new(&digits, &device, DType::F32).expect("an embedder");
    let embeddings = PICTURES.map(|path| {
        let picture = pixels::open(repository(path), &DecodeOptions::default());
        let embedding = embedder.embeddings(&[picture.expect("a sample")]);
        embedding.expect("embeddings").remove(0)
    });
    let len = embeddings[0].len();
    let apart = cosine(&embeddings[0], &embeddings[1]) as f32;
    let range = FamiliarityRange {
        strange: apart + 0.1 * (1.0 - apart),
        usual: 1.0 - 0.1 * (1.0 - apart),
        decay: Decay::Linear,
    };
    let known = Familiarity::new(embeddings[0].clone(), len, range).expect("an example");
    let rejection = Rejection {
        threshold: 0.5,
        share: 0.05,
    };
    let weight = Tensor::zeros((3, len), DType::F32, &Device::Cpu).expect("zeros");
    let bias = [0.6f32, 0.3, 0.1].map(f32::ln);
    let bias = Tensor::new(&bias, &Device::Cpu).expect("a bias");
    let labels = ["cup", "Mug", "tea pot"].map(String::from).to_vec();
    let path = program.path("noughts.safetensors");
    digits
        .with_classifier(&weight, &bias, labels)
        .and_then(|made| made.with_familiarity(Some(known)))
        .and_then(|made| made.with_rejection(Some(rejection)))
        .and_then(|made| made.save(&path))
        .expect("a checkpoint");
    path
}

const PICTURES: [&str; 2] = ["samples/digits/0-0.png", "samples/digits/1-0.png"];

fn scores(program: &Program, command: &[&str], weights: &Path) -> Vec<Value> {
    let pictures = PICTURES.map(repository);
    let score = |picture: &PathBuf| {
        let arguments = [command, &["--weights", arg(weights), arg(picture)]].concat();
        let ran = program.run(&arguments);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let row: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
        let found = row.get("predictions").or(row.get("classes"));
        found.expect("answers")[0].clone()
    };
    pictures.iter().map(score).collect()
}

#[test]
fn a_picture_unlike_those_that_were_learned_from_is_unknown() {
    let program = Program::new();
    let weights = of_noughts(&program);
    let converted = |name: &str, more: &[&str]| {
        let output = program.path(name);
        let arguments = ["convert", arg(&weights), "-o", arg(&output)];
        let ran = program.run(&[&arguments[..], more].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        output
    };
    for weights in [
        weights.clone(),
        converted("again.safetensors", &[]),
        converted("folded.safetensors", &["--fold-batch-norm"]),
        converted("half.safetensors", &["--dtype", "f16"]),
        converted("folder/", &[]),
    ] {
        let found = scores(&program, &["classify", "--jsonl"], &weights);
        assert_eq!(found[0]["label"], "cup", "{}", weights.display());
        let score = found[0]["score"].as_f64().expect("a number");
        assert!((score - 0.6).abs() < 1e-3, "{score}");
        assert_eq!(found[1]["label"], "unknown", "{}", weights.display());
        let score = found[1]["score"].as_f64().expect("a number");
        assert!((score - 1.0 / 3.0).abs() < 0.01, "{score}");
        // Explained, each class has the score that it is classified with.
        let explained = scores(&program, &["explain", "--json", "-k", "1"], &weights);
        for (explained, found) in explained.iter().zip(&found) {
            assert_eq!(explained["score"], found["score"]);
        }
    }
    let again = std::fs::read(program.path("again.safetensors")).expect("a file");
    assert_eq!(again, std::fs::read(&weights).expect("a file"));
}

#[test]
fn examples_that_do_not_fit_are_refused() {
    let program = Program::new();
    let weights = of_noughts(&program);
    let bytes = std::fs::read(&weights).expect("a checkpoint");
    let replaced = |from: &[u8], to: &[u8]| {
        let at = bytes.windows(from.len()).position(|w| w == from);
        let at = at.expect("something to replace");
        let mut damaged = bytes.clone();
        damaged[at..at + to.len()].copy_from_slice(to);
        program.file("damaged.safetensors", damaged)
    };
    for (from, to, reason) in [
        // The tensor is not there, or nothing says what it means.
        (
            &b"familiarity.examples"[..],
            &b"familiarity.exampleZ"[..],
            "familiarity.examples is missing",
        ),
        (
            br#"familiarity\":"#,
            br#"familiaritY\":"#,
            "familiarity.examples is not part of it",
        ),
        (
            br#"strange\":0."#,
            br#"strange\":9."#,
            "no range of cosines",
        ),
    ] {
        let ran = run(&program, "classify", &replaced(from, to), &[]);
        ran.refused(&[reason, "damaged.safetensors"]);
    }
}
