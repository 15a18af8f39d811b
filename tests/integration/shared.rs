//! Real pretrained weights and photographs, with the answers of Keras. They are not part of the
//! repository; where they are absent these tests say so and pass.

use std::path::Path;

use candle_core::{DType, Device};
use mobilenet::device::{DeviceChoice, open as open_device};
use mobilenet::model::MobileNet;
use mobilenet::pixels::{Crop, DecodeOptions, PixelScale, Preprocessing, to_tensor};
use mobilenet::weights::{Checkpoint, LoadOptions};
use mobilenet::{Classifier, Isa};

use crate::support::{answer, floats, image, largest_difference, shared, tensors};

const PHOTOGRAPHS: [&str; 10] = [
    "burger.jpg",
    "cat_720p.jpg",
    "cats_and_dogs.jpg",
    "grace_hopper.bmp",
    "hot_dog.jpg",
    "kite_and_cold.jpg",
    "owl.jpg",
    "parrot.jpg",
    "sparrow.png",
    "sunflower.bmp",
];

/// Checkpoint, size it was trained at, golden file.
const CHECKPOINTS: [(&str, usize, &str); 5] = [
    ("mobilenet_2_5_224_tf.h5", 224, "keras_2_5_224"),
    ("mobilenet_2_5_224_keras3_legacy.h5", 224, "keras_2_5_224"),
    ("mobilenet_2_5_224.weights.h5", 224, "keras_2_5_224"),
    ("mobilenet_2_5_224.keras", 224, "keras_2_5_224"),
    ("mobilenet_5_0_160_tf.h5", 160, "keras_5_0_160"),
];

fn open(file: &Path, size: usize) -> Checkpoint {
    let options = LoadOptions::default().with_size(size);
    Checkpoint::open(file, &options).expect("a checkpoint")
}

/// Keras computes in f32 and is itself up to 1.05e-4 from what f64 gives.
const FROM_KERAS: f32 = 2e-4;
/// What ours may be from it.
const FROM_EXACT: f32 = 1e-4;

/// Every instruction set against the same network in f64, which has no rounding to speak of.
#[test]
fn every_instruction_set_is_nearer_to_the_exact_answer_than_keras() {
    for (file, size, golden) in [CHECKPOINTS[0], CHECKPOINTS[4]] {
        let (Some(file), Some(golden)) = (
            shared(&format!("pretrained/keras/{file}")),
            shared(&format!("pretrained/golden/{golden}.safetensors")),
        ) else {
            return;
        };
        let checkpoint = open(&file, size);
        let config = checkpoint.config();
        let weights = |dtype| checkpoint.weights(&Device::Cpu, dtype).expect("weights");
        let exact = MobileNet::builder(config, &weights(DType::F64))
            .build_composed()
            .expect("a network");
        let networks: Vec<_> = Isa::available()
            .into_iter()
            .map(|isa| {
                MobileNet::builder(config, &weights(DType::F32))
                    .with_isa(isa)
                    .build()
                    .expect("a network")
            })
            .collect();
        let golden = tensors(golden);
        for (name, input) in golden.iter().filter(|(name, _)| name.ends_with(".input")) {
            let pixels =
                to_tensor(&[image(input)], &PixelScale::default(), &Device::Cpu).expect("pixels");
            let logits = |network: &MobileNet| floats(&network.forward(&pixels).expect("logits"));
            let want = logits(&exact);
            for network in &networks {
                let off = largest_difference(&logits(network), &want);
                assert!(off < FROM_EXACT, "{:?}: {name}: {off}", network.isa());
            }
        }
    }
}

#[test]
fn keras_logits_and_embeddings_from_the_same_pixels() {
    for (file, size, golden) in CHECKPOINTS {
        let (Some(file), Some(golden)) = (
            shared(&format!("pretrained/keras/{file}")),
            shared(&format!("pretrained/golden/{golden}.safetensors")),
        ) else {
            return;
        };
        let checkpoint = open(&file, size);
        let golden = tensors(golden);
        let mut compared = 0;
        for (name, input) in golden.iter().filter(|(name, _)| name.ends_with(".input")) {
            let (embedding, logits) = answer(&checkpoint, &[image(input)]);
            for (what, got) in [("embedding", embedding), ("logits", logits)] {
                let want = &golden[&name.replace("input", what)];
                let off = largest_difference(&floats(&got), &floats(want));
                assert!(off < FROM_KERAS, "{}: {name} {what}: {off}", file.display());
                compared += 1;
            }
        }
        assert_eq!(compared, 40);
    }
}

/// From the image files: the network's input is Pillow's to the byte, and so the scores are
/// Keras's.
#[test]
fn keras_pixels_and_scores_from_the_files() {
    for (file, size, golden) in [CHECKPOINTS[0], CHECKPOINTS[4]] {
        let (Some(file), Some(pixels), Some(scores)) = (
            shared(&format!("pretrained/keras/{file}")),
            shared(&format!("pretrained/golden/{golden}.safetensors")),
            shared(&format!("pretrained/golden/{golden}.json")),
        ) else {
            return;
        };
        let pixels = tensors(pixels);
        let scores = std::fs::read(scores).expect("the scores");
        let scores: serde_json::Value = serde_json::from_slice(&scores).expect("the scores");
        let device = open_device(DeviceChoice::Cpu).expect("the CPU");
        let classifier = Classifier::new(&open(&file, size), None, &device, DType::F32);
        let classifier = classifier.expect("a classifier");
        for photograph in PHOTOGRAPHS {
            let Some(path) = shared(&format!("images/{photograph}")) else {
                return;
            };
            let decoded = mobilenet::pixels::open(&path, &DecodeOptions::default());
            let decoded = decoded.expect(photograph);
            for (recipe, crop) in [
                ("crop", Preprocessing::center(size).crop),
                ("squash", Crop::Squash),
            ] {
                let preprocessing = Preprocessing::center(size).with_crop(crop);
                let key = format!("{photograph}.{recipe}");
                let want = image(&pixels[&format!("{key}.input")]);
                assert!(preprocessing.apply(&decoded) == want, "{key}: other pixels");

                let classifier = classifier.clone().with_preprocessing(preprocessing);
                let answer = classifier.expect("a recipe");
                let answer = answer
                    .classify(std::slice::from_ref(&decoded), 5, None)
                    .expect("an answer");
                let want = scores[&key].as_array().expect(&key);
                assert_eq!(want.len(), 5);
                for (got, want) in answer[0].iter().zip(want) {
                    let index = want[0].as_i64().map(|i| i as i32);
                    let score = want[1].as_f64().expect("a score") as f32;
                    assert_eq!(got.index, index, "{key}");
                    assert!(
                        (got.score - score).abs() < 1e-4,
                        "{key}: {got:?}, not {score}"
                    );
                }
            }
        }
    }
}
