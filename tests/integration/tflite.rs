//! TensorFlow Lite's files: Google's, with the answers of other frameworks (skipped where they are
//! absent), and small ones in every type of weights (`tests/data/tflite/make_tflite.py`), as they
//! are and damaged.

use std::io::{Cursor, Write};
use std::path::Path;

use flate2::read::GzDecoder;
use mobilenet::Error;
use mobilenet::labels::Labels;
use mobilenet::model::Padding;
use mobilenet::ops::Activation;
use mobilenet::weights::{Checkpoint, LoadOptions};

use crate::support::{Program, answer, data, floats, image, largest_difference, shared, tensors};

/// Two frameworks in f32, as between Keras and ours.
const TOLERANCE: f32 = 2e-4;
/// The golden answers are of a Keras file whose batch norms, undone and folded again, moved the
/// quantised weights a little.
const QUANTISED_TOLERANCE: f32 = 5e-4;

/// What is left of that in small networks.
const SMALL_TOLERANCE: f32 = 2e-5;

/// A file that `make_tflite.py` made.
pub fn fixture(name: &str) -> Vec<u8> {
    let path = data("tflite").join(format!("{name}.tflite.gz"));
    let packed = std::fs::File::open(path).expect("a fixture");
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut GzDecoder::new(packed), &mut bytes).expect("a fixture");
    bytes
}

/// A checkpoint in memory.
pub fn read(bytes: Vec<u8>) -> Result<Checkpoint, Error> {
    Checkpoint::from_bytes(bytes, Path::new("it.tflite"), &LoadOptions::default())
}

/// What a graph leaves open and could have stated.
fn assumed_of_graph(checkpoint: &Checkpoint) -> Vec<&'static str> {
    let assumed = checkpoint.assumed().iter().copied();
    assumed
        .filter(|name| matches!(*name, "size" | "activation"))
        .collect()
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
        assert_eq!(assumed_of_graph(&checkpoint), [""; 0]);
        // Also where a file has labels of its own, which are ImageNet's.
        let labels = checkpoint.labels().expect("labels");
        assert_eq!(labels, Labels::imagenet_with_background());
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
        assert!(config.batch_norm_folded);
        assert_eq!(assumed_of_graph(&checkpoint), [""; 0]);
        let input = image(&golden[&format!("{name}.input")]);
        let logits = floats(&answer(&checkpoint, &[input]).1);
        let off = largest_difference(&logits, &floats(&golden[&format!("{name}.logits")]));
        eprintln!("{name}: {off}");
        assert!(off < SMALL_TOLERANCE, "{name}: {off}");
    }
}

/// Keras's own MobileNet ends with a Reshape, which asks for the shape of what it takes.
#[test]
fn kerass_own_top_is_read() {
    let golden = tensors(data("tflite/top.golden.safetensors"));
    for name in ["top_litert", "top_dynamic", "top_int8"] {
        let checkpoint = read(fixture(name)).expect(name);
        let config = checkpoint.config();
        assert_eq!(config.classes, Some(5), "{name}");
        assert_eq!(config.activation, Activation::Relu6, "{name}");
        assert_eq!(checkpoint.preprocessing().size, 64, "{name}");
        assert_eq!(assumed_of_graph(&checkpoint), [""; 0]);
        let input = image(&golden[&format!("{name}.input")]);
        let logits = floats(&answer(&checkpoint, &[input]).1);
        let off = largest_difference(&logits, &floats(&golden[&format!("{name}.logits")]));
        eprintln!("{name}: {off}");
        assert!(off < SMALL_TOLERANCE, "{name}: {off}");
    }
}

/// Of a single pixel there is no average to take, and none in the file; at another size there is.
#[test]
fn an_average_that_was_left_out_is_taken_where_there_is_more_than_a_pixel() {
    let golden = tensors(data("tflite/one_pixel.golden.safetensors"));
    for (name, size) in [("one_pixel", None), ("larger", Some(96))] {
        let options = LoadOptions::default().with_size(size);
        let file = fixture("one_pixel");
        let checkpoint = Checkpoint::from_bytes(file, Path::new("one_pixel.tflite"), &options);
        let checkpoint = checkpoint.expect(name);
        let input = image(&golden[&format!("{name}.input")]);
        assert_eq!(checkpoint.preprocessing().size, input.width() as usize);
        let logits = floats(&answer(&checkpoint, &[input]).1);
        let off = largest_difference(&logits, &floats(&golden[&format!("{name}.logits")]));
        assert!(off < SMALL_TOLERANCE, "{name}: {off}");
    }
}

/// Converted, it is the same network: the same settings, and bit for bit the same answers.
#[test]
fn converting_changes_nothing() {
    let program = Program::new();
    let golden = tensors(data("tflite/golden.safetensors"));
    for name in ["float32", "float16", "int8"] {
        // Whatever the file is called.
        let path = program.file("model.bin", fixture(name));
        let ran = program.run(&["convert", "model.bin", "-o", "ours.safetensors"]);
        assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
        let open = |path: &Path| Checkpoint::open(path, &LoadOptions::default()).expect(name);
        let (before, after) = (open(&path), open(&program.path("ours.safetensors")));
        assert_eq!(before.config(), after.config());
        assert_eq!(before.preprocessing(), after.preprocessing());
        let inputs = [image(&golden[&format!("{name}.input")])];
        let [before, after] = [before, after].map(|it| floats(&answer(&it, &inputs).1));
        assert_eq!(before, after, "{name}");
    }
}

#[test]
fn an_activation_that_the_file_contradicts_is_an_error() {
    let options = LoadOptions::default()
        .with_size(64)
        .with_activation(Activation::Relu);
    let path = Path::new("it.tflite");
    let error = Checkpoint::from_bytes(fixture("float32"), path, &options).expect_err("ReLU6");
    assert!(error.to_string().contains("activation is relu6"), "{error}");
    let relu = Checkpoint::from_bytes(fixture("float16"), path, &options).expect("ReLU");
    assert_eq!(relu.preprocessing().size, 64);
}

/// Behind the network there may be a zip of labels.
#[test]
fn labels_in_the_file_are_its_labels() {
    let with = |text: &str| {
        let mut file = Cursor::new(fixture("uint8"));
        file.set_position(file.get_ref().len() as u64);
        let mut zip = zip::ZipWriter::new(file);
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file("labels.txt", options).expect("a zip");
        zip.write_all(text.as_bytes()).expect("a zip");
        let file = zip.finish().expect("a zip").into_inner();
        let labels = read(file).expect("a checkpoint").labels().expect("labels");
        let names = labels.classes().iter().map(|class| class.label.clone());
        names.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(
        with("ant\nbee\r\ncrow\ndog\neel\n"),
        "ant, bee, crow, dog, eel"
    );
    // As many as there are classes, or they are of something else.
    let usual = "class 0, class 1, class 2, class 3, class 4";
    assert_eq!(with("ant\nbee\n"), usual);
    assert_eq!(with(""), usual);
}
