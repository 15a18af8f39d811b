//! Quantised TFLite files in their own integers: the very numbers of LiteRT's default kernels and of its
//! reference kernels (`tests/data/tflite/make_integers.py` and `make_dense.py`), everywhere that pictures
//! are shown to a network.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use mobilenet::device::{self, DeviceChoice};
use mobilenet::model::{MobileNet, Precision};
use mobilenet::weights::{Checkpoint, Integers};
use mobilenet::{Classifier, Isa};
use serde_json::Value;

use crate::support::{Program, arg, data, repository, tensors};
use crate::tflite::{fixture, read};

/// `int8` is of `make_tflite.py`, the last four are of `make_dense.py`: their dense layers have a single
/// scale, and many sums that are halves, or that float64 alone tells from halves.
const FILES: [&str; 8] = [
    "pool_uint8",
    "pool_int8",
    "mean_int8",
    "int8",
    "halves_uint8",
    "halves_int8",
    "near_halves_uint8",
    "near_halves_int8",
];

const KERNELS: [(Precision, &str); 2] = [
    (Precision::Int8, ""),
    (Precision::Int8Reference, "reference."),
];

/// LiteRT's numbers for all of them.
fn golden() -> HashMap<String, Tensor> {
    let mut golden = tensors(data("tflite/integers.safetensors"));
    golden.extend(tensors(data("tflite/dense.safetensors")));
    golden
}

fn rows(tensor: &Tensor) -> Vec<Vec<f32>> {
    tensor.to_vec2().expect("rows")
}

fn network(checkpoint: &Checkpoint, precision: Precision) -> MobileNet {
    checkpoint
        .network(&Device::Cpu, precision)
        .expect("a network")
}

/// Averages, logits and scores, to the last integer.
#[test]
fn every_integer_is_litert_s() {
    let golden = golden();
    for name in FILES {
        let checkpoint = read(fixture(name)).expect(name);
        assert_eq!(checkpoint.integers(), Integers::Own, "{name}");
        assert_eq!(checkpoint.default_precision(&Device::Cpu), Precision::Int8);
        let pixels = &golden[&format!("{name}.input")];
        for (precision, kernels) in KERNELS {
            let expected = |what: &str| rows(&golden[&format!("{name}.{kernels}{what}")]);
            for threads in [1, 2, 5] {
                let network = network(&checkpoint, precision).with_threads(threads);
                assert_eq!(network.precision(), precision);
                let found = |found: mobilenet::Result<Tensor>| rows(&found.expect("an answer"));
                let embeddings = found(network.embed(pixels));
                assert_eq!(embeddings, expected("average"), "{name}, {precision}");
                let logits = found(network.forward(pixels));
                assert_eq!(logits, expected("logits"), "{name}, {precision}");
                let embeddings = network.embed(pixels).expect("embeddings");
                let again = found(network.classify_embedding(&embeddings));
                assert_eq!(logits, again, "{name}, {precision}");
            }
            let cpu = device::open(DeviceChoice::Cpu).expect("a CPU");
            let classifier = Classifier::new(&checkpoint, None, &cpu, precision);
            let classifier = classifier.expect("a classifier");
            let pictures: Vec<_> = (0..pixels.dim(0).expect("pictures"))
                .map(|i| crate::support::image(&pixels.get(i).expect("a picture")))
                .collect();
            let scores = classifier.scores_of_inputs(&pictures).expect("scores");
            assert_eq!(scores, expected("scores"), "{name}, {precision}");
        }
        // In f32 it is another network.
        let floats = network(&checkpoint, DType::F32.into());
        let logits = rows(&floats.forward(pixels).expect("logits"));
        assert_ne!(logits, rows(&golden[&format!("{name}.logits")]), "{name}");
    }
}

/// Whatever the instructions.
#[test]
fn every_set_of_instructions_gives_the_same() {
    let golden = golden();
    for name in FILES {
        let checkpoint = read(fixture(name)).expect(name);
        let pixels = &golden[&format!("{name}.input")];
        for isa in Isa::available_for(Precision::Int8) {
            let network = checkpoint.network_in(&Device::Cpu, Precision::Int8, Some(isa));
            let logits = network.expect("a network").forward(pixels).expect("logits");
            let expected = rows(&golden[&format!("{name}.logits")]);
            assert_eq!(rows(&logits), expected, "{name}, {isa}");
        }
    }
}

/// What has no integers between its layers runs in floats, and says why.
#[test]
fn other_files_run_in_floats() {
    for name in ["float32", "float16", "dynamic", "uint8"] {
        let checkpoint = read(fixture(name)).expect(name);
        let is_quantised = matches!(name, "dynamic" | "uint8");
        match checkpoint.integers() {
            Integers::None => assert!(!is_quantised, "{name}"),
            Integers::NotUnderstood(reason) => {
                assert!(
                    is_quantised && reason == "its activations are floats",
                    "{reason}"
                );
            }
            Integers::Own => panic!("{name}"),
        }
        let usual = checkpoint.default_precision(&Device::Cpu);
        assert_eq!(usual, DType::F32.into(), "{name}");
        let error = checkpoint.network(&Device::Cpu, Precision::Int8Reference);
        let error = error.expect_err("no integers").to_string();
        assert!(
            error.contains("int8-reference needs the integers"),
            "{error}"
        );
        // ReLU6's are rounded as any other network's.
        let rounded = checkpoint.network(&Device::Cpu, Precision::Int8);
        assert_eq!(rounded.is_ok(), name != "float16", "{name}");
    }
}

/// A recipe that scales pixels otherwise can't be followed where bytes go in as they are.
#[test]
fn bytes_that_go_in_as_they_are_are_scaled_in_no_other_way() {
    use mobilenet::pixels::PixelScale;
    let scale = PixelScale::new([1.0 / 255.0; 3], [0.0; 3]).expect("a scale");
    for (name, can) in [("pool_int8", false), ("mean_int8", true)] {
        let checkpoint = read(fixture(name)).expect(name);
        let recipe = checkpoint.preprocessing().clone().with_pixel_scale(scale);
        let checkpoint = checkpoint.with_preprocessing(recipe).expect("a recipe");
        let network = checkpoint.network(&Device::Cpu, Precision::Int8);
        assert_eq!(network.is_ok(), can, "{name}");
        assert!(checkpoint.network(&Device::Cpu, DType::F32).is_ok());
    }
}

fn row(program: &Program, arguments: &[&str]) -> Value {
    let picture = repository("samples/digits/7-0.png");
    let fixed = [
        "classify",
        "--jsonl",
        "--provenance",
        "-k",
        "5",
        "--weights",
        "it.tflite",
    ];
    let ran = program.run(&[&fixed, arguments, &[arg(&picture)]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    serde_json::from_slice(&ran.stdout).expect("JSON")
}

/// Without being asked for, and rows say so; their scores are 256ths.
#[test]
fn the_program_computes_in_the_files_own() {
    let program = Program::new();
    program.file("it.tflite", fixture("pool_int8"));
    let usual = row(&program, &[]);
    assert_eq!(usual["model"]["dtype"], "int8");
    assert_eq!(usual["model"]["integers"], "the file's own");
    let scores = usual["predictions"].as_array().expect("predictions").iter();
    for score in scores.map(|p| p["score"].as_f64().expect("a score")) {
        assert_eq!((score * 256.0).fract(), 0.0, "{score}");
    }
    assert_eq!(row(&program, &["--dtype", "int8"]), usual);
    let reference = row(&program, &["--dtype", "int8-reference"]);
    assert_eq!(reference["model"]["dtype"], "int8-reference");
    let floats = row(&program, &["--dtype", "f32"]);
    assert_eq!(floats["model"]["dtype"], "f32");
    assert!(floats["model"].get("integers").is_none());
    assert_ne!(floats["predictions"], usual["predictions"]);
}

/// `eval` takes a picture for the class that `classify` names first, of equal scores too.
#[test]
fn pictures_are_evaluated_by_their_first_answer() {
    let program = Program::new();
    program.file("it.tflite", fixture("near_halves_uint8"));
    let digits = repository("samples/digits");
    let weights = ["--weights", "it.tflite"];
    let classify = ["classify", "--jsonl", "-k", "2", arg(&digits)];
    let answers = program.run(&[&classify[..], &weights].concat()).rows();
    let field = |row: &Value, place: usize, name: &str| row["predictions"][place][name].clone();
    let first = |row: &Value| field(row, 0, "index").as_u64().expect("a class");
    let is_tie = |row: &&Value| {
        let second = field(row, 1, "index").as_u64().expect("a class");
        field(row, 0, "score") == field(row, 1, "score") && first(row) == 77 && second < 77
    };
    // By their number these would be of the other class.
    assert!(answers.iter().filter(is_tie).count() >= 5, "{answers:?}");

    let lines = answers
        .iter()
        .map(|row| format!("{},77\n", row["path"].as_str().expect("a path")));
    program.file("list.csv", lines.collect::<String>());
    let eval = ["eval", "--json", "--list", "list.csv"];
    let predictions = ["--predictions", "predictions.csv"];
    let ran = program.run(&[&eval[..], &predictions, &weights].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let right = answers.iter().filter(|row| first(row) == 77).count();
    let accuracy = right as f64 / answers.len() as f64;
    assert_eq!(ran.json()["accuracy"].as_f64(), Some(accuracy));
    let table = std::fs::read_to_string(program.path("predictions.csv")).expect("a table");
    let predicted = table.lines().skip(1).map(|line| line.split(',').nth(3));
    for (predicted, row) in predicted.zip(&answers) {
        assert_eq!(predicted, Some(first(row).to_string().as_str()));
    }
}

/// All that shows pictures to a network, or describes one.
#[test]
fn every_command_takes_such_a_file() {
    let program = Program::new();
    program.file("it.tflite", fixture("pool_uint8"));
    let digits = repository("samples/digits");
    let digits = arg(&digits);
    let weights = ["--weights", "it.tflite"];
    let ran = |arguments: &[&str]| {
        let ran = program.run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.stderr);
        String::from_utf8_lossy(&ran.stdout).into_owned()
    };
    let with = |arguments: &[&str]| ran(&[arguments, &weights].concat());
    assert!(with(&["summary"]).contains("int8, the file's own"));
    let bench = with(&["bench", "--num-runs", "1", "--json"]);
    let bench: Value = serde_json::from_str(&bench).expect("JSON");
    assert_eq!(bench["dtype"], "int8");
    assert_eq!(bench["computes_in"], "int8, the file's own");
    assert!(bench["peaks"]["int8"]["percent"].as_f64() > Some(0.0));
    // Nobody waits for the reference kernels.
    let reference = [
        "bench",
        "--num-runs",
        "1",
        "--json",
        "--dtype",
        "int8-reference",
    ];
    let reference: Value = serde_json::from_str(&with(&reference)).expect("JSON");
    let peaks = reference["peaks"].as_object().expect("peaks");
    assert_eq!(peaks.keys().collect::<Vec<_>>(), ["f32"]);
    let picture = repository("samples/digits/7-0.png");
    let picture = arg(&picture);
    assert!(with(&["embed", digits]).contains("embedding"));
    assert!(with(&["similar", picture, digits]).contains("digits"));
    with(&["grep", "class", digits]);
    assert!(!with(&["explain", picture]).is_empty());
    ran(&["convert", "it.tflite", "-o", "floats.safetensors"]);
    // What is converted is of floats.
    let summary = ran(&["summary", "--weights", "floats.safetensors"]);
    assert!(!summary.contains("own"), "{summary}");
}

/// Where there are no integers of LiteRT's, that is said.
#[test]
fn reference_kernels_need_a_quantised_file() {
    let program = Program::new();
    let weights = repository("weights/digits.safetensors");
    let picture = repository("samples/digits/7-0.png");
    let arguments = [
        "classify",
        "--weights",
        arg(&weights),
        "--dtype",
        "int8-reference",
    ];
    let ran = program.run(&[&arguments, &[arg(&picture)][..]].concat());
    ran.refused(&["int8-reference", "no quantised TFLite file"]);
    let random = ["bench", "--random-weights", "--dtype", "int8-reference"];
    program.run(&random).refused(&["int8-reference"]);
}
