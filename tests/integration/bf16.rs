//! bf16 on the CPU through the program: the answers of f32 or near them where the processor has
//! instructions for it, and elsewhere an error that says what it has.

use candle_core::DType;
use mobilenet::Isa;
use serde_json::Value;

use crate::support::{Program, arg, repository};

const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/weights/digits.safetensors");

/// Whether this machine computes in bf16.
fn is_here() -> bool {
    !Isa::available_for(DType::BF16.into()).is_empty()
}

/// The first label and its score for each picture, as `classify` prints them.
fn first(program: &Program, arguments: &[&str]) -> Vec<(String, f64)> {
    let folder = repository("samples/digits");
    let fixed = ["classify", "-k", "1", "--jsonl", "--device", "cpu"];
    let rest = ["--weights", DIGITS, arg(&folder)];
    let ran = program.run(&[&fixed, arguments, &rest].concat());
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

fn bench(program: &Program, isa: &str, dtype: &str) -> crate::support::Ran {
    program.run(&[
        "bench",
        "--random-weights",
        "--device",
        "cpu",
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
}

/// All twenty digits are read as in f32, to the byte the same on any number of threads.
#[test]
fn digits_are_read_as_in_f32() {
    if !is_here() {
        return crate::skipped::skip("no AVX-512 BF16");
    }
    let program = Program::new();
    let in_f32 = first(&program, &[]);
    let in_bf16 = first(&program, &["--dtype", "bf16", "-j", "1"]);
    assert_eq!(in_f32.len(), 20);
    for ((label, score), (other, near)) in in_f32.iter().zip(&in_bf16) {
        assert_eq!(label, other);
        assert!((score - near).abs() < 0.1, "{label}: {score} and {near}");
    }
    // Something was computed otherwise.
    assert_ne!(in_f32, in_bf16);
    for other in [&["-j", "2"][..], &["-j", "3", "-b", "7"], &["-b", "20"]] {
        let arguments = [&["--dtype", "bf16"], other].concat();
        assert_eq!(first(&program, &arguments), in_bf16, "{other:?}");
    }
}

/// What it costs in accuracy is said once, unless nothing is to be said.
#[test]
fn what_it_does_to_scores_is_said() {
    if !is_here() {
        return crate::skipped::skip("no AVX-512 BF16");
    }
    let program = Program::new();
    let picture = repository("samples/digits/7-0.png");
    let fixed = [
        "classify",
        "--dtype",
        "bf16",
        "--device",
        "cpu",
        "--weights",
    ];
    let ran = program.run(&[&fixed[..], &[DIGITS, arg(&picture)]].concat());
    assert_eq!(ran.stderr.matches("bf16 moves scores").count(), 1);
    let ran = program.run(&[&fixed[..], &[DIGITS, "--quiet", arg(&picture)]].concat());
    assert_eq!(ran.stderr, "");
}

#[test]
fn it_is_measured_beside_f32() {
    let program = Program::new();
    if !is_here() {
        let ran = bench(&program, "portable", "bf16");
        return ran.refused(&["bf16", "AVX-512 BF16", "f32", "int8"]);
    }
    let ran = bench(&program, "avx512bf16", "bf16");
    let report: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    assert_eq!(report["isa"], "avx512bf16");
    assert_eq!(report["dtype"], "bf16");
    assert!(report["f32_median_ms"].as_f64().expect("a time") > 0.0);
    // Instruction sets of the other kinds.
    for isa in ["portable", "avx2", "avx512"] {
        bench(&program, isa, "bf16").refused(&[isa, "bf16", "avx512bf16"]);
    }
    bench(&program, "avx512bf16", "f32").refused(&["avx512bf16", "f32", "portable"]);
}

/// `doctor` says what there is.
#[test]
fn doctor_says_whether_it_is_here() {
    let program = Program::new();
    let report = program.run(&["doctor", "--json"]).json();
    assert_eq!(report["kernels"]["bf16"].is_string(), is_here());
    let ran = program.run(&["doctor"]);
    let text = String::from_utf8(ran.stdout).expect("UTF-8");
    let line = text
        .lines()
        .find(|line| line.starts_with("kernels for bf16 "));
    let kernels = if is_here() { "avx512bf16" } else { "none" };
    assert_eq!(
        line.and_then(|line| line.split_whitespace().nth(3)),
        Some(kernels),
        "{text}"
    );
}

/// The library takes no other instruction set for it.
#[test]
fn a_network_in_bf16_has_kernels_for_it_or_is_an_error() {
    use candle_core::Device;
    use candle_nn::VarBuilder;
    use mobilenet::model::{Config, MobileNet, random_tensors};

    let config = Config::with_alpha(0.25);
    let tensors = random_tensors(&config, 0).expect("tensors");
    let weights = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
    let builder = MobileNet::builder(&config, &weights).with_precision(DType::BF16.into());
    match builder.build() {
        Ok(network) => assert_eq!(network.isa().map(Isa::name), Some("avx512bf16")),
        Err(error) => assert!(error.to_string().contains("AVX-512 BF16"), "{error}"),
    }
    for isa in Isa::available() {
        let error = builder.clone().with_isa(isa).build();
        let error = error.expect_err("kernels for f32").to_string();
        assert!(
            error.contains(isa.name()) && error.contains("bf16"),
            "{error}"
        );
    }
}
