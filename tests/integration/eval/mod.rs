//! Networks against pictures whose classes are known.
//!
//! - `figures`: every figure, from the answers and the definitions
//! - `lists`: lists as others write them
//! - `outputs`: tables, pictures and text of them
//! - `truth`: which picture is of which class

mod figures;
mod lists;
mod outputs;
mod truth;

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use mobilenet::device::DeviceChoice;
use mobilenet::model::{Config, random_tensors};
use mobilenet::pixels::Preprocessing;
use mobilenet::weights::Checkpoint;
use mobilenet::{Embedder, Rejection, device};
use serde_json::Value;

use crate::support::{Program, Ran, arg, largest_difference, values};

const LABELS: [&str; 7] = ["Cat", "cat, big", "dog", "7", "snow owl", "2", "fox"];

/// What the folders of the album are called, and which class that is.
const FOLDERS: [(&str, Option<usize>); 7] = [
    ("2", Some(5)),
    ("CAT, BIG", Some(1)),
    ("Cat", Some(0)),
    ("dog", Some(2)),
    ("snow_owl", Some(4)),
    ("sub", None),
    ("unknown", None),
];

/// A network of random weights in a file, that takes pictures for many of these classes.
fn checkpoint(program: &Program, threshold: Option<f32>) -> PathBuf {
    let config = Config {
        classes: None,
        ..Config::with_alpha(0.05)
    };
    let width = config.embedding_len();
    let path = program.path("network.safetensors");
    let tensors = random_tensors(&config, 3).expect("tensors");
    let recipe = Preprocessing::center(32);
    let backbone = Checkpoint::from_tensors(&path, config, tensors, recipe, None);
    let backbone = backbone.expect("a network");
    // Weights of the difference from the mean picture, or all would be of the same class.
    let device = device::open(DeviceChoice::Cpu).expect("a CPU");
    let embedder = Embedder::new(&backbone, &device, DType::F32).expect("a network");
    let pictures: Vec<_> = (0..40)
        .map(|number| image::load_from_memory(&picture(number)).expect("a picture"))
        .map(|picture| picture.into_rgb8())
        .collect();
    let embeddings = embedder.embeddings(&pictures).expect("embeddings");
    let mean: Vec<f32> = (0..width)
        .map(|i| embeddings.iter().map(|e| e[i]).sum::<f32>() / 40.0)
        .collect();
    let deviation = |e: &Vec<f32>| largest_difference(e, &mean);
    let deviation = embeddings.iter().map(deviation).fold(0.0, f32::max);
    let weights = values(7 * width, 5).into_iter();
    let weights: Vec<f32> = weights.map(|w| w * 6.0 / deviation).collect();
    let bias: Vec<f32> = weights
        .chunks(width)
        .map(|row| -row.iter().zip(&mean).map(|(w, m)| w * m).sum::<f32>())
        .collect();
    let weight = Tensor::from_vec(weights, (7, width), &Device::Cpu).expect("weights");
    let bias = Tensor::new(bias, &Device::Cpu).expect("a bias");
    let rejection = threshold.map(|threshold| Rejection {
        threshold,
        share: 0.05,
    });
    backbone
        .with_classifier(&weight, &bias, LABELS.map(String::from).to_vec())
        .and_then(|made| made.with_rejection(rejection))
        .and_then(|made| made.save(&path))
        .expect("a checkpoint");
    path
}

/// A network of random weights for ImageNet's classes.
fn imagenet(program: &Program) -> PathBuf {
    let config = Config::with_alpha(0.05);
    let tensors = random_tensors(&config, 3).expect("tensors");
    let path = program.path("imagenet.safetensors");
    Checkpoint::from_tensors(&path, config, tensors, Preprocessing::center(32), None)
        .and_then(|made| made.save(&path))
        .expect("a checkpoint");
    path
}

/// A picture of stripes and noise, each number another.
fn picture(number: u32) -> Vec<u8> {
    let mut state = u64::from(number) * 7919 + 1;
    let mut noise = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 58) as u32
    };
    let colour = |x: u32, y: u32| {
        let wave = if (x / (number % 9 + 1) + y / (number % 5 + 1)).is_multiple_of(2) {
            200
        } else {
            number * 13 % 120
        };
        let channel = |shift: u32| (wave * (number % (shift + 3) + 1) / (shift + 2)) % 192;
        [channel(0), channel(1), channel(2)]
    };
    let image = image::RgbImage::from_fn(40, 36, |x, y| {
        let noise = noise();
        image::Rgb(colour(x, y).map(|c| (c + noise).min(255) as u8))
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    image
        .write_to(&mut bytes, image::ImageFormat::Png)
        .expect("a picture");
    bytes.into_inner()
}

/// An album of `count` pictures, and the class of each in the order of their paths.
fn album(program: &Program, count: usize) -> Vec<(String, Option<usize>)> {
    let mut pictures = Vec::new();
    for number in 0..count {
        let (folder, class) = FOLDERS[number % 7];
        // A folder in a class's folder belongs to the class.
        let (folder, class) = match folder {
            "sub" => ("dog/more", Some(2)),
            folder => (folder, class),
        };
        let path = format!("album/{folder}/{number:03}.png");
        let file = program.path(&path);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(&file, picture(number as u32)).expect("written");
        pictures.push((path, class));
    }
    std::fs::create_dir_all(program.path("album/.hidden")).expect("a folder");
    program.file("album/beside.png", picture(1));
    pictures.sort();
    pictures
}

fn run(program: &Program, weights: &Path, more: &[&str]) -> Ran {
    program.run(&[&["eval", "--weights", arg(weights)], more].concat())
}

fn report(program: &Program, weights: &Path, more: &[&str]) -> Value {
    let ran = run(program, weights, &[&["--json"], more].concat());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let mut json = ran.json();
    let speed = json["images_per_second"].take();
    assert!(speed.as_f64().is_some_and(|speed| speed > 0.0));
    json
}

/// The scores of all classes, as `classify` has them.
fn scores(program: &Program, weights: &Path) -> Vec<Vec<f32>> {
    let ran = program.run(&[
        "classify",
        "--jsonl",
        "-k",
        "7",
        "--threshold",
        "0",
        "--weights",
        arg(weights),
        "album/2",
        "album/CAT, BIG",
        "album/Cat",
        "album/dog",
        "album/snow_owl",
        "album/unknown",
    ]);
    let scores = |row: &Value| {
        let mut scores = vec![f32::NAN; 7];
        for prediction in row["predictions"].as_array().expect("predictions") {
            let index = prediction["index"].as_u64().expect("an index") as usize;
            scores[index] = prediction["score"].as_f64().expect("a score") as f32;
        }
        scores
    };
    ran.rows().iter().map(scores).collect()
}
