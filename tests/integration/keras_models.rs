//! Models that people build and train themselves, as Keras 3 and Keras 2 save them, with the
//! logits that Keras gave (`tests/data/keras/make_models.py`).

use std::io::{Cursor, Read, Write};
use std::path::Path;

use mobilenet::model::Padding;
use mobilenet::ops::Activation;
use mobilenet::pixels::{Crop, PixelScale, Resampler};
use mobilenet::weights::{Checkpoint, LoadOptions};
use serde_json::{Value, json};

use crate::support::{Program, answer, arg, data, floats, image, largest_difference, tensors};

const TOLERANCE: f32 = 2e-4;

/// What a file that doesn't describe its model needs to be told.
fn told(file: &str) -> LoadOptions {
    let activation = if file.contains("article") || file.contains("plain") {
        Activation::Relu
    } else {
        Activation::Relu6
    };
    LoadOptions::default()
        .with_size(33)
        .with_activation(activation)
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
        (
            "article",
            &["h5", "weights.h5", "keras"][..],
            three,
            "article",
        ),
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
            let describes_itself = !file.contains("weights");
            let checkpoint = match describes_itself {
                true => open(&file, &LoadOptions::default()),
                false => open(&file, &told(&file)),
            };
            let assumed = checkpoint.assumed();
            assert!(
                !assumed.contains(&"size") && !assumed.contains(&"activation"),
                "{file}"
            );
            assert_eq!(checkpoint.preprocessing().size, 33, "{file}");
            let config = checkpoint.config();
            let (alpha, classes) = match name {
                "article" => (0.035, 5),
                "tuned" => (0.035, 4),
                _ => (0.05, 3),
            };
            assert_eq!(
                (config.alpha, config.classes),
                (alpha, Some(classes)),
                "{file}"
            );
            let padding = if name == "tuned" {
                Padding::Keras
            } else {
                Padding::Same
            };
            assert_eq!(config.padding, padding, "{file}");
            let off = off(&checkpoint, golden, name);
            assert!(off < TOLERANCE, "{file} is off by {off}");
        }
    }
}

/// Our safetensors keep everything: the same settings, and bit for bit the same answers.
#[test]
fn converting_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("saved.safetensors");
    let golden = tensors(data("keras/models.golden.safetensors"));
    let inputs = [image(&golden["tuned.a.input"])];
    for file in [
        "article.h5",
        "plain.keras",
        "by_hand.keras",
        "flat.weights.h5",
        "nested.h5",
        "keras2_nested_weights.h5",
    ] {
        let before = open(file, &told(file));
        before.save(&path).expect("saved");
        let after = Checkpoint::open(&path, &LoadOptions::default()).expect("opened");
        assert_eq!(before.config(), after.config());
        assert_eq!(before.preprocessing(), after.preprocessing());
        let (a, b) = (answer(&before, &inputs).1, answer(&after, &inputs).1);
        assert_eq!(floats(&a), floats(&b), "{file}");
    }
}

/// A `.keras` file with another description: as text, and zipped again.
fn described(file: &str, change: impl FnOnce(String) -> String) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes(file))).expect("a zip");
    let mut changed = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let mut change = Some(change);
    for name in ["config.json", "model.weights.h5"] {
        let mut content = Vec::new();
        let mut member = archive.by_name(name).expect(name);
        member.read_to_end(&mut content).expect(name);
        if let Some(change) = change.take() {
            content = change(String::from_utf8(content).expect("JSON")).into_bytes();
        }
        let stored = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        changed.start_file(name, stored).expect("a zip");
        changed.write_all(&content).expect("a zip");
    }
    changed.finish().expect("a zip").into_inner()
}

/// The same, changed layer by layer. Inputs are no longer stated, as in a `Sequential` model.
fn relayered(file: &str, change: impl FnOnce(&mut Vec<Value>)) -> Vec<u8> {
    described(file, |text| {
        let mut model: Value = serde_json::from_str(&text).expect("JSON");
        let layers = model["config"]["layers"].as_array_mut().expect("layers");
        for layer in layers.iter_mut() {
            layer["inbound_nodes"] = json!([]);
        }
        change(layers);
        model.to_string()
    })
}

fn at(layers: &[Value], class: &str) -> usize {
    let place = layers.iter().position(|layer| layer["class_name"] == class);
    place.expect(class)
}

fn layer<'a>(layers: &'a mut [Value], class: &str) -> &'a mut Value {
    let place = at(layers, class);
    &mut layers[place]["config"]
}

fn open_bytes(bytes: Vec<u8>) -> Result<Checkpoint, String> {
    let opened = Checkpoint::from_bytes(bytes, Path::new("some.keras"), &LoadOptions::default());
    opened.map_err(|error| error.to_string())
}

#[track_caller]
fn refused(bytes: Vec<u8>, reasons: &[&str]) {
    let error = open_bytes(bytes).expect_err("another network");
    for reason in reasons {
        assert!(error.contains(reason), "{reason:?} is not in {error}");
    }
}

#[test]
fn networks_that_are_not_ours_are_refused() {
    let dense = |units: usize, activation: &str| {
        json!({"class_name": "Dense", "config": {
            "name": "hidden", "units": units, "activation": activation}})
    };
    for (units, activation, reason) in [
        (
            128,
            "relu",
            "Dense hidden has 3 outputs in the file, not 128",
        ),
        (3, "relu", "Dense dense has no weights in the file"),
        (
            3,
            "softmax",
            "Dense hidden is a softmax before the last layer",
        ),
        (
            3,
            "mish",
            "Dense hidden has the activation mish: only relu,",
        ),
    ] {
        let hidden = relayered("plain.keras", |layers| {
            layers.insert(at(layers, "Dense"), dense(units, activation));
        });
        refused(hidden, &[reason]);
    }
    for (class, setting, value, reason) in [
        ("ReLU", "max_value", json!(5.0), "has the maximum 5, not 6"),
        ("ReLU", "threshold", json!(1.0), "has the threshold 1"),
        ("Softmax", "axis", json!(0), "is over axis 0, not the last"),
        (
            "Activation",
            "activation",
            json!("exponential"),
            "has the activation exponential",
        ),
        (
            "PReLU",
            "name",
            json!("p"),
            "PReLU p is not part of one there",
        ),
    ] {
        let after = relayered("plain.keras", |layers| {
            layers.push(json!({"class_name": class, "config": {"name": "a", setting: value}}));
        });
        refused(after, &[reason]);
    }
    for (class, reason) in [
        ("ReLU", "ReLU flat comes before any dense layer"),
        (
            "BatchNormalization",
            "BatchNormalization flat has no weights in the file",
        ),
    ] {
        let before = relayered("plain.keras", |layers| {
            let config = json!({"name": "flat"});
            layers.insert(
                at(layers, "Dense"),
                json!({"class_name": class, "config": config}),
            );
        });
        refused(before, &[reason]);
    }
    let flat = relayered("plain.keras", |layers| {
        let pool = at(layers, "GlobalAveragePooling2D");
        layers[pool] = json!({"class_name": "Flatten", "config": {"name": "flat"}});
    });
    refused(flat, &["Flatten flat is where a global pool should be"]);

    let tanh = relayered("plain.keras", |layers| {
        layer(layers, "Dense")["activation"] = json!("tanh");
    });
    refused(
        tanh,
        &["Dense dense has the activation tanh: of the last layer only a softmax"],
    );

    let scaled = relayered("sequential.keras", |layers| {
        layer(layers, "Rescaling")["scale"] = json!(0.0);
    });
    refused(
        scaled,
        &["pixels can't be scaled by [0.0, 0.0, 0.0] and moved by [-1.0"],
    );
    let four = relayered("sequential.keras", |layers| {
        layer(layers, "Rescaling")["scale"] = json!([1.0, 1.0, 1.0, 1.0]);
    });
    refused(
        four,
        &["Rescaling rescaling has a scaling that is none for three colours"],
    );

    let twice = relayered("plain.keras", |layers| {
        layer(layers, "Dense")["activation"] = json!("softmax");
        let softmax = json!({"name": "softmax", "activation": "softmax"});
        layers.push(json!({"class_name": "Activation", "config": softmax}));
    });
    refused(twice, &["Activation softmax is a softmax after a softmax"]);

    for (setting, value, reason) in [
        (
            "interpolation",
            json!("lanczos5"),
            "has the interpolation lanczos5",
        ),
        (
            "pad_to_aspect_ratio",
            json!(true),
            "has pad_to_aspect_ratio",
        ),
        ("height", json!(34), "makes something else than a square"),
    ] {
        let resized = relayered("plain.keras", |layers| {
            let mut config = json!({"name": "resizing", "height": 33, "width": 33});
            config[setting] = value;
            layers.insert(1, json!({"class_name": "Resizing", "config": config}));
            layers[0]["config"]["batch_shape"] = json!([null, null, null, 3]);
        });
        refused(resized, &["Resizing resizing ", reason]);
    }

    let strided = relayered("plain.keras", |layers| {
        layer(layers, "Conv2D")["strides"] = json!([1, 1]);
    });
    refused(strided, &["Conv2D conv2d has strides [1,1], not [2,2]"]);

    let padded = relayered("plain.keras", |layers| {
        let zeros = json!({"name": "zeros", "padding": [[1, 1], [1, 1]]});
        let zeros = json!({"class_name": "ZeroPadding2D", "config": zeros});
        layers.insert(at(layers, "GlobalAveragePooling2D"), zeros);
    });
    refused(padded, &["is between zeros and a convolution"]);

    let valid = relayered("plain.keras", |layers| {
        layer(layers, "DepthwiseConv2D")["padding"] = json!("valid");
    });
    refused(valid, &["its padding is not a known one"]);

    let branched = described("plain.keras", |text| {
        let from = r#""keras_history": ["activation_3""#;
        assert!(text.contains(from));
        text.replace(from, r#""keras_history": ["activation_2""#)
    });
    refused(branched, &["a single chain", "takes from activation_2"]);

    let damaged = described("plain.keras", |text| text[..text.len() / 2].into());
    refused(damaged, &["description in it is damaged"]);
}

/// All of it in one message.
#[test]
fn everything_in_a_description_is_named_at_once() {
    let many = relayered("article.keras", |layers| {
        layer(layers, "Conv2D")["strides"] = json!([1, 1]);
        layer(layers, "DepthwiseConv2D")["kernel_size"] = json!([5, 5]);
        layer(layers, "ReLU")["max_value"] = json!(4.0);
        layer(layers, "Dense")["activation"] = json!("tanh");
        let attention = json!({"class_name": "MultiHeadAttention", "config": {"name": "mha"}});
        layers.push(attention);
    });
    refused(
        many,
        &[
            "has strides [1,1], not [2,2]",
            "has kernel_size [5,5], not [3,3]",
            "has the maximum 4, not 6",
            "has the activation tanh",
            "MultiHeadAttention mha is not part of one there",
        ],
    );
    let short = relayered("article.keras", |layers| {
        let depthwise = at(layers, "DepthwiseConv2D");
        layers.drain(depthwise..depthwise + 6);
        layer(layers, "Dense")["activation"] = json!("tanh");
    });
    refused(
        short,
        &["it has 12 depthwise layers", "13, or 8 if shallow", "tanh"],
    );
}

/// HDF5 with other names in it, as long as those that were there.
fn renamed(mut bytes: Vec<u8>, names: &[(&str, &str)]) -> Vec<u8> {
    for (from, to) in names {
        let (from, to) = (format!("\0{from}\0"), format!("\0{to}\0"));
        let found = |bytes: &[u8]| bytes.windows(from.len()).position(|w| w == from.as_bytes());
        assert!(found(&bytes).is_some(), "{from}");
        while let Some(at) = found(&bytes) {
            bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        }
    }
    bytes
}

/// With and without a description, by name and by number.
#[test]
fn variables_that_do_not_fit_are_named_at_once() {
    for (file, first) in [
        ("plain.h5", 0),
        ("plain.weights.h5", 0),
        ("keras2_article_weights.h5", 13),
    ] {
        let name = |number: usize| format!("depthwise_conv2d_{}", first + number);
        let lost = name(3).replace("conv2d", "conv3d");
        let changes = [
            (name(3), lost.clone()),
            (name(5), "~".repeat(name(5).len())),
            (name(6), name(5)),
            ("~".repeat(name(5).len()), name(6)),
        ];
        let changes = changes.each_ref().map(|(a, b)| (a.as_str(), b.as_str()));
        let bytes = renamed(bytes(file), &changes);
        let error = Checkpoint::from_bytes(bytes, Path::new(file), &told(file));
        let error = error.expect_err(file).to_string();
        let shapes = match file.contains("plain") {
            true => [
                "conv_dw_6.weight is [25, 1, 3, 3], not [12, 1, 3, 3]",
                "conv_dw_12.weight",
            ],
            false => [
                "conv_dw_6.weight is [17, 1, 3, 3], not [8, 1, 3, 3]",
                "conv_dw_7.weight",
            ],
        };
        let parts = ["conv_dw_4.weight is missing", shapes[0], shapes[1]];
        for part in parts.into_iter().chain([lost.as_str()]) {
            assert!(error.contains(part), "{part:?} is not in {error}");
        }
    }
}

/// Ways to write the same network.
#[test]
fn other_spellings_are_understood() {
    let same = open("plain.keras", &LoadOptions::default());
    for (name, bytes) in [
        (
            "a window as large as what is left",
            relayered("plain.keras", |layers| {
                let at = at(layers, "GlobalAveragePooling2D");
                layers[at]["class_name"] = json!("AveragePooling2D");
                layers[at]["config"]["pool_size"] = json!([2, 2]);
                layers.insert(at + 1, json!({"class_name": "Flatten", "config": {}}));
            }),
        ),
        (
            "functions in place of layers",
            relayered("plain.keras", |layers| {
                for layer in layers
                    .iter_mut()
                    .filter(|l| l["class_name"] == "Activation")
                {
                    layer["class_name"] = json!("TFOpLambda");
                    layer["config"] = json!({"name": "tf.nn.relu", "function": "nn.relu"});
                }
            }),
        ),
        (
            "a function as an object",
            described("plain.keras", |text| {
                let object = r#""activation": {"class_name": "function", "config": "relu"}"#;
                text.replace(r#""activation": "relu""#, object)
            }),
        ),
        (
            "two scalings and a resizing in front",
            relayered("plain.keras", |layers| {
                for (class, config) in [
                    ("Rescaling", json!({"scale": 2.0, "offset": -1})),
                    ("Rescaling", json!({"scale": 1.0 / 255.0, "offset": 0.0})),
                    ("Resizing", json!({"height": 33, "width": 33})),
                    ("RandomZoom", json!({})),
                ] {
                    layers.insert(1, json!({"class_name": class, "config": config}));
                }
                layers[0]["config"]["batch_shape"] = json!([null, null, null, 3]);
            }),
        ),
        (
            "a classifier with a softmax after it",
            relayered("plain.keras", |layers| {
                let softmax = json!({"activation": "softmax"});
                layers.push(json!({"class_name": "Activation", "config": softmax}));
            }),
        ),
    ] {
        let opened = open_bytes(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(opened.config(), same.config(), "{name}");
        let recipe = same.preprocessing().clone();
        let recipe = match name.contains("resizing") {
            true => recipe
                .with_crop(Crop::Squash)
                .with_resampler(Resampler::Tensorflow),
            false => recipe,
        };
        assert_eq!(*opened.preprocessing(), recipe, "{name}");
        let off = off(&opened, "models.golden.safetensors", "plain");
        assert!(off < TOLERANCE, "{name} is off by {off}");
    }
}

/// What a model makes of its pixels is the recipe's.
#[test]
fn any_rescaling_is_the_recipes() {
    let scaled = |scale: Value, offset: Value| {
        let bytes = relayered("sequential.keras", |layers| {
            let rescaling = layer(layers, "Rescaling");
            rescaling["scale"] = scale.clone();
            rescaling["offset"] = offset.clone();
        });
        open_bytes(bytes)
            .expect("a checkpoint")
            .preprocessing()
            .pixel_scale
    };
    let by = |scale, offset| PixelScale::new(scale, offset).expect("a scale");
    assert!(scaled(json!(1.0 / 127.5), json!(-1)).is_default());
    assert_eq!(
        scaled(json!(1.0 / 255.0), json!(0.0)),
        by([1.0 / 255.0; 3], [0.0; 3])
    );
    assert_eq!(
        scaled(json!([0.5, 0.25, 2]), json!([0.0, -1.0, 1.0])),
        by([0.5, 0.25, 2.0], [0.0, -1.0, 1.0])
    );
    assert_eq!(scaled(json!(2.0), Value::Null), by([2.0; 3], [0.0; 3]));
}

/// A class of its own has no layers in its description: its weights are told by their numbers.
#[test]
fn a_description_without_layers_is_as_none() {
    let bytes = described("flat.keras", |_| {
        json!({"class_name": "MyNet", "config": {}}).to_string()
    });
    let opened = open_bytes(bytes).expect("the weights are told by their numbers");
    assert_eq!(
        opened.assumed(),
        ["size", "activation", "pixels", "head", "crop", "filter"]
    );
    assert!(off(&opened, "models.golden.safetensors", "tuned") < TOLERANCE);
}

/// Class names are in no Keras file; `--labels` has them.
#[test]
fn a_fine_tuned_model_answers_with_its_own_labels() {
    let program = Program::new();
    program.file("flowers.keras", bytes("nested.keras"));
    program.file("flowers.txt", "daisy\nrose\ntulip\nsunflower\n");
    let cat = crate::support::repository("samples/cat.jpg");
    let arguments = [
        "classify",
        "--weights",
        "flowers.keras",
        "--labels",
        "flowers.txt",
    ];
    let ran = program.run(&[&arguments[..], &["--top-k", "4", arg(&cat)]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for label in ["daisy", "rose", "tulip", "sunflower"] {
        assert!(ran.text().contains(label), "{}", ran.text());
    }
}

/// Thousands of damaged files and descriptions: any answer will do, but there has to be one.
#[test]
fn damaged_models_never_panic() {
    let mut seed = 7u64;
    let mut random = move |below: usize| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    for file in [
        "nested.h5",
        "keras2_nested_weights.h5",
        "article.weights.h5",
    ] {
        let whole = bytes(file);
        for _ in 0..150 {
            let mut bytes = whole.clone();
            for _ in 0..1 + random(8) {
                let reach = [bytes.len(), 4096][random(2)];
                bytes[random(reach)] = random(256) as u8;
            }
            let _ = Checkpoint::from_bytes(bytes, Path::new(file), &LoadOptions::default());
        }
    }
    for file in ["article.keras", "nested.keras", "keras2_nested.keras"] {
        for _ in 0..150 {
            let bytes = described(file, |text| {
                let mut words: Vec<&str> = text.split_inclusive([',', ':', '[', '{']).collect();
                for _ in 0..1 + random(4) {
                    let (a, b) = (random(words.len()), random(words.len()));
                    match random(3) {
                        0 => words.swap(a, b),
                        1 => words[a] = words[b],
                        _ => drop(words.remove(a)),
                    }
                }
                words.concat()
            });
            let _ = open_bytes(bytes);
        }
    }
}
