//! The recipes that people train with: pixels held against those of TensorFlow, torchvision, transformers and
//! Pillow (`tests/data/pixels/make_recipes.py`), and pixels that are no bytes on every engine.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device};
use mobilenet::device::{DeviceChoice, open as open_device};
use mobilenet::explain::Explainer;
use mobilenet::model::{Config, MobileNet, Precision, random_tensors};
use mobilenet::pixels::{
    AsPixels, Crop, Dct, DecodeOptions, Filter, PixelScale, Pixels, Preprocessing, Resampler,
    RgbImage, Samples, decode, to_bytes, to_tensor,
};
use mobilenet::quantise::quantise;
use mobilenet::weights::{Checkpoint, LoadOptions};
use mobilenet::{Classifier, Embedder};
use serde_json::{Value, json};

use crate::support::{Program, arg, data, floats, image, largest_difference, repository, tensors};

/// Of levels from 0 to 255: TensorFlow's sums are in f32, in another order.
const LEVELS: f32 = 2e-3;

/// A part of a recipe by the name that it is stored under.
fn named<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let value = match name.split_once(':') {
        Some((name, number)) => json!({name: number.parse::<f64>().expect("a number")}),
        None => json!(name),
    };
    serde_json::from_value(value).expect("a name")
}

/// What a fixture's name says: the picture, and what is done to it.
fn case(name: &str, size: usize) -> (&str, Preprocessing) {
    let words: Vec<&str> = name.trim_end_matches(".output").split(' ').collect();
    let [picture, crop, filter, resampler] = words[..] else {
        panic!("{name}");
    };
    let resampler: Resampler = named(resampler);
    let dct = match resampler {
        Resampler::Tensorflow => Dct::Fast,
        _ => Dct::Accurate,
    };
    let recipe = Preprocessing::squash(size)
        .with_crop(named(crop))
        .with_filter(named(filter))
        .with_resampler(resampler)
        .with_dct(dct);
    (picture, recipe)
}

fn bytes_of(pixels: &Pixels) -> &[u8] {
    match pixels.samples() {
        Samples::Bytes(bytes) => bytes,
        Samples::Floats(_) => panic!("floats"),
    }
}

#[test]
fn pixels_are_those_of_the_tools() {
    for (tool, expected) in [("tensorflow", 78), ("torch", 69)] {
        let golden = tensors(data(&format!("pixels/recipes.{tool}.safetensors")));
        let mut compared = 0;
        let outputs = golden.iter().filter(|(name, _)| name.ends_with(".output"));
        for (name, want) in outputs {
            let (picture, recipe) = case(name, want.dims()[0]);
            let got = match golden.get(&format!("{picture}.input")) {
                Some(input) => recipe.apply(&image(input)),
                None => {
                    let file = std::fs::read(repository("samples").join(picture)).expect("a file");
                    let read = recipe.read(&file, &DecodeOptions::default());
                    read.expect("a picture").pixels
                }
            };
            if want.dtype() == DType::U8 {
                assert!(recipe.gives_bytes(), "{name}");
                let want = image(want);
                let differ = bytes_of(&got).iter().zip(want.as_raw());
                let differ = differ.filter(|(a, b)| a != b).count();
                assert_eq!(differ, 0, "{name}: bytes that differ");
            } else {
                let off = largest_difference(&got.to_floats(), &floats(want));
                assert!(off <= LEVELS, "{name}: off by {off}");
            }
            compared += 1;
        }
        assert_eq!(compared, expected, "{tool}");
    }
}

/// `tf.io.decode_jpeg`, unless it is asked for INTEGER_ACCURATE.
#[test]
fn the_fast_transform_is_tensorflows() {
    let golden = std::fs::read(data("pixels/recipes.jpeg.json")).expect("digests");
    let golden: HashMap<String, String> = serde_json::from_slice(&golden).expect("digests");
    let mut differ = 0;
    for (name, want) in &golden {
        let inside = data("pixels/decode").join(name);
        let path = if inside.exists() {
            inside
        } else {
            repository("samples").join(name)
        };
        let file = std::fs::read(path).expect("a file");
        let decoded = |dct| {
            let options = DecodeOptions::default()
                .with_exif_orientation(false)
                .with_dct(dct);
            let picture = decode(&file, &options).expect("a picture");
            mobilenet::digest::sha256(picture.as_raw())
        };
        assert_eq!(decoded(Dct::Fast), *want, "{name}");
        differ += usize::from(decoded(Dct::Accurate) != *want);
    }
    assert!(
        golden.len() > 15 && differ > 10,
        "{differ} of {}",
        golden.len()
    );
}

#[test]
fn a_recipe_is_stored_and_read_whole() {
    let recipe = Preprocessing::center(64)
        .with_crop(Crop::SquashCenter(0.9))
        .with_filter(Filter::Bicubic)
        .with_resampler(Resampler::TensorflowAntialias)
        .with_dct(Dct::Fast);
    let text = serde_json::to_string(&recipe).expect("JSON");
    assert!(
        text.contains(r#""resampler":"tensorflow-antialias""#),
        "{text}"
    );
    let read: Preprocessing = serde_json::from_str(&text).expect("a recipe");
    assert_eq!(read, recipe);
    // As files had it before, and what is the default is not stated.
    let text = serde_json::to_string(&Preprocessing::center(64)).expect("JSON");
    assert_eq!(
        text,
        r#"{"size":64,"crop":{"center":0.875},"filter":"bilinear"}"#
    );
    let read: Preprocessing = serde_json::from_str(&text).expect("a recipe");
    assert_eq!(read, Preprocessing::center(64));
    let old = r#"{"size":64,"crop":"squash","filter":"bilinear-sampled"}"#;
    let read: Preprocessing = serde_json::from_str(old).expect("a recipe");
    let sampled = Preprocessing::squash(64).with_resampler(Resampler::Tensorflow);
    assert_eq!(read, sampled);
    for wrong in [
        r#"{"size":64,"crop":"squash","filter":"bilinear","padding":"black"}"#,
        r#"{"size":64,"crop":"squash","filter":"bilinear","resampler":"opencv"}"#,
        r#"{"size":64,"crop":"squash","filter":"bilinear-sampled","resampler":"pillow"}"#,
        r#"{"size":64,"crop":"letterbox","filter":"bilinear"}"#,
    ] {
        assert!(
            serde_json::from_str::<Preprocessing>(wrong).is_err(),
            "{wrong}"
        );
    }
    let hamming = Preprocessing::squash(64).with_filter(Filter::Hamming);
    assert!(hamming.validate().is_ok());
    let wrong = hamming.with_resampler(Resampler::Tensorflow).validate();
    let reason = wrong.expect_err("no such filter").to_string();
    assert!(
        reason.contains("tensorflow has no filter hamming"),
        "{reason}"
    );
}

/// The part of a picture that a network sees is where its pixels come from.
#[test]
fn regions_are_what_is_cut_out() {
    let picture = RgbImage::from_fn(90, 50, |x, y| image::Rgb([x as u8, y as u8, 0]));
    for (crop, left, top, side) in [
        (Crop::Square, 20.0, 0.0, 50.0),
        (Crop::Unscaled, 29.0, 9.0, 32.0),
    ] {
        let recipe = Preprocessing::squash(32).with_crop(crop);
        let region = recipe.region((90, 50));
        assert_eq!((region.left, region.top), (left, top));
        assert_eq!((region.width, region.height), (side, side));
        let recipe = recipe.with_filter(Filter::Nearest);
        let Pixels::Bytes(seen) = recipe.apply(&picture) else {
            panic!("bytes");
        };
        let scale = side / 32.0;
        for (at, pixel) in [(0, seen[(0, 0)]), (31, seen[(31, 31)])] {
            let from = |start: f64| (start + (f64::from(at) + 0.5) * scale) as u8;
            assert_eq!(pixel.0, [from(left), from(top), 0]);
        }
    }
    // One side too short: the largest square.
    let recipe = Preprocessing::squash(64).with_crop(Crop::Unscaled);
    assert_eq!(recipe.region((90, 50)).width, 50.0);
}

/// Reduced decoding leaves what is sampled alone, and finds the part that is cut out.
#[test]
fn a_large_jpeg_is_reduced_where_all_of_it_counts() {
    let cat = std::fs::read(repository("samples/cat.jpg")).expect("a sample");
    let fast = DecodeOptions::default().with_reduced(true);
    let square = Preprocessing::squash(32).with_crop(Crop::Square);
    let read = |recipe: &Preprocessing, options: &DecodeOptions| {
        recipe.read(&cat, options).expect("a picture")
    };
    let (reduced, full) = (
        read(&square, &fast),
        read(&square, &DecodeOptions::default()),
    );
    assert!(reduced.reduced && !full.reduced);
    let off = largest_difference(&reduced.pixels.to_floats(), &full.pixels.to_floats());
    let other = square.clone().with_crop(Crop::Squash);
    let elsewhere = read(&other, &DecodeOptions::default());
    let apart = largest_difference(&elsewhere.pixels.to_floats(), &full.pixels.to_floats());
    assert!(off < 12.0 && apart > 40.0, "{off} {apart}");
    for sampled in [
        square.clone().with_filter(Filter::Nearest),
        square.clone().with_resampler(Resampler::Tensorflow),
        square.with_crop(Crop::Unscaled),
    ] {
        assert!(!read(&sampled, &fast).reduced);
    }
}

fn checkpoint(recipe: Preprocessing) -> Checkpoint {
    let config = Config {
        classes: Some(5),
        ..Config::with_alpha(0.25)
    };
    let tensors = random_tensors(&config, 3).expect("tensors");
    let path = Path::new("it.safetensors");
    Checkpoint::from_tensors(path, config, tensors, recipe, None).expect("a checkpoint")
}

fn picture(number: usize) -> RgbImage {
    RgbImage::from_fn(97, 61, |x, y| {
        let wave = |n: usize| ((x as usize * (3 + n) + y as usize * 7 + number * 31) % 256) as u8;
        image::Rgb([wave(0), wave(2), wave(5)])
    })
}

/// The same values as bytes and as floats have the same answers, whatever computes them.
#[test]
fn floats_are_taken_as_bytes_are() {
    let scale = PixelScale::new([0.01, 0.02, -0.01], [-1.0, 0.5, 0.0]).expect("a scale");
    let recipe = Preprocessing::squash(45).with_pixel_scale(scale);
    let checkpoint = checkpoint(recipe.clone());
    let bytes: Vec<Pixels> = (0..3).map(|i| recipe.apply(&picture(i))).collect();
    let as_floats = bytes.iter().map(|pixels| {
        let values = pixels.to_floats();
        Pixels::Floats(image::Rgb32FImage::from_raw(45, 45, values).expect("a picture"))
    });
    let as_floats: Vec<Pixels> = as_floats.collect();
    assert!(to_bytes(&as_floats, &Device::Cpu).is_err());

    let weights = checkpoint
        .weights(&Device::Cpu, DType::F32)
        .expect("weights");
    let builder = MobileNet::builder(checkpoint.config(), &weights).with_pixel_scale(scale);
    let composed = builder.build_composed().expect("a network");
    let gpu = builder.build_channels_last().expect("a network");
    let on = |network: &MobileNet, pixels: &[Pixels]| {
        let pixels = to_tensor(pixels, &scale, &Device::Cpu).expect("pixels");
        floats(&network.forward(&pixels).expect("logits"))
    };
    for network in [composed, gpu] {
        let off = largest_difference(&on(&network, &bytes), &on(&network, &as_floats));
        assert_eq!(off, 0.0);
    }

    let cpu = open_device(DeviceChoice::Cpu).expect("the CPU");
    let quantised = quantise(&checkpoint, &as_floats[..2]).expect("eight bits");
    let from_bytes = quantise(&checkpoint, &bytes[..2]).expect("eight bits");
    let mut precisions = vec![
        (&checkpoint, Precision::from(DType::F32), 1e-6),
        (&checkpoint, Precision::Int8, 1e-2),
        (&quantised, Precision::Int8, 1e-2),
        (&from_bytes, Precision::Int8, 1e-2),
    ];
    if mobilenet::device::check_precision(&cpu, DType::BF16.into()).is_ok() {
        precisions.push((&checkpoint, DType::BF16.into(), 1e-2));
    }
    for (checkpoint, precision, most) in precisions {
        let classifier = Classifier::new(checkpoint, None, &cpu, precision).expect("a classifier");
        let a = classifier
            .scores_of_inputs(&bytes)
            .expect("scores")
            .concat();
        let b = classifier
            .scores_of_inputs(&as_floats)
            .expect("scores")
            .concat();
        let off = largest_difference(&a, &b);
        assert!(off <= most, "{precision}: off by {off}");
        // Mirrored they are others.
        let mut mirrored = as_floats.clone();
        mirrored.iter_mut().for_each(Pixels::mirror);
        let c = classifier
            .scores_of_inputs(&mirrored)
            .expect("scores")
            .concat();
        assert!(largest_difference(&a, &c) > 1e-6);
    }
    let network = checkpoint
        .network(&Device::Cpu, DType::F32)
        .expect("a network");
    let explainer = Explainer::new(&checkpoint, &network).expect("an explainer");
    let explained = |pixels: &Pixels| explainer.explain(pixels).expect("maps").scores().to_vec();
    let off = largest_difference(&explained(&bytes[0]), &explained(&as_floats[0]));
    assert!(off < 1e-6, "{off}");
    let embedder = Embedder::new(&checkpoint, &cpu, DType::F32).expect("an embedder");
    let embeddings = |p: &[Pixels]| {
        embedder
            .embeddings_of_inputs(p)
            .expect("embeddings")
            .concat()
    };
    let off = largest_difference(&embeddings(&bytes), &embeddings(&as_floats));
    assert!(off < 1e-5, "{off}");
}

/// What is not rounded differs from what is, and less than another resampling does.
#[test]
fn a_recipe_without_rounding_reaches_the_network() {
    let scores = |recipe: Preprocessing| {
        let checkpoint = checkpoint(recipe);
        let cpu = open_device(DeviceChoice::Cpu).expect("the CPU");
        let classifier = Classifier::new(&checkpoint, None, &cpu, DType::F32).expect("it");
        classifier
            .scores(&[picture(1), picture(2)])
            .expect("scores")
            .concat()
    };
    let squash = Preprocessing::squash(45);
    let rounded = scores(squash.clone());
    let exact = scores(
        squash
            .clone()
            .with_resampler(Resampler::TensorflowAntialias),
    );
    let sampled = scores(squash.with_resampler(Resampler::Tensorflow));
    let near = largest_difference(&rounded, &exact);
    let far = largest_difference(&rounded, &sampled);
    assert!(near > 0.0 && far > 3.0 * near, "{near} {far}");
}

/// A file, written by the program, says what its recipe is; another command goes by it.
#[test]
fn options_go_into_files_and_before_what_these_say() {
    let program = Program::new();
    let tensors = random_tensors(checkpoint(Preprocessing::squash(64)).config(), 3);
    let plain = program.path("plain.safetensors");
    candle_core::safetensors::save(&tensors.expect("tensors"), &plain).expect("saved");
    let cat = repository("samples/cat.jpg");
    let options = ["--crop", "square", "--filter", "nearest", "--dct", "fast"];
    let more = ["--size", "64", "--activation", "relu6"];
    let converted = program.path("converted.safetensors");
    let convert = [
        "convert",
        arg(&plain),
        "-o",
        arg(&converted),
        "--resampler",
        "tensorflow",
    ];
    let ran = program.run(&[&convert[..], &options, &more].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let recipe = |ran: &[Value]| ran[0]["model"]["preprocessing"].clone();
    let scores = |arguments: &[&str]| {
        let classify = [
            "classify",
            arg(&cat),
            "--jsonl",
            "--provenance",
            "-k",
            "5",
            "--weights",
        ];
        let ran = program.run(&[&classify[..], arguments].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.rows()
    };
    let stated = scores(&[arg(&converted)]);
    assert_eq!(
        recipe(&stated),
        json!({"size": 64, "crop": "square", "filter": "nearest", "resampler": "tensorflow",
               "dct": "fast"})
    );
    let asked = scores(&[&[arg(&plain)][..], &options, &more].concat());
    let tensorflow = ["--resampler", "tensorflow"];
    let asked_alike = scores(&[&[arg(&plain)][..], &options, &more, &tensorflow].concat());
    assert_eq!(stated[0]["predictions"], asked_alike[0]["predictions"]);
    assert_eq!(recipe(&asked)["resampler"], Value::Null);
    let other = scores(&[
        arg(&converted),
        "--filter",
        "bilinear",
        "--crop",
        "center:0.9",
    ]);
    assert_eq!(recipe(&other)["crop"], json!({"center": 0.9}));
    assert_eq!(recipe(&other)["resampler"], json!("tensorflow"));
    assert_ne!(other[0]["predictions"], stated[0]["predictions"]);
    // One that TensorFlow doesn't have.
    let classify = [
        "classify",
        arg(&cat),
        "--filter",
        "hamming",
        "--weights",
        arg(&converted),
    ];
    program
        .run(&classify)
        .refused(&["tensorflow has no filter hamming"]);
    let classify = [
        "classify",
        arg(&cat),
        "--crop",
        "center:2",
        "--weights",
        arg(&converted),
    ];
    let ran = program.run(&classify);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("center:FRACTION"), "{}", ran.stderr);

    // In eight bits it is still there, and pictures were looked at as it says.
    let eight = program.path("eight.safetensors");
    let quantize = ["quantize", arg(&plain), arg(&cat), "-o", arg(&eight)];
    let unrounded = ["--crop", "square", "--resampler", "tensorflow"];
    let ran = program.run(&[&quantize[..], &unrounded, &more].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let opened = Checkpoint::open(&eight, &LoadOptions::default()).expect("a checkpoint");
    let recipe = opened.preprocessing();
    assert_eq!(
        (recipe.crop, recipe.resampler),
        (Crop::Square, Resampler::Tensorflow)
    );
    scores(&[arg(&eight)]);
}

fn read_gz(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).expect("a fixture");
    let mut file = flate2::read::GzDecoder::new(file);
    std::io::Read::read_to_end(&mut file, &mut bytes).expect("a fixture");
    bytes
}

fn from_bytes(bytes: Vec<u8>) -> mobilenet::Result<Checkpoint> {
    Checkpoint::from_bytes(bytes, Path::new("it"), &LoadOptions::default())
}

fn logits(checkpoint: &Checkpoint, pixels: &Pixels) -> Vec<f32> {
    let network = checkpoint
        .network(&Device::Cpu, DType::F32)
        .expect("a network");
    let scale = &checkpoint.preprocessing().pixel_scale;
    let pixels = to_tensor(std::slice::from_ref(pixels), scale, &Device::Cpu).expect("pixels");
    floats(&network.forward(&pixels).expect("logits"))
}

/// What Keras's layers make of pixels is the recipe (`tests/data/keras/make_front.py`).
#[test]
fn kerass_preprocessing_layers_are_the_recipe() {
    let golden = tensors(data("keras/front.golden.safetensors"));
    let cat = std::fs::read(repository("samples/cat.jpg")).expect("a sample");
    for (name, crop, filter, resampler) in [
        (
            "resizing",
            Crop::Squash,
            Filter::Bilinear,
            Resampler::Tensorflow,
        ),
        (
            "square",
            Crop::Square,
            Filter::Bicubic,
            Resampler::TensorflowAntialias,
        ),
        (
            "centre",
            Crop::SquashCenter(33.0 / 40.0),
            Filter::Nearest,
            Resampler::Tensorflow,
        ),
        (
            "adapted",
            Crop::Unscaled,
            Filter::Bilinear,
            Resampler::Tensorflow,
        ),
        (
            "invert",
            Crop::Center(0.875),
            Filter::Bilinear,
            Resampler::Pillow,
        ),
    ] {
        let file = std::fs::read(data(&format!("keras/front_{name}.keras"))).expect("a fixture");
        let mut read = vec![from_bytes(file).expect(name)];
        if name == "adapted" {
            let legacy = read_gz(&data("keras/front_adapted.h5.gz"));
            read.push(from_bytes(legacy).expect("the same as HDF5"));
        }
        for checkpoint in read {
            let recipe = checkpoint.preprocessing().clone();
            assert_eq!(recipe.size, 33, "{name}");
            assert_eq!(
                (recipe.crop, recipe.filter, recipe.resampler),
                (crop, filter, resampler),
                "{name}"
            );
            assert_eq!(
                recipe.pixel_scale.is_default(),
                matches!(name, "resizing" | "centre" | "invert")
            );
            let input = image(&golden[&format!("{name}.input")]);
            let want = floats(&golden[&format!("{name}.logits")]);
            if name != "centre" {
                let off = largest_difference(&logits(&checkpoint, &input.clone().into()), &want);
                assert!(off < 2e-4, "{name}: off by {off}");
            }
            let off = largest_difference(&logits(&checkpoint, &recipe.apply(&input)), &want);
            assert!(name == "invert" || off < 3e-4, "{name}: off by {off}");
            let Some(want) = golden.get(&format!("{name}.photograph")) else {
                continue;
            };
            let seen = recipe
                .with_dct(Dct::Fast)
                .read(&cat, &DecodeOptions::default())
                .expect("a picture");
            let off = largest_difference(&logits(&checkpoint, &seen.pixels), &floats(want));
            eprintln!("{name}: off by {off}");
            assert!(off < 1e-3, "{name}: off by {off}");
        }
    }
}

/// A `.keras` file whose description was changed.
fn described(name: &str, change: impl Fn(&mut Vec<Value>)) -> Vec<u8> {
    use std::io::{Cursor, Read, Write};

    let file = std::fs::read(data(&format!("keras/{name}"))).expect("a fixture");
    let mut archive = zip::ZipArchive::new(Cursor::new(file)).expect("a zip");
    let mut changed = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for i in 0..archive.len() {
        let mut member = archive.by_index(i).expect("a member");
        let name = member.name().expect("a name").into_owned();
        let mut content = Vec::new();
        member.read_to_end(&mut content).expect("its content");
        if name == "config.json" {
            let mut config: Value = serde_json::from_slice(&content).expect("JSON");
            change(config["config"]["layers"].as_array_mut().expect("layers"));
            content = config.to_string().into_bytes();
        }
        let options = zip::write::SimpleFileOptions::default();
        changed.start_file(name, options).expect("a member");
        changed.write_all(&content).expect("written");
    }
    changed.finish().expect("a zip").into_inner()
}

#[test]
fn what_kerass_layers_do_otherwise_is_refused_by_name() {
    let refused = |name: &str, class: &str, key: &str, value: Value, reason: &str| {
        let bytes = described(name, |layers| {
            let layer = layers.iter_mut().find(|layer| layer["class_name"] == class);
            layer.expect("the layer")["config"][key] = value.clone();
        });
        let error = from_bytes(bytes).expect_err(reason).to_string();
        assert!(error.contains(reason) && error.contains(class), "{error}");
    };
    for (name, class, key, value, reason) in [
        (
            "resizing",
            "Resizing",
            "pad_to_aspect_ratio",
            json!(true),
            "pad_to_aspect_ratio",
        ),
        (
            "resizing",
            "Resizing",
            "interpolation",
            json!("lanczos5"),
            "lanczos5",
        ),
        ("resizing", "Resizing", "width", json!(34), "a square"),
        ("centre", "CenterCrop", "height", json!(34), "a square"),
        (
            "square",
            "Normalization",
            "axis",
            json!([1, 2]),
            "of the axes [1,2]",
        ),
        (
            "square",
            "Normalization",
            "mean",
            json!([1.0, 2.0]),
            "none of three colours",
        ),
    ] {
        refused(&format!("front_{name}.keras"), class, key, value, reason);
    }
    // One that the file has no statistics for.
    let bytes = described("front_resizing.keras", |layers| {
        let rescaling = layers
            .iter_mut()
            .find(|layer| layer["class_name"] == "Rescaling");
        let rescaling = rescaling.expect("the layer");
        rescaling["class_name"] = json!("Normalization");
        rescaling["config"] = json!({"name": rescaling["name"], "axis": [-1]});
    });
    let error = from_bytes(bytes).expect_err("no statistics").to_string();
    assert!(error.contains("that are not in the file"), "{error}");
    // Integers, to which Keras rounds what it resizes.
    let bytes = described("front_resizing.keras", |layers| {
        layers[0]["config"]["dtype"] = json!("uint8");
    });
    let error = from_bytes(bytes).expect_err("rounded").to_string();
    assert!(error.contains("rounds to the integers"), "{error}");
}

/// The task library's metadata say what pixels become (`tests/data/tflite/make_metadata.py`).
#[test]
fn the_metadata_of_tflite_files_are_heeded() {
    let golden = tensors(data("tflite/metadata.golden.safetensors"));
    for (name, is_usual) in [("metadata", false), ("metadata_one", true)] {
        let bytes = read_gz(&data(&format!("tflite/{name}.tflite.gz")));
        let checkpoint = from_bytes(bytes.clone()).expect(name);
        assert_eq!(
            checkpoint.preprocessing().pixel_scale.is_default(),
            is_usual
        );
        let labels = checkpoint.labels().expect("labels");
        assert_eq!(labels.classes()[4].label, "thing 4");
        let cpu = open_device(DeviceChoice::Cpu).expect("the CPU");
        let classifier = Classifier::new(&checkpoint, None, &cpu, DType::F32).expect(name);
        let input = image(&golden[&format!("{name}.input")]);
        let got = classifier
            .scores_of_inputs(&[input])
            .expect("scores")
            .concat();
        let off = largest_difference(&got, &floats(&golden[&format!("{name}.scores")]));
        eprintln!("{name}: off by {off}");
        assert!(off < 2e-5, "{name}: off by {off}");

        // What they say can't be made to say something else than what is there.
        let start = memchr::memmem::find(&bytes, b"M001").expect("the metadata") - 4;
        let mut different = 0;
        for at in start..(start + 800).min(bytes.len()) {
            for flip in [0x01, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] ^= flip;
                different += usize::from(from_bytes(damaged).is_err());
            }
        }
        assert!(different > 100, "{different}");
    }
}
