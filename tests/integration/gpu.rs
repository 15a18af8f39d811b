//! The network as GPUs run it, with plain loops in the place of their kernels.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use mobilenet::device::{self, DeviceChoice};
use mobilenet::model::{Config, MobileNet, Padding, random_tensors};
use mobilenet::ops::Activation;
use mobilenet::pixels::{PixelScale, RgbImage, to_bytes, to_tensor};
use mobilenet::weights::{Checkpoint, LoadOptions};

use crate::support::{floats, image, largest_difference, shared, tensors, values};

/// Networks that differ in everything, each with a size of input.
fn networks() -> Vec<(Config, usize)> {
    let shallow = Config {
        shallow: true,
        activation: Activation::Relu,
        padding: Padding::Symmetric,
        classes: Some(7),
        ..Config::with_alpha(0.06)
    };
    let headless = Config {
        classes: None,
        padding: Padding::Same,
        ..Config::with_alpha(0.25)
    };
    let keras = Config {
        classes: Some(10),
        ..Config::with_alpha(0.13)
    };
    vec![(shallow, 33), (headless, 32), (keras, 45)]
}

fn images(size: usize) -> Vec<RgbImage> {
    let image = |seed: u64| {
        let bytes = values(3 * size * size, seed);
        let bytes = bytes.iter().map(|x| ((x + 0.9) * 127.5) as u8).collect();
        RgbImage::from_raw(size as u32, size as u32, bytes).expect("as many bytes as pixels")
    };
    vec![image(1), image(2)]
}

/// Everything that a network answers: features, embedding, logits.
fn answers(network: &MobileNet, pixels: &Tensor) -> [Tensor; 3] {
    [
        network.features(pixels).expect("features"),
        network.embed(pixels).expect("an embedding"),
        network.forward(pixels).expect("logits"),
    ]
}

#[test]
fn its_answers_are_those_of_the_composition() {
    for (config, size) in networks() {
        let tensors = random_tensors(&config, 3).expect("tensors");
        let weights = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let ours = MobileNet::builder(&config, &weights)
            .build_channels_last()
            .expect("a network");
        let composed = MobileNet::builder(&config, &weights)
            .build_composed()
            .expect("a network");
        let cpu = MobileNet::new(&config, &weights).expect("a network");
        let images = images(size);
        let scaled = to_tensor(&images, &PixelScale::default(), &Device::Cpu).expect("pixels");
        let bytes = to_bytes(&images, &Device::Cpu).expect("pixels");
        let want = answers(&composed, &scaled);
        for (network, name) in [
            (&ours, "channels last"),
            (&composed, "composed"),
            (&cpu, "cpu"),
        ] {
            for pixels in [&scaled, &bytes] {
                for (got, want) in answers(network, pixels).iter().zip(&want) {
                    assert_eq!(got.dims(), want.dims(), "{name}");
                    let off = largest_difference(&floats(got), &floats(want));
                    assert!(off < 2e-4, "{name}, {size} pixels: {off}");
                }
            }
        }
    }
}

#[test]
fn the_embedding_is_the_mean_of_the_features() {
    for (config, size) in networks() {
        let tensors = random_tensors(&config, 4).expect("tensors");
        let weights = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let pixels =
            to_tensor(&images(size), &PixelScale::default(), &Device::Cpu).expect("pixels");
        for network in [
            MobileNet::builder(&config, &weights)
                .build_channels_last()
                .expect("a network"),
            MobileNet::new(&config, &weights).expect("a network"),
        ] {
            let [features, embedding, _] = answers(&network, &pixels);
            let mean = features.mean((2, 3)).expect("a mean");
            assert!(largest_difference(&floats(&mean), &floats(&embedding)) < 1e-5);
        }
    }
}

#[test]
fn halves_answer_nearly_the_same() {
    let (config, size) = networks().pop().expect("a network");
    let tensors = random_tensors(&config, 5).expect("tensors");
    let network = |dtype| {
        let weights = VarBuilder::from_tensors(tensors.clone(), dtype, &Device::Cpu);
        MobileNet::builder(&config, &weights)
            .build_channels_last()
            .expect("a network")
    };
    let bytes = to_bytes(&images(size), &Device::Cpu).expect("pixels");
    let want = floats(&network(DType::F32).forward(&bytes).expect("logits"));
    let largest = want.iter().fold(0f32, |a, b| a.max(b.abs()));
    let got = network(DType::F16).forward(&bytes).expect("logits");
    assert_eq!(got.dtype(), DType::F32);
    let off = largest_difference(&floats(&got), &want);
    assert!(off < 0.01 * largest && off > 0.0, "{off} of {largest}");
}

#[test]
fn a_pass_is_thirty_operations_whatever_the_batch() {
    let operations = |config: &Config| {
        let tensors = random_tensors(config, 6).expect("tensors");
        let weights = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let network = MobileNet::builder(config, &weights)
            .build_channels_last()
            .expect("a network");
        network.device_operations()
    };
    assert_eq!(operations(&Config::with_alpha(0.05)), Some(30));
    let shallow = Config {
        shallow: true,
        classes: None,
        ..Config::with_alpha(0.05)
    };
    assert_eq!(operations(&shallow), Some(18));
}

/// A real checkpoint, and what Keras computed from some photographs with it; `None`, said aloud, where
/// they are not there.
fn real() -> Option<(Checkpoint, HashMap<String, Tensor>)> {
    let file = shared("pretrained/keras/mobilenet_2_5_224_tf.h5")?;
    let golden = shared("pretrained/golden/keras_2_5_224.safetensors")?;
    let checkpoint = Checkpoint::open(file, &LoadOptions::default()).expect("a checkpoint");
    Some((checkpoint, tensors(golden)))
}

/// The logits `[N, classes]` of photographs.
fn logits(
    checkpoint: &Checkpoint,
    golden: &HashMap<String, Tensor>,
    photographs: &[&str],
    dtype: DType,
) -> Tensor {
    let input = |name: &&str| image(&golden[&format!("{name}.crop.input")]);
    let inputs: Vec<RgbImage> = photographs.iter().map(input).collect();
    let bytes = to_bytes(&inputs, &Device::Cpu).expect("pixels");
    let weights = checkpoint.weights(&Device::Cpu, dtype).expect("weights");
    let network = MobileNet::builder(checkpoint.config(), &weights)
        .build_channels_last()
        .expect("a network");
    network.forward(&bytes).expect("logits")
}

#[test]
fn real_weights_give_kerass_logits() {
    let Some((checkpoint, golden)) = real() else {
        return;
    };
    let want = floats(&golden["owl.jpg.crop.logits"]);
    for (dtype, allowed) in [(DType::F32, 2e-4), (DType::F16, 0.1)] {
        let got = logits(&checkpoint, &golden, &["owl.jpg"], dtype);
        let off = largest_difference(&floats(&got), &want);
        assert!(off < allowed, "{dtype:?}: {off}");
    }
}

/// The GPUs that this machine has and this build knows; none is said aloud.
fn gpus() -> Vec<(DeviceChoice, Device)> {
    let mut gpus = Vec::new();
    for choice in [DeviceChoice::Cuda(0), DeviceChoice::Metal] {
        match device::open(choice) {
            Ok(opened) => gpus.push((choice, opened.device)),
            Err(reason) => crate::skipped::skip(reason),
        }
    }
    gpus
}

/// Where this machine has a GPU and this build knows it, its own kernels.
#[test]
fn this_machines_gpu_answers_as_its_cpu_does() {
    for (choice, device) in gpus() {
        // Wide enough for whole packs of channels too.
        let wide = (Config::with_alpha(0.25), 64);
        for (config, size) in networks().into_iter().chain([wide]) {
            let tensors = random_tensors(&config, 8).expect("tensors");
            let network = |dtype, device: &Device| {
                let weights = VarBuilder::from_tensors(tensors.clone(), dtype, device);
                MobileNet::new(&config, &weights).expect("a network")
            };
            let images = images(size);
            let bytes = to_bytes(&images, &device).expect("pixels");
            let scaled = to_tensor(&images, &PixelScale::default(), &device).expect("pixels");
            let on_cpu = to_tensor(&images, &PixelScale::default(), &Device::Cpu).expect("pixels");
            let want = answers(&network(DType::F32, &Device::Cpu), &on_cpu);
            // What it falls back to where the kernels don't work.
            let weights = VarBuilder::from_tensors(tensors.clone(), DType::F32, &device);
            let composed = MobileNet::builder(&config, &weights)
                .build_composed()
                .expect("a network");
            for (got, want) in answers(&composed, &scaled).iter().zip(&want) {
                let got = got.to_device(&Device::Cpu).expect("a copy");
                let off = largest_difference(&floats(&got), &floats(want));
                assert!(off < 1e-3, "{choice}, composed: {off}");
            }
            for (dtype, allowed) in [(DType::F32, 1e-3), (DType::F16, 0.02), (DType::BF16, 0.1)] {
                let network = network(dtype, &device);
                for pixels in [&bytes, &scaled] {
                    for (got, want) in answers(&network, pixels).iter().zip(&want) {
                        let got = got.to_device(&Device::Cpu).expect("a copy");
                        assert_eq!(got.dims(), want.dims());
                        let want = floats(want);
                        let largest = want.iter().fold(1f32, |a, b| a.max(b.abs()));
                        let off = largest_difference(&floats(&got), &want);
                        assert!(off < allowed * largest, "{choice} {dtype:?}: {off}");
                    }
                }
            }
        }
    }
}

/// Batches of the same shape are answered by a recorded pass, others meanwhile are not, and all of
/// them, from any thread, as on the CPU.
#[test]
fn this_machines_gpu_replays_passes_over_other_pixels() {
    for (choice, device) in gpus() {
        let (config, size) = networks().pop().expect("a network");
        let tensors = random_tensors(&config, 9).expect("tensors");
        let network = |device: &Device| {
            let weights = VarBuilder::from_tensors(tensors.clone(), DType::F32, device);
            MobileNet::new(&config, &weights).expect("a network")
        };
        let (on_gpu, on_cpu) = (network(&device), network(&Device::Cpu));
        let check = |seed: u64, count: usize| {
            let image = |i| values(3 * size * size, seed * 100 + i);
            let images = (0..count as u64).map(image).map(|values| {
                let bytes = values.iter().map(|x| ((x + 0.9) * 127.5) as u8).collect();
                RgbImage::from_raw(size as u32, size as u32, bytes).expect("as many bytes")
            });
            let images: Vec<RgbImage> = images.collect();
            let pixels = |device: &Device| to_bytes(&images, device).expect("pixels");
            let want = floats(&on_cpu.forward(&pixels(&Device::Cpu)).expect("logits"));
            // Wherever the pixels are.
            for pixels in [pixels(&device), pixels(&Device::Cpu)] {
                let got = floats(&on_gpu.forward(&pixels).expect("logits"));
                let off = largest_difference(&got, &want);
                assert!(off < 1e-3, "{choice}, {seed}: {off}");
            }
        };
        let is_cuda = matches!(choice, DeviceChoice::Cuda(_));
        for (seed, count) in [(1, 2), (2, 2), (3, 1), (4, 2), (5, 1), (6, 3), (7, 2)] {
            check(seed, count);
            // Two forward passes each time: a batch is known from its second on, the next one from
            // its fourth.
            let known = (count == 2 || seed == 5) && is_cuda;
            assert_eq!(on_gpu.is_replayed(), known, "{choice}, {seed}");
        }
        std::thread::scope(|scope| {
            for seed in 8..14 {
                scope.spawn(move || check(seed, 1 + seed as usize % 3));
            }
        });
    }
}

/// Of real photographs, halves leave the scores where they are.
#[test]
fn halves_give_the_scores_of_photographs() {
    let Some((checkpoint, golden)) = real() else {
        return;
    };
    let photographs = ["owl.jpg", "parrot.jpg", "hot_dog.jpg"];
    let scores = |dtype| {
        let logits = logits(&checkpoint, &golden, &photographs, dtype);
        floats(&candle_nn::ops::softmax(&logits, 1).expect("scores"))
    };
    let off = largest_difference(&scores(DType::F16), &scores(DType::F32));
    assert!(off < 0.01, "{off}");
}
