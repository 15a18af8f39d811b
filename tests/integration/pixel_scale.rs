//! Pixels of any scale, which a network has in its first layer: against pixels that are scaled one by
//! one, and a first layer as it is, in f64.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use mobilenet::device::{self, DeviceChoice};
use mobilenet::model::{Config, MobileNet, Padding, random_tensors};
use mobilenet::pixels::{
    Crop, DecodeOptions, PixelScale, Preprocessing, RgbImage, to_bytes, to_tensor,
};
use mobilenet::weights::{Checkpoint, LoadOptions};
use mobilenet::{Classifier, Embedder, Isa};
use proptest::prelude::*;

use crate::support::{floats, largest_difference, shared, values};

/// Pictures of any bytes.
fn pictures(n: usize, (height, width): (usize, usize), seed: u64) -> Vec<RgbImage> {
    let picture = |i| {
        let values = values(height * width * 3, seed.wrapping_add(i));
        let bytes = values.iter().map(|x| (x.to_bits() >> 7) as u8).collect();
        RgbImage::from_raw(width as u32, height as u32, bytes).expect("a picture")
    };
    (0..n as u64).map(picture).collect()
}

/// Logits of pictures whose bytes are scaled one by one, in f64.
fn exact(
    config: &Config,
    tensors: &HashMap<String, Tensor>,
    pictures: &[RgbImage],
    scale: [f64; 3],
    offset: [f64; 3],
) -> Vec<f32> {
    let mut planes = Vec::new();
    for picture in pictures {
        for colour in 0..3 {
            let bytes = picture.pixels().map(|pixel| f64::from(pixel.0[colour]));
            planes.extend(bytes.map(|byte| byte * scale[colour] + offset[colour]));
        }
    }
    let (width, height) = pictures[0].dimensions();
    let shape = (pictures.len(), 3, height as usize, width as usize);
    let pixels = Tensor::from_vec(planes, shape, &Device::Cpu).expect("pixels");
    let weights = VarBuilder::from_tensors(tensors.clone(), DType::F64, &Device::Cpu);
    // It takes floats as they are.
    let network = MobileNet::builder(config, &weights).build_composed();
    floats(
        &network
            .expect("a network")
            .forward(&pixels)
            .expect("logits"),
    )
}

fn config(padding: Padding, alpha: f64) -> Config {
    Config {
        padding,
        classes: Some(7),
        ..Config::with_alpha(alpha)
    }
}

const PADDINGS: [Padding; 3] = [Padding::Keras, Padding::Same, Padding::Symmetric];

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 40,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_engine_has_the_scale_in_its_first_layer(
        padding in prop::sample::select(&PADDINGS[..]),
        alpha in prop::sample::select(&[0.25, 0.05, 0.1, 0.35][..]),
        height in 32usize..80, width in 32usize..80, n in 1usize..4,
        // Contrast of the scaled pixels, and the byte that becomes 0.
        contrast in prop::array::uniform3(-1.5f64..1.5),
        zero in prop::array::uniform3(-300f64..500.0),
        threads in 1usize..5, seed: u64,
    ) {
        let scale = contrast.map(|x| if x.abs() < 0.1 { 0.1 } else { x } / 127.5);
        let offset = std::array::from_fn(|c| -zero[c] * scale[c]);
        let config = config(padding, alpha);
        let tensors = random_tensors(&config, seed).expect("tensors");
        let pictures = pictures(n, (height, width), seed);
        let want = exact(&config, &tensors, &pictures, scale, offset);
        let largest = want.iter().fold(1f32, |a, b| a.max(b.abs()));

        let scale = PixelScale::new(scale, offset).expect("a scale");
        let weights = VarBuilder::from_tensors(tensors.clone(), DType::F32, &Device::Cpu);
        let builder = MobileNet::builder(&config, &weights).with_pixel_scale(scale);
        let mut networks = vec![
            ("composed".to_owned(), builder.build_composed().expect("a network")),
            ("as on a GPU".to_owned(), builder.build_channels_last().expect("a network")),
        ];
        for isa in Isa::available() {
            let network = builder.clone().with_isa(isa).build().expect("a network");
            networks.push((isa.to_string(), network));
        }
        let bytes = to_bytes(&pictures, &Device::Cpu).expect("bytes");
        let scaled = to_tensor(&pictures, &scale, &Device::Cpu).expect("pixels");
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        for (name, network) in &networks {
            assert_eq!(network.pixel_scale(), &scale);
            for (kind, pixels) in [("bytes", &bytes), ("scaled", &scaled)] {
                let got = pool.install(|| network.forward(pixels).expect("logits"));
                let off = largest_difference(&floats(&got), &want);
                prop_assert!(
                    off < 4e-5 * largest,
                    "{name}, {kind}: {off} of {largest}, {scale:?}, {config:?}"
                );
            }
        }
    }
}

/// A network of another scale has other answers: what the test above compares is not the same for
/// all of them.
#[test]
fn the_scale_matters() {
    let config = config(Padding::Keras, 0.25);
    let tensors = random_tensors(&config, 1).expect("tensors");
    let pictures = pictures(1, (33, 47), 1);
    let usual = exact(&config, &tensors, &pictures, [1.0 / 127.5; 3], [-1.0; 3]);
    let other = exact(&config, &tensors, &pictures, [1.0 / 255.0; 3], [0.0; 3]);
    let largest = usual.iter().fold(0f32, |a, b| a.max(b.abs()));
    let difference = largest_difference(&usual, &other);
    assert!(difference > 0.01 * largest, "{difference} of {largest}");
}

fn checkpoint(recipe: Preprocessing) -> Checkpoint {
    let config = config(Padding::Same, 0.1);
    let tensors = random_tensors(&config, 3).expect("tensors");
    let checkpoint =
        Checkpoint::from_tensors(Path::new("it.safetensors"), config, tensors, recipe, None);
    checkpoint.expect("a checkpoint")
}

fn imagenets() -> PixelScale {
    let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    PixelScale::from_mean_and_std(1.0 / 255.0, mean, std).expect("a scale")
}

#[test]
fn a_checkpoint_builds_its_network_for_the_scale_of_its_recipe() {
    let scale = imagenets();
    let checkpoint = checkpoint(Preprocessing::squash(45).with_pixel_scale(scale));
    let cpu = device::open(DeviceChoice::Cpu).expect("the CPU");
    let classifier = Classifier::new(&checkpoint, None, &cpu, DType::F32).expect("a classifier");
    let pictures = pictures(3, (45, 45), 9);
    let got = classifier.scores_of_inputs(&pictures).expect("scores");

    let config = config(Padding::Same, 0.1);
    let tensors = random_tensors(&config, 3).expect("tensors");
    let logits = exact(&config, &tensors, &pictures, scale.scale(), scale.offset());
    for (got, logits) in got.iter().zip(logits.chunks_exact(7)) {
        let powers: Vec<f64> = logits.iter().map(|x| f64::from(*x).exp()).collect();
        let sum: f64 = powers.iter().sum();
        let want: Vec<f32> = powers.iter().map(|x| (x / sum) as f32).collect();
        assert!(largest_difference(got, &want) < 1e-5);
    }

    // Once it is built it can't be given another one.
    let other = Preprocessing::squash(45);
    let refused = classifier.with_preprocessing(other.clone());
    let reason = refused.expect_err("another scale").to_string();
    assert!(reason.contains("scales pixels otherwise"), "{reason}");
    let embedder = Embedder::new(&checkpoint, &cpu, DType::F32).expect("an embedder");
    assert!(embedder.clone().with_preprocessing(other).is_err());
    let same = Preprocessing::center(64).with_pixel_scale(scale);
    assert!(embedder.with_preprocessing(same).is_ok());
}

#[test]
fn files_state_a_scale_only_where_it_is_not_the_usual_one() {
    let description = |checkpoint: &Checkpoint| {
        let bytes = checkpoint.to_safetensors(&Default::default());
        String::from_utf8_lossy(&bytes.expect("a file")).into_owned()
    };
    let reopened = |checkpoint: &Checkpoint| {
        let bytes = checkpoint.to_safetensors(&Default::default());
        let path = Path::new("it.safetensors");
        let opened = Checkpoint::from_bytes(bytes.expect("a file"), path, &LoadOptions::default());
        opened.expect("a checkpoint").preprocessing().clone()
    };
    let usual = Preprocessing::center(64);
    let checkpoint_of_usual = checkpoint(usual.clone());
    assert!(!description(&checkpoint_of_usual).contains("pixel_scale"));
    assert_eq!(reopened(&checkpoint_of_usual), usual);
    let other = usual.with_pixel_scale(imagenets());
    let checkpoint_of_other = checkpoint(other.clone());
    assert!(description(&checkpoint_of_other).contains("pixel_scale"));
    let scale = reopened(&checkpoint_of_other).pixel_scale;
    assert_eq!(scale, other.pixel_scale);
}

#[test]
fn a_file_with_an_impossible_scale_is_refused() {
    let recipe = Preprocessing::center(64).with_pixel_scale(imagenets());
    let bytes = checkpoint(recipe).to_safetensors(&Default::default());
    let bytes = bytes.expect("a file");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let header = std::str::from_utf8(&bytes[8..8 + length]).expect("JSON");
    let start = header.find(r#"\"scale\":["#).expect("a scale") + r#"\"scale\":["#.len();
    let end = start + header[start..].find(',').expect("three of them");
    for wrong in ["0", "-0.0", "1e-300", "1e300"] {
        let header = format!("{}{wrong}{}", &header[..start], &header[end..]);
        let mut changed = (header.len() as u64).to_le_bytes().to_vec();
        changed.extend(header.as_bytes());
        changed.extend(&bytes[8 + length..]);
        let path = Path::new("it.safetensors");
        let refused = Checkpoint::from_bytes(changed, path, &LoadOptions::default());
        let reason = refused.expect_err(wrong).to_string();
        assert!(reason.contains("it.safetensors"), "{reason}");
        assert!(reason.contains("can't be scaled by"), "{reason}");
    }
}

/// Real checkpoints that scale pixels otherwise than Google's, against the tools that made them.
#[test]
fn checkpoints_of_other_scales_answer_as_their_tools_do() {
    let (Some(folder), Some(photographs)) = (shared("cases/checkpoints"), shared("images")) else {
        return;
    };
    let text = std::fs::read(folder.join("scores.json")).expect("the answers");
    let answers: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    for name in [
        "hf_px_vit",
        "hf_proc_do_rescale_false",
        "te_pre_rescale_255.keras",
        "rescale255.tflite",
    ] {
        let case = &answers[name];
        // Its converter put the division by 255 into the first layer: the file says nothing of it.
        let bytes = PixelScale::new([1.0; 3], [0.0; 3]).expect("a scale");
        let stated = (name == "rescale255.tflite").then_some(bytes);
        let options = LoadOptions::default().with_pixel_scale(stated);
        let checkpoint = Checkpoint::open(folder.join(name), &options).expect("a checkpoint");
        let squashes = case["options"] == serde_json::json!(["--crop", "squash"]);
        let recipe = checkpoint.preprocessing().clone();
        let recipe = if squashes {
            recipe.with_crop(Crop::Squash)
        } else {
            recipe
        };
        let checkpoint = checkpoint.with_preprocessing(recipe).expect("a recipe");
        let cpu = device::open(DeviceChoice::Cpu).expect("the CPU");
        let classifier = Classifier::new(&checkpoint, None, &cpu, DType::F32).expect(name);
        let images = case["images"].as_array().expect("images").iter();
        let images = images.map(|path| {
            let path = path.as_str().expect("a path");
            let path = match path.strip_prefix("images/") {
                Some(name) => photographs.join(name),
                None => folder.join("img").join(path),
            };
            mobilenet::pixels::open(path, &DecodeOptions::default()).expect("a picture")
        });
        let got = classifier
            .scores(&images.collect::<Vec<_>>())
            .expect("scores");
        let want = case["scores"].as_array().expect("scores");
        assert_eq!(got.len(), want.len());
        for (got, want) in got.iter().zip(want) {
            let want = want.as_array().expect("scores").iter();
            let want: Vec<f32> = want.map(|x| x.as_f64().expect("a score") as f32).collect();
            let off = largest_difference(got, &want);
            // They are rounded to 1e-4 where there are many, and processors resize otherwise.
            assert!(off < 2e-3, "{name} is off by {off}");
        }
    }
}
