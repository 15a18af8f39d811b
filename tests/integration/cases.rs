//! Checkpoints that other tools wrote today, beside the scores that those tools gave for the same
//! pictures; skipped where they are absent.

use std::path::{Path, PathBuf};

use candle_core::DType;
use mobilenet::Classifier;
use mobilenet::device::{DeviceChoice, open as open_device};
use mobilenet::pixels::{Crop, DecodeOptions, Preprocessing};
use mobilenet::weights::{Checkpoint, LoadOptions};
use serde_json::Value;

use crate::support::{largest_difference, shared};

/// Of scores, where both saw the same pixels.
const FROM_THEIRS: f32 = 1e-4;

/// A checkpoint of the folder, if that is there.
pub fn case(name: &str) -> Option<PathBuf> {
    shared(&format!("cases/checkpoints/{name}"))
}

/// The largest difference of a score from those of the tool that wrote a checkpoint.
pub fn difference(name: &str, checkpoint: &Checkpoint) -> f32 {
    let folder = case("").expect("the folder");
    let answers = std::fs::read(folder.join("scores.json")).expect("the scores");
    let answers: Value = serde_json::from_slice(&answers).expect("the scores");
    let answer = &answers[name];
    let device = open_device(DeviceChoice::Cpu).expect("the CPU");
    let classifier = Classifier::new(checkpoint, None, &device, DType::F32).expect(name);
    let recipe = classifier.preprocessing().clone();
    let recipe = match answer["options"].as_array().is_some_and(Vec::is_empty) {
        true => recipe,
        false => Preprocessing::with_crop(recipe, Crop::Squash),
    };
    let classifier = classifier.with_preprocessing(recipe).expect("a recipe");
    let images = answer["images"].as_array().expect("images").iter();
    let images = images.map(|path| {
        let path = Path::new(path.as_str().expect("a path"));
        let path = match path.starts_with("images") {
            true => shared(path.to_str().expect("UTF-8")).expect("a photograph"),
            false => folder.join("img").join(path),
        };
        mobilenet::pixels::open(path, &DecodeOptions::default()).expect("a picture")
    });
    let got = classifier.scores(&images.collect::<Vec<_>>());
    let got = got.expect("scores").concat();
    let want = answer["scores"].as_array().expect("scores").iter();
    let want = want.flat_map(|scores| scores.as_array().expect("a list"));
    let want: Vec<f32> = want.map(|x| x.as_f64().expect("a score") as f32).collect();
    let off = largest_difference(&got, &want);
    eprintln!("{name}: off by {off}");
    off
}

#[test]
fn scores_are_those_of_the_tools_that_wrote_the_files() {
    for name in ["export_full.tflite", "timm_real_relu"] {
        let Some(path) = case(name) else {
            return;
        };
        let checkpoint = Checkpoint::open(path, &LoadOptions::default()).expect(name);
        let off = difference(name, &checkpoint);
        assert!(off < FROM_THEIRS, "{name}: off by {off}");
    }
}
