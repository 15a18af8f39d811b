//! Last layers whose scores are a sigmoid of each class (`tests/data/heads/make_heads.py`): a picture
//! can have several labels, or none.

use std::io::Read;
use std::path::{Path, PathBuf};

use candle_core::DType;
use mobilenet::device::{DeviceChoice, open as open_device};
use mobilenet::explain::Explainer;
use mobilenet::pixels::{Crop, RgbImage};
use mobilenet::weights::{Checkpoint, LoadOptions};
use mobilenet::{Classifier, Head};
use serde_json::{Value, json};

use crate::cases::{case, difference};
use crate::support::{
    Program, arg, data, floats, image, largest_difference, repository, shared, tensors,
};

const TOLERANCE: f32 = 1e-5;

fn classifier(checkpoint: &Checkpoint) -> Classifier {
    let device = open_device(DeviceChoice::Cpu).expect("the CPU");
    Classifier::new(checkpoint, None, &device, DType::F32).expect("a classifier")
}

/// The pictures that the fixtures were shown, and Keras's scores.
fn golden() -> (Vec<RgbImage>, Vec<f32>) {
    let golden = tensors(data("heads/golden.safetensors"));
    let inputs = &golden["input"];
    let pictures = (0..2).map(|i| image(&inputs.get(i).expect("a picture")));
    (pictures.collect(), floats(&golden["scores"]))
}

/// The fixtures as files of a program's folder.
fn fixtures(program: &Program) -> [PathBuf; 2] {
    let mut tflite = Vec::new();
    let packed = std::fs::File::open(data("heads/sigmoid.tflite.gz")).expect("a fixture");
    let mut unpacked = flate2::read::GzDecoder::new(packed);
    unpacked.read_to_end(&mut tflite).expect("a fixture");
    let keras = std::fs::read(data("heads/sigmoid.keras")).expect("a fixture");
    [
        program.file("sigmoid.keras", keras),
        program.file("sigmoid.tflite", tflite),
    ]
}

fn open(path: &Path) -> Checkpoint {
    Checkpoint::open(path, &LoadOptions::default()).expect("a checkpoint")
}

/// Keras's and TFLite's files say so, and so do ours once they are converted or quantised.
#[test]
fn scores_are_those_of_keras_before_and_after_converting() {
    let program = Program::new();
    let (pictures, want) = golden();
    for path in fixtures(&program) {
        let converted = program.path("ours.safetensors");
        let ran = program.run(&["convert", arg(&path), "-o", arg(&converted)]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        for path in [&path, &converted] {
            let checkpoint = open(path);
            assert_eq!(checkpoint.head(), Head::Sigmoid);
            let scores = classifier(&checkpoint).scores_of_inputs(&pictures);
            let off = largest_difference(&scores.expect("scores").concat(), &want);
            assert!(off < TOLERANCE, "{}: off by {off}", path.display());
            // Class activation maps come with the same scores.
            let network = classifier(&checkpoint).network().clone();
            let explainer = Explainer::new(&checkpoint, &network).expect("a classifier");
            let explained = explainer.explain(&pictures[0]).expect("a map");
            assert!(largest_difference(explained.scores(), &want[..3]) < TOLERANCE);
        }
        let ran = program.run(&["quantize", arg(&converted), "-o", "eight.safetensors"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(
            open(&program.path("eight.safetensors")).head(),
            Head::Sigmoid
        );
    }
}

/// No score of the fixture is above a half, which all labels need unless something else is asked for.
#[test]
fn a_picture_can_have_no_label() {
    let program = Program::new();
    let [weights, _] = fixtures(&program);
    let cat = repository("samples/cat.jpg");
    let run = |more: &[&str]| {
        let arguments = ["classify", "--json", "--weights", arg(&weights), arg(&cat)];
        let ran = program.run(&[&arguments[..], more].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.json()
    };
    let predictions = |json: &Value| json[0]["predictions"].as_array().expect("a list").len();
    let scores = run(&["--threshold", "0", "--provenance"]);
    assert_eq!(predictions(&scores), 3);
    assert_eq!(scores[0]["model"]["head"], "sigmoid", "{scores}");
    let all = scores[0]["predictions"].as_array().expect("a list");
    let above = all
        .iter()
        .filter(|p| p["score"].as_f64() >= Some(0.5))
        .count();
    assert_eq!(predictions(&run(&[])), above);
    for format in ["csv", "tsv", "jsonl"] {
        let arguments = [
            "classify",
            "--format",
            format,
            "--weights",
            arg(&weights),
            arg(&cat),
        ];
        assert_eq!(program.run(&arguments).code, Some(0), "{format}");
    }
}

/// What adds up probabilities, or asks for the one class of a picture, says why it doesn't.
#[test]
fn commands_that_want_one_class_say_so() {
    let program = Program::new();
    let [weights, _] = fixtures(&program);
    let cat = repository("samples/cat.jpg");
    for class in ["a", "b"] {
        let folder = program.path("pictures").join(class);
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::copy(&cat, folder.join("cat.jpg")).expect("a picture");
    }
    let reason = "head is a sigmoid";
    for arguments in [
        &["classify", "--rollup", arg(&cat)][..],
        &["grep", "--is", "cat", arg(&cat)],
        &["eval", "pictures"],
    ] {
        let arguments = [arguments, &["--weights", arg(&weights)]].concat();
        program.run(&arguments).refused(&[reason]);
    }
}

#[test]
fn what_a_file_says_of_its_head_is_not_to_be_contradicted() {
    let program = Program::new();
    for path in fixtures(&program) {
        let options = LoadOptions::default().with_head(Head::Softmax);
        let error = Checkpoint::open(&path, &options).expect_err("a sigmoid");
        assert!(
            error.to_string().contains("its head is a sigmoid"),
            "{error}"
        );
        let same = LoadOptions::default().with_head(Head::Sigmoid);
        Checkpoint::open(&path, &same).expect("the same");
    }
}

/// One output of a real network: with a sigmoid that its file states, or with none.
#[test]
fn a_softmax_is_never_over_a_single_output() {
    let name = "te_head_sigmoid1.keras";
    if let Some(path) = case(name) {
        let off = difference(name, &open(&path));
        assert!(off < TOLERANCE, "{name}: off by {off}");
    }
    let Some(path) = shared("cases/reports/f14/dense1_linear.keras") else {
        return;
    };
    let error = Checkpoint::open(&path, &LoadOptions::default()).expect_err("one output");
    assert!(error.to_string().contains("--head sigmoid"), "{error}");
    let softmax = LoadOptions::default().with_head(Head::Softmax);
    let error = Checkpoint::open(&path, &softmax).expect_err("one output");
    assert!(
        error.to_string().contains("a softmax over that is 1"),
        "{error}"
    );
    let program = Program::new();
    let cat = repository("samples/cat.jpg");
    let classify = ["classify", "--json", "--weights", arg(&path), arg(&cat)];
    program.run(&classify).refused(&["--head sigmoid"]);
    let more = ["--head", "sigmoid", "--threshold", "0"];
    let ran = program.run(&[&classify[..], &more].concat());
    let score = ran.json()[0]["predictions"][0]["score"]
        .as_f64()
        .expect("a score");
    assert!((0.0..=1.0).contains(&score), "{score}");
}

/// transformers' configuration for several labels, beside the weights that it was made for.
#[test]
fn transformers_says_how_many_labels_a_picture_has() {
    let model = shared("pretrained/transformers/mobilenet_v1_0.25_224/model.safetensors");
    let (Some(model), Some(report)) = (model, shared("cases/reports/f13/multilabel")) else {
        return;
    };
    let open = |problem: Value| {
        let program = Program::new();
        let bytes = std::fs::read(&model).expect("weights");
        let path = program.file("model.safetensors", bytes);
        let text = std::fs::read(report.join("config.json")).expect("a config");
        let mut config: Value = serde_json::from_slice(&text).expect("JSON");
        config["problem_type"] = problem;
        program.file("config.json", config.to_string());
        let text = std::fs::read(report.join("preprocessor_config.json")).expect("a config");
        program.file("preprocessor_config.json", text);
        Checkpoint::open(path, &LoadOptions::default()).expect("a checkpoint")
    };
    let several = open(json!("multi_label_classification"));
    assert_eq!(several.head(), Head::Sigmoid);
    assert_eq!(open(json!(null)).head(), Head::Softmax);
    let recipe = several.preprocessing().clone().with_crop(Crop::Squash);
    let classifier = classifier(&several)
        .with_preprocessing(recipe)
        .expect("a recipe");
    let bytes = (0..224 * 224 * 3).map(|i| (i % 251) as u8);
    let pictures = [RgbImage::from_raw(224, 224, bytes.collect()).expect("a picture")];
    let logits = classifier.embedder().network();
    let pixels = mobilenet::pixels::to_bytes(&pictures, &candle_core::Device::Cpu).expect("pixels");
    let logits = floats(&logits.forward(&pixels).expect("logits"));
    let want: Vec<f32> = logits.iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect();
    let got = classifier
        .scores_of_inputs(&pictures)
        .expect("scores")
        .concat();
    assert!(largest_difference(&got, &want) < 1e-6);
}
