//! Checkpoints as transformers and timm write them, with the files beside them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use mobilenet::model::{Config, Padding, random_tensors};
use mobilenet::ops::Activation;
use mobilenet::pixels::{DecodeOptions, Filter, PixelScale};
use mobilenet::weights::{Checkpoint, LoadOptions};
use serde_json::{Value, json};

use crate::support::{
    Program, answer, arg, floats, image, largest_difference, repository, shared, tensors,
};

/// As the issue of exactness has it: logits from the same pixels.
const FROM_THEIRS: f32 = 2e-4;

fn open(path: &Path) -> Checkpoint {
    Checkpoint::open(path, &LoadOptions::default()).expect("a checkpoint")
}

/// Folder under `pretrained`, golden file without its ending.
const FOLDERS: [(&str, &str); 2] = [
    (
        "transformers/mobilenet_v1_0.25_224",
        "transformers_0.25_224",
    ),
    ("timm/mobilenetv1_0.25_224", "timm_0.25_224"),
];

#[test]
fn logits_are_those_of_transformers_and_timm() {
    for (folder, golden) in FOLDERS {
        let (Some(folder), Some(golden), Some(inputs)) = (
            shared(&format!("pretrained/{folder}")),
            shared(&format!("pretrained/golden/{golden}.safetensors")),
            shared("pretrained/golden/keras_2_5_224.safetensors"),
        ) else {
            return;
        };
        let inputs = tensors(inputs);
        // The folder and the file in it are the same.
        for checkpoint in [open(&folder), open(&folder.join("model.safetensors"))] {
            for (name, want) in tensors(&golden) {
                let input = &inputs[&name.replace(".logits", ".crop.input")];
                let (_, logits) = answer(&checkpoint, &[image(input)]);
                let off = largest_difference(&floats(&logits), &floats(&want));
                assert!(off < FROM_THEIRS, "{name}: {off}");
            }
        }
    }
}

/// From the image files, each with its checkpoint's own recipe. torchvision's resampling, which
/// transformers uses, is off by one here and there, and decodes JPEG as Pillow does.
#[test]
fn answers_from_the_files_are_those_of_transformers_and_timm() {
    for (folder, golden) in FOLDERS {
        let (Some(folder), Some(golden)) = (
            shared(&format!("pretrained/{folder}")),
            shared(&format!("pretrained/golden/{golden}.pipeline.safetensors")),
        ) else {
            return;
        };
        let checkpoint = open(&folder);
        let is_timm = checkpoint.config().padding == Padding::Symmetric;
        for (name, want) in tensors(golden) {
            let name = name.trim_end_matches(".logits");
            let Some(path) = shared(&format!("images/{name}")) else {
                return;
            };
            let decoded = mobilenet::pixels::open(path, &DecodeOptions::default());
            let input = checkpoint.preprocessing().apply(&decoded.expect(name));
            let (_, logits) = answer(&checkpoint, &[input]);
            let (got, want) = (floats(&logits), floats(&want));
            let off = match is_timm {
                true => largest_difference(&got, &want),
                false => largest_difference(&softmax(&got), &softmax(&want)),
            };
            let allowed = if is_timm { FROM_THEIRS } else { 0.03 };
            assert!(off < allowed, "{name}: {off}");
        }
    }
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let powers: Vec<f64> = logits.iter().map(|&x| f64::from(x).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|p| (p / sum) as f32).collect()
}

/// A network of ours with random weights, and the same as another tool names it.
pub fn renamed(config: &Config, name: impl Fn(&str, usize) -> String) -> HashMap<String, Tensor> {
    let tensors = random_tensors(config, 5).expect("tensors");
    let rename = |(ours, tensor): (String, Tensor)| {
        let (layer, part) = ours.rsplit_once('.').expect("LAYER.PART");
        let block = layer.trim_end_matches("_bn").rsplit('_').next();
        let block = block.and_then(|n| n.parse().ok()).unwrap_or(0);
        let tensor = match ours == "conv_preds.weight" {
            true => tensor.flatten_from(1).expect("a matrix"),
            false => tensor,
        };
        (format!("{}.{part}", name(layer, block)), tensor)
    };
    tensors.into_iter().map(rename).collect()
}

pub fn transformers(layer: &str, block: usize) -> String {
    let kind = if layer.ends_with("_bn") {
        "normalization"
    } else {
        "convolution"
    };
    match layer.trim_end_matches("_bn") {
        "conv_preds" => "classifier".into(),
        "conv1" => format!("mobilenet_v1.conv_stem.{kind}"),
        other => {
            let number = 2 * (block - 1) + usize::from(other.starts_with("conv_pw"));
            format!("mobilenet_v1.layer.{number}.{kind}")
        }
    }
}

pub fn timm(layer: &str, block: usize) -> String {
    const PLACES: [&str; 14] = [
        "", "0.0", "1.0", "1.1", "2.0", "2.1", "3.0", "3.1", "3.2", "3.3", "3.4", "3.5", "4.0",
        "4.1",
    ];
    let place = PLACES[block];
    match layer {
        "conv1" => "conv_stem".into(),
        "conv1_bn" => "bn1".into(),
        "conv_preds" => "classifier".into(),
        _ if layer.starts_with("conv_dw") && layer.ends_with("_bn") => {
            format!("blocks.{place}.bn1")
        }
        _ if layer.starts_with("conv_dw") => format!("blocks.{place}.conv_dw"),
        _ if layer.ends_with("_bn") => format!("blocks.{place}.bn2"),
        _ => format!("blocks.{place}.conv_pw"),
    }
}

/// A fine-tuned network in a folder, with a description beside it.
pub fn folder(
    program: &Program,
    tensors: &HashMap<String, Tensor>,
    files: &[(&str, &Value)],
) -> PathBuf {
    let folder = program.path("model");
    std::fs::create_dir_all(&folder).expect("a folder");
    candle_core::safetensors::save(tensors, folder.join("model.safetensors")).expect("saved");
    for (name, content) in files {
        std::fs::write(folder.join(name), content.to_string()).expect("written");
    }
    folder
}

pub fn three_classes() -> Config {
    Config {
        classes: Some(3),
        ..Config::with_alpha(0.05)
    }
}

#[test]
fn the_files_beside_a_checkpoint_are_obeyed() {
    let program = Program::new();
    let config = json!({
        "hidden_act": "relu", "layer_norm_eps": 0.002, "tf_padding": false, "image_size": 64,
        "id2label": {"0": "ant", "1": "bee", "2": "wasp, yellow"},
    });
    let preprocessor = json!({
        "size": {"shortest_edge": 80}, "crop_size": {"height": 64, "width": 64}, "resample": 3,
        "do_center_crop": true, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
    });
    let mut named = renamed(&three_classes(), transformers);
    let counter = Tensor::new(7i64, &Device::Cpu).expect("a number");
    named.insert(
        "mobilenet_v1.conv_stem.normalization.num_batches_tracked".into(),
        counter,
    );
    let model = folder(
        &program,
        &named,
        &[
            ("config.json", &config),
            ("preprocessor_config.json", &preprocessor),
        ],
    );
    let checkpoint = open(&model);
    let expected = Config {
        activation: Activation::Relu,
        padding: Padding::Symmetric,
        batch_norm_epsilon: 0.002,
        ..three_classes()
    };
    assert_eq!(checkpoint.config(), &expected);
    let recipe = checkpoint.preprocessing();
    assert_eq!((recipe.size, recipe.filter), (64, Filter::Bicubic));
    assert!(checkpoint.assumed().is_empty());

    // The same numbers whatever the names: mapped, as tensors, and converted.
    let ours = random_tensors(&expected, 5).expect("tensors");
    let ours = candle_nn::VarBuilder::from_tensors(ours, DType::F32, &Device::Cpu);
    let ours = mobilenet::model::MobileNet::new(&expected, &ours).expect("a network");
    let picture = mobilenet::pixels::open(repository("samples/cat.jpg"), &DecodeOptions::default());
    let input = recipe.apply(&picture.expect("a picture"));
    let pixels = mobilenet::pixels::to_tensor(
        std::slice::from_ref(&input),
        &PixelScale::default(),
        &Device::Cpu,
    )
    .expect("pixels");
    let want = floats(&ours.forward(&pixels).expect("logits"));
    assert_eq!(
        floats(&answer(&checkpoint, std::slice::from_ref(&input)).1),
        want
    );
    let converted = program.path("converted.safetensors");
    checkpoint.save(&converted).expect("saved");
    let converted = open(&converted);
    assert_eq!(
        floats(&answer(&converted, std::slice::from_ref(&input)).1),
        want
    );
    assert_eq!(converted.preprocessing(), recipe);

    let labels = |weights: &Path| {
        let cat = repository("samples/cat.jpg");
        let ran = program.run(&["classify", "--jsonl", "--weights", arg(weights), arg(&cat)]);
        let predictions = ran.rows()[0]["predictions"].clone();
        let predictions = predictions.as_array().expect("predictions").clone();
        let mut labels: Vec<String> = predictions
            .iter()
            .map(|p| p["label"].as_str().expect("a label").to_owned())
            .collect();
        labels.sort();
        labels
    };
    assert_eq!(labels(&model), ["ant", "bee", "wasp, yellow"]);
    assert_eq!(
        labels(&program.path("converted.safetensors")),
        ["ant", "bee", "wasp, yellow"]
    );
}

#[test]
fn timms_description_is_obeyed() {
    let program = Program::new();
    let config = |recipe: Value| json!({"num_classes": 3, "label_names": ["a", "b", "c"], "pretrained_cfg": recipe});
    let recipe = json!({
        "input_size": [3, 96, 96], "interpolation": "bicubic", "crop_pct": 0.9, "crop_mode": "center",
        "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5],
    });
    let named = renamed(&three_classes(), timm);
    let model = folder(
        &program,
        &named,
        &[("config.json", &config(recipe.clone()))],
    );
    let checkpoint = open(&model);
    assert_eq!(checkpoint.config().batch_norm_epsilon, 1e-5);
    assert_eq!(checkpoint.config().padding, Padding::Symmetric);
    assert_eq!(checkpoint.config().activation, Activation::Relu6);
    let preprocessing = checkpoint.preprocessing();
    assert_eq!(
        (preprocessing.size, preprocessing.filter),
        (96, Filter::Bicubic)
    );
    let labels = checkpoint.labels().expect("labels");
    assert_eq!(labels.classes()[2].label, "c");

    for (key, value, reason) in [
        ("std", json!([0.5, 0.0, 0.5]), "can't be scaled"),
        ("mean", json!([0.5, 1e9, 0.5]), "can't be scaled"),
        ("interpolation", json!("random"), "random"),
        ("crop_mode", json!("border"), "border"),
        ("crop_pct", json!(0), "crop_pct"),
        ("input_size", json!([3, 96, 128]), "square"),
        ("input_size", json!("96"), "not understood"),
    ] {
        let mut recipe = recipe.clone();
        recipe[key] = value;
        folder(&program, &named, &[("config.json", &config(recipe))]);
        let error = Checkpoint::open(&model, &LoadOptions::default()).expect_err(reason);
        let error = error.to_string();
        assert!(
            error.contains("config.json beside it") && error.contains(reason),
            "{error}"
        );
    }
}

/// What a network of timm's was made with, as `timm.models.save_for_hf` of timm 1.0.31 writes it.
#[test]
fn timms_arguments_are_heeded_or_refused() {
    let program = Program::new();
    let named = renamed(&three_classes(), timm);
    let model = |arguments: Value| {
        let config = json!({"num_classes": 3, "model_args": arguments});
        folder(&program, &named, &[("config.json", &config)])
    };
    let usual = json!({"channel_multiplier": 0.05, "in_chans": 3, "global_pool": "avg"});
    let checkpoint = open(&model(usual));
    assert_eq!(checkpoint.config().activation, Activation::Relu6);
    let checkpoint = open(&model(json!({"act_layer": "relu"})));
    assert_eq!(checkpoint.config().activation, Activation::Relu);
    let checkpoint = open(&model(json!({"act_layer": "relu6", "pad_type": "same"})));
    assert_eq!(checkpoint.config().activation, Activation::Relu6);
    assert_eq!(checkpoint.config().padding, Padding::Same);
    for (key, value, reason) in [
        ("act_layer", json!("silu"), "its activation is silu"),
        ("pad_type", json!("valid"), "its padding is valid"),
        ("in_chans", json!(1), "its pixels have 1 channels"),
        ("global_pool", json!("avgmax"), "its global pool is"),
    ] {
        let model = model(json!({ key: value }));
        let error = Checkpoint::open(&model, &LoadOptions::default()).expect_err(reason);
        assert!(error.to_string().contains(reason), "{error}");
    }
}

/// What timm and transformers say of mean and deviation is the recipe's, and what they usually say is
/// not worth a word.
#[test]
fn any_mean_and_deviation_is_the_recipes() {
    let program = Program::new();
    let named = renamed(&three_classes(), timm);
    let timms = json!({"num_classes": 3, "pretrained_cfg": {
        "input_size": [3, 96, 96], "interpolation": "bicubic", "crop_pct": 0.9,
        "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
    }});
    let model = folder(&program, &named, &[("config.json", &timms)]);
    let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let got = open(&model).preprocessing().pixel_scale;
    for colour in 0..3 {
        for byte in [0.0, 77.0, 255.0] {
            let want = (byte / 255.0 - mean[colour]) / std[colour];
            let got = byte * got.scale()[colour] + got.offset()[colour];
            assert!((got - want).abs() < 1e-12);
        }
    }

    let named = renamed(&three_classes(), transformers);
    let preprocessor = |changes: Value| {
        let mut preprocessor = json!({
            "size": {"height": 64, "width": 64}, "resample": 2, "do_center_crop": false,
            "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
            "rescale_factor": 0.00392156862745098,
        });
        for (key, value) in changes.as_object().expect("an object") {
            preprocessor[key] = value.clone();
        }
        preprocessor
    };
    let config = json!({"hidden_act": "relu6"});
    let opened = |changes: Value| {
        let files = [
            ("config.json", &config),
            ("preprocessor_config.json", &preprocessor(changes)),
        ];
        let model = folder(&program, &named, &files);
        let opened = Checkpoint::open(model, &LoadOptions::default());
        opened
            .map(|opened| opened.preprocessing().pixel_scale)
            .map_err(|e| e.to_string())
    };
    let uniform =
        |scale, offset| PixelScale::new([scale; 3], [offset; 3]).map_err(|e| e.to_string());
    assert_eq!(opened(json!({})), Ok(PixelScale::default()));
    assert_eq!(opened(json!({"do_rescale": false})), uniform(2.0, -1.0));
    let factor = 0.00392156862745098;
    let plain = json!({"do_normalize": false, "image_mean": null, "image_std": null});
    assert_eq!(opened(plain), uniform(factor, 0.0));
    let scaled = json!({"rescale_factor": 0.0078125, "do_normalize": false});
    assert_eq!(opened(scaled), uniform(0.0078125, 0.0));
    let neither = json!({"do_rescale": false, "do_normalize": false});
    assert_eq!(opened(neither), uniform(1.0, 0.0));
    let error = opened(json!({"image_mean": null})).expect_err("no mean");
    assert!(error.contains("without a mean"), "{error}");
    let error = opened(json!({"image_std": [0, 0, 0]})).expect_err("no deviation");
    assert!(error.contains("can't be scaled"), "{error}");
}

/// All at once, under the names that the file has.
#[test]
fn what_is_wrong_is_named_as_the_file_names_it() {
    let program = Program::new();
    let mut named = renamed(&three_classes(), timm);
    named.remove("blocks.3.2.conv_pw.weight");
    named.remove("bn1.running_var");
    let extra = Tensor::zeros(4, DType::F32, &Device::Cpu).expect("zeros");
    named.insert("conv_tail.weight".into(), extra);
    let model = folder(&program, &named, &[]);
    let error = Checkpoint::open(&model, &LoadOptions::default())
        .expect_err("wrong")
        .to_string();
    for part in [
        "blocks.3.2.conv_pw.weight is missing",
        "bn1.running_var is missing",
        "conv_tail.weight is not part of it",
    ] {
        assert!(error.contains(part), "{part} is not in {error}");
    }
    let labels = json!({"id2label": {"0": "a", "1": "b"}});
    let named = renamed(&three_classes(), transformers);
    let model = folder(&program, &named, &[("config.json", &labels)]);
    let error = Checkpoint::open(&model, &LoadOptions::default())
        .expect_err("wrong")
        .to_string();
    assert!(error.contains("2 labels for 3 classes"), "{error}");
}
