//! TensorFlow Lite's files: Google's, with the answers of other frameworks (skipped where they are
//! absent), and small ones in every type of weights (`tests/data/tflite/make_tflite.py`), as they
//! are and damaged.

use std::path::Path;

use candle_core::{DType, Device};
use flate2::read::GzDecoder;
use mobilenet::Error;
use mobilenet::model::Padding;
use mobilenet::ops::Activation;
use mobilenet::weights::{Checkpoint, LoadOptions};

use crate::support::{Program, answer, data, floats, image, largest_difference, shared, tensors};

/// Two frameworks in f32, as between Keras and ours.
const TOLERANCE: f32 = 2e-4;
/// The golden answers are of a Keras file whose batch norms, undone and folded again, moved the
/// quantised weights a little.
const QUANTISED_TOLERANCE: f32 = 5e-4;

const FIXTURES: [&str; 5] = ["float32", "uint8", "float16", "dynamic", "int8"];

fn fixture(name: &str) -> Vec<u8> {
    let path = data("tflite").join(format!("{name}.tflite.gz"));
    let packed = std::fs::File::open(path).expect("a fixture");
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut GzDecoder::new(packed), &mut bytes).expect("a fixture");
    bytes
}

fn read(bytes: Vec<u8>) -> Result<Checkpoint, Error> {
    Checkpoint::from_bytes(bytes, Path::new("it.tflite"), &LoadOptions::default())
}

/// Google's file gives what transformers computes with the same weights, and its quantised one
/// what Keras does, which has no class for the background.
#[test]
fn googles_files_give_the_answers_of_other_frameworks() {
    for (file, golden, pixels, size, alpha, background, tolerance) in [
        (
            "mobilenet_v1_0.25_224.tflite",
            "transformers_0.25_224",
            "keras_2_5_224",
            224,
            0.25,
            true,
            TOLERANCE,
        ),
        (
            "mobilenet_v1_0.5_160_quant.tflite",
            "keras_5_0_160",
            "keras_5_0_160",
            160,
            0.5,
            false,
            QUANTISED_TOLERANCE,
        ),
    ] {
        let (Some(path), Some(golden), Some(pixels)) = (
            shared(&format!("pretrained/tflite/{file}")),
            shared(&format!("pretrained/golden/{golden}.safetensors")),
            shared(&format!("pretrained/golden/{pixels}.safetensors")),
        ) else {
            return;
        };
        let checkpoint = Checkpoint::open(&path, &LoadOptions::default()).expect(file);
        let config = checkpoint.config();
        assert_eq!((config.alpha, config.classes), (alpha, Some(1001)));
        assert_eq!(config.activation, Activation::Relu6);
        assert_eq!(config.padding, Padding::Same);
        assert_eq!(checkpoint.preprocessing().size, size);
        assert!(checkpoint.assumed().is_empty());
        let (golden, pixels) = (tensors(golden), tensors(pixels));
        let mut compared = 0;
        let mut largest: f32 = 0.0;
        for (name, input) in &pixels {
            let Some(picture) = name.strip_suffix(".input") else {
                continue;
            };
            let names = [
                format!("{picture}.logits"),
                picture.replace(".crop", ".logits"),
            ];
            let Some(want) = names.iter().find_map(|name| golden.get(name)) else {
                continue;
            };
            let got = floats(&answer(&checkpoint, &[image(input)]).1);
            let got = if background { &got[..] } else { &got[1..] };
            let off = largest_difference(got, &floats(want));
            assert!(off < tolerance, "{file}: {name}: {off}");
            largest = largest.max(off);
            compared += 1;
        }
        eprintln!("{file}: {compared} pictures, at most {largest} from the golden logits");
        assert_eq!(compared, if background { 10 } else { 20 });
    }
}

#[test]
fn every_type_of_weights_is_read() {
    let golden = tensors(data("tflite/golden.safetensors"));
    for (name, size, shallow, activation, padding) in [
        ("float32", 33, true, Activation::Relu6, Padding::Same),
        ("uint8", 33, true, Activation::Relu6, Padding::Same),
        ("float16", 33, true, Activation::Relu, Padding::Keras),
        ("dynamic", 40, true, Activation::Relu6, Padding::Symmetric),
        ("int8", 40, false, Activation::Relu6, Padding::Same),
    ] {
        let checkpoint = read(fixture(name)).expect(name);
        let config = checkpoint.config();
        assert_eq!(checkpoint.preprocessing().size, size, "{name}");
        assert_eq!(
            (config.shallow, config.classes),
            (shallow, Some(5)),
            "{name}"
        );
        assert_eq!(
            (config.activation, config.padding),
            (activation, padding),
            "{name}"
        );
        assert!(config.batch_norm_folded && checkpoint.assumed().is_empty());
        let input = image(&golden[&format!("{name}.input")]);
        let logits = floats(&answer(&checkpoint, &[input]).1);
        let off = largest_difference(&logits, &floats(&golden[&format!("{name}.logits")]));
        eprintln!("{name}: {off}");
        assert!(off < TOLERANCE, "{name}: {off}");
    }
}
