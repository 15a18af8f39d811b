//! Models that people build and train themselves, as Keras 3 and Keras 2 save them, with the
//! logits that Keras gave (`tests/data/keras/make_models.py`).

use std::io::{Cursor, Read, Write};
use std::path::Path;

use mobilenet::model::Padding;
use mobilenet::ops::Activation;
use mobilenet::weights::{Checkpoint, LoadOptions};
use serde_json::{Value, json};

use crate::support::{Program, answer, arg, data, floats, image, largest_difference, tensors};

const TOLERANCE: f32 = 2e-4;

/// What a file that doesn't describe its model needs to be told.
fn told(file: &str) -> LoadOptions {
    LoadOptions {
        size: Some(33),
        activation: Some(match file.contains("article") || file.contains("plain") {
            true => Activation::Relu,
            false => Activation::Relu6,
        }),
    }
}

fn bytes(file: &str) -> Vec<u8> {
    let plain = data("keras").join(file);
    if plain.exists() {
        return std::fs::read(plain).expect(file);
    }
    let packed = std::fs::File::open(data("keras").join(format!("{file}.gz"))).expect(file);
    let mut bytes = Vec::new();
    let mut unpacked = flate2::read::GzDecoder::new(packed);
    unpacked.read_to_end(&mut bytes).expect(file);
    bytes
}

fn open(file: &str, options: &LoadOptions) -> Checkpoint {
    Checkpoint::from_bytes(bytes(file), Path::new(file), options).expect(file)
}

/// The largest difference to Keras's logits.
fn off(checkpoint: &Checkpoint, golden: &str, name: &str) -> f32 {
    let golden = tensors(data("keras").join(golden));
    let offs = ["a", "b"].map(|case| {
        let input = image(&golden[&format!("{name}.{case}.input")]);
        let logits = floats(&answer(checkpoint, &[input]).1);
        let want = floats(&golden[&format!("{name}.{case}.logits")]);
        largest_difference(&logits, &want)
    });
    offs[0].max(offs[1])
}

#[test]
fn every_model_gives_keras_answers() {
    let three = "models.golden.safetensors";
    let two = "models2.golden.safetensors";
    for (stem, extensions, golden, name) in [
        ("article", &["h5", "weights.h5", "keras"][..], three, "article"),
        ("plain", &["h5", "weights.h5", "keras"], three, "plain"),
        ("by_hand", &["keras"], three, "by_hand"),
        ("flat", &["h5", "weights.h5", "keras"], three, "tuned"),
        ("nested", &["h5", "weights.h5", "keras"], three, "tuned"),
        ("sequential", &["h5", "weights.h5", "keras"], three, "tuned"),
        ("keras2_article", &["h5", "weights.h5"], two, "article"),
        ("keras2_article_weights", &["h5"], two, "article"),
        ("keras2_by_hand_weights", &["h5"], two, "by_hand"),
        ("keras2_nested", &["h5", "keras"], two, "tuned"),
        ("keras2_nested_weights", &["h5"], two, "tuned"),
    ] {
        for extension in extensions {
            let file = format!("{stem}.{extension}");
            let checkpoint = open(&file, &told(&file));
            let config = checkpoint.config();
            let (alpha, classes) = match name {
                "article" => (0.035, 5),
                "tuned" => (0.035, 4),
                _ => (0.05, 3),
            };
            assert_eq!((config.alpha, config.classes), (alpha, Some(classes)), "{file}");
            let padding = if name == "tuned" { Padding::Keras } else { Padding::Same };
            assert_eq!(config.padding, padding, "{file}");
            let off = off(&checkpoint, golden, name);
            println!("{file}: {off}");
            assert!(off < TOLERANCE, "{file} is off by {off}");
        }
    }
}
