//! Eight bits through the program: the answers of f32 or near them, everywhere that pictures are
//! shown to a network.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Program, arg, repository};

const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/weights/digits.safetensors");

fn pictures(path: &str) -> PathBuf {
    repository("samples").join(path)
}

/// The first label and its score for each picture, as `classify` prints them.
fn first(program: &Program, arguments: &[&str]) -> Vec<(String, f64)> {
    let fixed = ["classify", "-k", "1", "--jsonl", "--weights", DIGITS];
    let ran = program.run(&[&fixed, arguments].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let text = String::from_utf8(ran.stdout).expect("UTF-8");
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).expect("JSON");
        let best = &row["predictions"][0];
        let label = best["label"].as_str().expect("a label").to_owned();
        (label, best["score"].as_f64().expect("a score"))
    };
    text.lines().map(row).collect()
}

/// All twenty digits are read as in f32; scores move by a few hundredths.
#[test]
fn digits_are_read_as_in_f32() {
    let program = Program::new();
    let folder = pictures("digits");
    let in_f32 = first(&program, &[arg(&folder)]);
    let in_int8 = first(&program, &["--dtype", "int8", arg(&folder)]);
    assert_eq!(in_f32.len(), 20);
    for ((label, score), (other, near)) in in_f32.iter().zip(&in_int8) {
        assert_eq!(label, other);
        assert!((score - near).abs() < 0.1, "{label}: {score} and {near}");
    }
    // Something was computed otherwise.
    assert_ne!(in_f32, in_int8);
}

/// To the byte.
#[test]
fn threads_batches_and_ways_to_name_pictures_change_nothing() {
    let program = Program::new();
    let folder = pictures("digits");
    let one = first(&program, &["--dtype", "int8", "-j", "1", arg(&folder)]);
    for other in [&["-j", "2"][..], &["-j", "3", "-b", "7"], &["-b", "20"]] {
        let arguments = [&["--dtype", "int8"], other, &[arg(&folder)]].concat();
        assert_eq!(first(&program, &arguments), one, "{other:?}");
    }
}

/// What answered is said.
#[test]
fn rows_say_that_it_was_int8() {
    let program = Program::new();
    let picture = pictures("digits/7-0.png");
    let ran = program.run(&[
        "classify",
        "--jsonl",
        "--provenance",
        "--dtype",
        "int8",
        "--weights",
        DIGITS,
        arg(&picture),
    ]);
    let row: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    assert_eq!(row["model"]["dtype"], "int8");
    assert_eq!(row["model"]["device"], "cpu");
}

#[test]
fn every_set_of_instructions_is_measured_by_name() {
    let program = Program::new();
    let bench = |isa: &str, dtype: &str| {
        program.run(&[
            "bench",
            "--random-weights",
            "--alpha",
            "0.25",
            "--size",
            "64",
            "--num-runs",
            "1",
            "--json",
            "--isa",
            isa,
            "--dtype",
            dtype,
        ])
    };
    for isa in mobilenet::Isa::available_for(mobilenet::model::Precision::Int8) {
        let ran = bench(isa.name(), "int8");
        let report: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
        assert_eq!(report["isa"], isa.name());
        assert_eq!(report["dtype"], "int8");
        assert!(report["f32_median_ms"].as_f64().expect("a time") > 0.0);
    }
    // Of the other kind.
    if mobilenet::Isa::available()
        .iter()
        .any(|isa| isa.name() == "avx512")
    {
        bench("avx512", "int8").refused(&["avx512", "int8", "portable"]);
    }
}

/// The library says what it can't compute instead of something else.
#[test]
fn what_integers_do_not_hold_is_an_error() {
    use candle_core::{DType, Device, Tensor};
    use candle_nn::VarBuilder;
    use mobilenet::Isa;
    use mobilenet::model::{Config, MobileNet, Precision, random_tensors};

    let config = Config::with_alpha(0.25);
    let tensors = random_tensors(&config, 0).expect("tensors");
    let weights = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
    let builder = MobileNet::builder(&config, &weights).with_precision(Precision::Int8);
    let network = builder.build().expect("a network");
    let mut pixels = vec![0.5f32; 3 * 32 * 32];
    let tensor = |pixels: &[f32]| Tensor::from_slice(pixels, (1, 3, 32, 32), &Device::Cpu);
    assert!(network.forward(&tensor(&pixels).expect("pixels")).is_ok());
    pixels[100] = f32::NAN;
    let error = network.forward(&tensor(&pixels).expect("pixels"));
    assert!(
        error
            .expect_err("not a number")
            .to_string()
            .contains("finite")
    );
    // Kernels of the other kind.
    for isa in Isa::available() {
        let is_both = Isa::available_for(Precision::Int8).contains(&isa);
        assert_eq!(
            builder.clone().with_isa(isa).build().is_ok(),
            is_both,
            "{isa}"
        );
    }
}

/// Weights that leave no number in f32 leave no answer in integers either.
#[test]
fn damaged_weights_are_no_answer() {
    use candle_core::{DType, Device, Tensor};
    use candle_nn::VarBuilder;
    use mobilenet::model::{Config, MobileNet, Precision, random_tensors};

    let config = Config::with_alpha(0.25);
    for layer in ["conv1", "conv_dw_3", "conv_pw_13"] {
        let mut tensors = random_tensors(&config, 0).expect("tensors");
        let name = format!("{layer}.weight");
        let shape = tensors[&name].shape().clone();
        let huge = Tensor::full(3e38f32, shape, &Device::Cpu).expect("a tensor");
        tensors.insert(name.clone(), huge);
        let weights = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let builder = MobileNet::builder(&config, &weights).with_precision(Precision::Int8);
        let error = builder.build().expect_err("damaged").to_string();
        assert!(
            error.contains(&name) && error.contains("damaged"),
            "{error}"
        );
    }
}
