//! `mobilenet quantize`: what it writes is read everywhere, and is what it says.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device};
use mobilenet::model::{Config, Precision};
use mobilenet::ops::Activation;
use mobilenet::pixels::{DecodeOptions, Pixels, RgbImage, open, to_bytes};
use mobilenet::quantise::{pictures_wanted, quantise};
use mobilenet::weights::{Checkpoint, LoadOptions};
use serde_json::Value;

use crate::support::{Program, arg, data, floats, repository, tensors};

fn digits() -> PathBuf {
    repository("weights/digits.safetensors")
}

fn pictures() -> PathBuf {
    repository("samples/digits")
}

/// The digits' network in eight bits, fitted to some of the samples or to none.
fn quantised(program: &Program, name: &str, more: &[&str]) -> PathBuf {
    let weights = digits();
    let fixed = ["quantize", arg(&weights), "-o", name];
    let ran = program.run(&[&fixed, more].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    program.path(name)
}

fn first_labels(program: &Program, weights: &Path, more: &[&str]) -> Vec<String> {
    let pictures = pictures();
    let fixed = [
        "classify",
        "-k",
        "1",
        "--jsonl",
        "--weights",
        arg(weights),
        arg(&pictures),
    ];
    let ran = program.run(&[&fixed, more].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let text = String::from_utf8(ran.stdout).expect("UTF-8");
    let label = |line: &str| {
        let row: Value = serde_json::from_str(line).expect("JSON");
        row["predictions"][0]["label"]
            .as_str()
            .expect("a label")
            .to_owned()
    };
    text.lines().map(label).collect()
}

/// With pictures and without, in integers and in the floats that they stand for.
#[test]
fn all_digits_are_read_as_before() {
    let program = Program::new();
    let expected = first_labels(&program, &digits(), &[]);
    let samples = pictures();
    let plain = quantised(&program, "plain.safetensors", &[]);
    let fitted = quantised(&program, "fitted.safetensors", &[arg(&samples)]);
    for weights in [&plain, &fitted] {
        for dtype in ["int8", "f32"] {
            let found = first_labels(&program, weights, &["--dtype", dtype]);
            assert_eq!(found, expected, "{dtype} {}", weights.display());
        }
    }
    assert_ne!(std::fs::read(&plain).ok(), std::fs::read(&fitted).ok());
}

/// The same pictures give the same bytes, on any number of threads.
#[test]
fn the_same_pictures_give_the_same_file() {
    let program = Program::new();
    let samples = pictures();
    let one = quantised(&program, "one.safetensors", &["-j", "1", arg(&samples)]);
    let three = quantised(&program, "three.safetensors", &["-j", "3", arg(&samples)]);
    assert_eq!(std::fs::read(one).ok(), std::fs::read(three).ok());
}

/// A quarter of what floats of 32 bits take, for a network in which weights are most of it.
#[test]
fn it_is_a_quarter_of_the_size() {
    let program = Program::new();
    let checkpoint = random_checkpoint(1.0);
    checkpoint
        .save(program.path("f32.safetensors"))
        .expect("a file");
    let quantised = quantise(&checkpoint, &[]).expect("eight bits");
    quantised
        .save(program.path("int8.safetensors"))
        .expect("a file");
    let length = |name: &str| std::fs::metadata(program.path(name)).expect("a file").len();
    let share = length("int8.safetensors") as f64 / length("f32.safetensors") as f64;
    assert!((0.25..0.27).contains(&share), "{share}");
}

fn random_checkpoint(alpha: f64) -> Checkpoint {
    use mobilenet::model::random_tensors;
    use mobilenet::pixels::Preprocessing;

    let config = Config::with_alpha(alpha);
    let tensors = random_tensors(&config, 1).expect("tensors");
    let recipe = Preprocessing::center(64);
    let checkpoint = Checkpoint::from_tensors(Path::new("random"), config, tensors, recipe, None);
    checkpoint.expect("a checkpoint")
}

/// What is written stands for what was fitted, as anybody who multiplies integers by their scales finds.
#[test]
fn integers_stand_for_weights_as_the_file_says() {
    let program = Program::new();
    let plain = quantised(&program, "plain.safetensors", &[]);
    let converted = program.path("f32.safetensors");
    let ran = program.run(&["convert", arg(&plain), "-o", arg(&converted)]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let converted = tensors(&converted);
    assert!(!converted.keys().any(|name| name.ends_with("_scale")));
    let source = program.path("source.safetensors");
    let weights = digits();
    let ran = program.run(&["convert", arg(&weights), "-o", arg(&source)]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let source = tensors(&source);
    let bytes = std::fs::read(&plain).expect("a file");
    let file = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
    let mut integer_tensors = 0;
    for (name, view) in file.tensors() {
        let Some(layer) = name.strip_suffix(".weight") else {
            continue;
        };
        if view.dtype() != safetensors::Dtype::I8 {
            assert!(
                !layer.starts_with("conv_pw") && layer != "conv_preds",
                "{name}"
            );
            continue;
        }
        integer_tensors += 1;
        let scales = file
            .tensor(&format!("{layer}.weight_scale"))
            .expect("scales");
        let (scales, _) = scales.data().as_chunks::<4>();
        let scales: Vec<f32> = scales.iter().map(|b| f32::from_le_bytes(*b)).collect();
        let depth = view.data().len() / scales.len();
        let numbers = view.data().iter().enumerate();
        let numbers: Vec<f32> = numbers
            .map(|(i, byte)| f32::from(*byte as i8) * scales[i / depth])
            .collect();
        assert_eq!(floats(&converted[&name]), numbers, "{name}");
        for (i, (number, weight)) in numbers.iter().zip(floats(&source[&name])).enumerate() {
            // Half a step, or a whole one where errors were balanced.
            assert!(
                (number - weight).abs() <= 1.01 * scales[i / depth],
                "{name}"
            );
        }
    }
    assert_eq!(integer_tensors, 9);
}

/// Every command that reads a checkpoint.
#[test]
fn every_command_reads_it() {
    let program = Program::new();
    let samples = pictures();
    let picture = samples.join("7-0.png");
    let weights = quantised(&program, "q.safetensors", &[arg(&samples)]);
    let weights = arg(&weights);
    let run = |arguments: &[&str]| {
        let ran = program.run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.stderr);
        ran
    };
    let summary = run(&["summary", "--weights", weights]);
    let summary = String::from_utf8(summary.stdout).expect("UTF-8");
    assert!(summary.contains("10 classes, 8 bits"), "{summary}");
    let summary = run(&["summary", "--weights", weights, "--json"]);
    let summary: Value = serde_json::from_slice(&summary.stdout).expect("JSON");
    assert_eq!(summary["quantisation"]["pictures"], 20);
    let row = run(&[
        "classify",
        "--jsonl",
        "--provenance",
        "--weights",
        weights,
        arg(&picture),
    ]);
    let row: Value = serde_json::from_slice(&row.stdout).expect("JSON");
    assert_eq!(row["model"]["quantisation"]["bits"], 8);
    assert_eq!(row["model"]["dtype"], "int8");
    assert_eq!(row["predictions"][0]["label"], "7");
    for command in ["embed", "explain"] {
        run(&[command, "--weights", weights, arg(&picture)]);
    }
    run(&[
        "similar",
        "--weights",
        weights,
        arg(&picture),
        arg(&samples),
    ]);
    run(&["grep", "7", "--weights", weights, arg(&picture)]);
    run(&["bench", "--weights", weights, "--num-runs", "1"]);
    run(&["bundle", "--weights", weights, "-o", "bundle"]);
    let bundle = Checkpoint::open(program.path("q.safetensors"), &LoadOptions::default());
    assert!(bundle.expect("a checkpoint").quantisation().is_some());
}

/// Other classes on it leave its integers alone.
#[test]
fn what_is_learned_on_it_stays_in_eight_bits() {
    let program = Program::new();
    let weights = quantised(&program, "q.safetensors", &[]);
    for (class, digits) in [
        ("odd", ["1", "3", "5", "7", "9"]),
        ("even", ["0", "2", "4", "6", "8"]),
    ] {
        let folder = program.path("classes").join(class);
        std::fs::create_dir_all(&folder).expect("a folder");
        for digit in digits {
            for number in [0, 1] {
                let name = format!("{digit}-{number}.png");
                std::fs::copy(pictures().join(&name), folder.join(&name)).expect("a copy");
            }
        }
    }
    let ran = program.run(&[
        "learn",
        "classes",
        "-o",
        "learned.safetensors",
        "--weights",
        arg(&weights),
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let open =
        |path: PathBuf| Checkpoint::open(path, &LoadOptions::default()).expect("a checkpoint");
    let learned = open(program.path("learned.safetensors"));
    assert!(learned.quantisation().is_some());
    let bytes = |path: &Path| std::fs::read(path).expect("a file");
    let (before, after) = (bytes(&weights), bytes(&program.path("learned.safetensors")));
    let before = safetensors::SafeTensors::deserialize(&before).expect("safetensors");
    let after = safetensors::SafeTensors::deserialize(&after).expect("safetensors");
    for name in [
        "conv_pw_13.weight",
        "conv_pw_13.weight_scale",
        "conv_pw_13.activation_scale",
    ] {
        let data = |file: &safetensors::SafeTensors| file.tensor(name).expect(name).data().to_vec();
        assert_eq!(data(&before), data(&after), "{name}");
    }
    let ran = program.run(&[
        "classify",
        "--weights",
        "learned.safetensors",
        arg(&pictures()),
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

/// ReLU has no upper bound: batch norm tells how far activations reach, or pictures do.
#[test]
fn networks_with_relu_take_their_ranges_from_batch_norm_or_pictures() {
    let program = Program::new();
    let weights = data("keras/tiny_tf.h5");
    let fixed = ["--size", "64", "--activation", "relu", "-o"];
    let run = |command: &[&str], output: &str| {
        program.run(
            &[
                command,
                &["--size", "64", "--activation", "relu", "-o", output],
            ]
            .concat(),
        )
    };
    assert_eq!(
        run(&["quantize", arg(&weights)], "q.safetensors").code,
        Some(0)
    );
    let folding = ["convert", arg(&weights), "--fold-batch-norm"];
    assert_eq!(run(&folding, "folded.safetensors").code, Some(0));
    program
        .run(&["quantize", "folded.safetensors", "-o", "p.safetensors"])
        .refused(&["folded.safetensors", "int8", "ReLU", "pictures"]);
    let samples = pictures();
    let fitting = ["quantize", "folded.safetensors", arg(&samples)];
    assert_eq!(
        program
            .run(&[&fitting, &fixed[4..], &["p.safetensors"]].concat())
            .code,
        Some(0)
    );
    // The digits as they are without the bound, which they hardly ever reach.
    let digits = Checkpoint::open(digits(), &LoadOptions::default()).expect("a checkpoint");
    let config = Config {
        activation: Activation::Relu,
        ..digits.config().clone()
    };
    let unbounded = Checkpoint::from_tensors(
        Path::new("unbounded"),
        config,
        tensors(self::digits()),
        digits.preprocessing().clone(),
        None,
    );
    near_floats(&unbounded.expect("a checkpoint"), 0.04);
}

/// Scales that are none, or not there, are named.
#[test]
fn damaged_scales_are_refused() {
    let program = Program::new();
    let sound = quantised(&program, "q.safetensors", &[]);
    let bytes = std::fs::read(&sound).expect("a file");
    let file = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).expect("a header");
    let metadata = metadata.metadata().clone();
    type Change = (
        &'static str,
        fn(&mut Vec<u8>, &mut Vec<usize>) -> bool,
        &'static str,
    );
    let changes: [Change; 6] = [
        (
            "conv_pw_3.weight_scale",
            |_, _| false,
            "conv_pw_3.weight is not of",
        ),
        (
            "conv_pw_3.weight_scale",
            |bytes, _| {
                bytes[..4].copy_from_slice(&f32::NAN.to_le_bytes());
                true
            },
            "conv_pw_3.weight_scale has a scale",
        ),
        (
            "conv_pw_3.weight_scale",
            |bytes, _| {
                bytes[..4].copy_from_slice(&0f32.to_le_bytes());
                true
            },
            "conv_pw_3.weight_scale has a scale",
        ),
        (
            "conv_pw_3.weight_scale",
            |bytes, shape| {
                bytes.truncate(8);
                *shape = vec![2];
                true
            },
            "conv_pw_3.weight_scale is [2]",
        ),
        (
            "conv_dw_3.activation_scale",
            |bytes, _| {
                bytes.copy_from_slice(&9f32.to_le_bytes());
                true
            },
            "conv_dw_3 have a scale that ReLU6",
        ),
        (
            "conv_pw_3.weight_scale",
            |bytes, _| {
                bytes[..4].copy_from_slice(&1e-30f32.to_le_bytes());
                true
            },
            "conv_pw_3.bias is no number",
        ),
    ];
    for (tensor, change, expected) in changes {
        let mut views = Vec::new();
        for (name, view) in file.tensors() {
            let (mut bytes, mut shape) = (view.data().to_vec(), view.shape().to_vec());
            if name != tensor || change(&mut bytes, &mut shape) {
                views.push((name, view.dtype(), shape, bytes));
            }
        }
        let views: HashMap<_, _> = views
            .iter()
            .map(|(name, dtype, shape, bytes)| {
                let view = safetensors::tensor::TensorView::new(*dtype, shape.clone(), bytes);
                (name.clone(), view.expect("a tensor"))
            })
            .collect();
        let damaged = safetensors::serialize(&views, metadata.clone()).expect("a file");
        std::fs::write(program.path("damaged.safetensors"), damaged).expect("a file");
        let samples = pictures();
        program
            .run(&[
                "classify",
                "--weights",
                "damaged.safetensors",
                "--dtype",
                "int8",
                arg(&samples),
            ])
            .refused(&["damaged.safetensors", expected]);
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let program = Program::new();
    let weights = quantised(&program, "q.safetensors", &[]);
    program
        .run(&["quantize", arg(&weights), "-o", "again.safetensors"])
        .refused(&["q.safetensors", "eight bits already"]);
    program
        .run(&["quantize", arg(&weights), "-o", arg(&weights)])
        .refused(&["q.safetensors"]);
    let digits = digits();
    program
        .run(&[
            "convert",
            arg(&digits),
            "--dtype",
            "int8",
            "-o",
            "other.safetensors",
        ])
        .refused(&["int8", "try: mobilenet quantize"]);
    std::fs::write(program.path("broken.png"), b"\x89PNG\r\n\x1a\nno").expect("a file");
    program
        .run(&[
            "quantize",
            arg(&digits),
            "broken.png",
            "-o",
            "none.safetensors",
        ])
        .refused(&["broken.png", "nothing was written"]);
    assert!(!program.path("none.safetensors").exists());
}

/// Fitted to some of the digits, a network answers nearly as in floats on others.
fn near_floats(checkpoint: &Checkpoint, most: f32) {
    let pixels = |number: usize| -> Vec<Pixels> {
        let picture = |digit: usize| {
            let path = pictures().join(format!("{digit}-{number}.png"));
            let picture = open(path, &DecodeOptions::default()).expect("a picture");
            checkpoint.preprocessing().apply(&picture)
        };
        (0..10).map(picture).collect()
    };
    let bytes = to_bytes(&pixels(1), &Device::Cpu).expect("bytes");
    let logits = |checkpoint: &Checkpoint, precision: Precision| {
        let network = checkpoint.network(&Device::Cpu, precision);
        floats(&network.and_then(|n| n.forward(&bytes)).expect("logits"))
    };
    let exact = logits(checkpoint, DType::F32.into());
    let fitted = quantise(checkpoint, &pixels(0)).expect("eight bits");
    let error = |found: &[f32]| {
        let squares = |values: &[f32]| values.iter().map(|x| x * x).sum::<f32>();
        let off: Vec<f32> = found.iter().zip(&exact).map(|(a, b)| a - b).collect();
        (squares(&off) / squares(&exact)).sqrt()
    };
    let in_integers = error(&logits(&fitted, Precision::Int8));
    let dequantised = error(&logits(&fitted, DType::F32.into()));
    assert!(
        in_integers < most && dequantised < most,
        "{in_integers} {dequantised}"
    );
}

#[test]
fn fitted_networks_answer_nearly_as_in_floats() {
    let digits = Checkpoint::open(digits(), &LoadOptions::default()).expect("a checkpoint");
    near_floats(&digits, 0.03);
}

#[test]
fn no_more_pictures_are_wanted_than_memory_holds() {
    let config = Config::with_alpha(1.0);
    assert_eq!(pictures_wanted(&config, 224), 128);
    assert_eq!(pictures_wanted(&config, 4096), 1);
    let checkpoint = random_checkpoint(0.25);
    assert!(quantise(&checkpoint, &[RgbImage::new(7, 7).into()]).is_err());
}
