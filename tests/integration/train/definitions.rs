//! Gradients and steps against Keras and by definition.

use candle_core::{DType, Device, Tensor, Var};
use mobilenet::pixels::{
    DecodeOptions, Filter, PixelScale, RgbImage, Window, decode_shrunk, resize, to_tensor,
};
use mobilenet::train::{
    AdamW, Norms, Parameter, Passed, Phase, TrainableNetwork, cross_entropy, learning_rate,
};
use mobilenet::weights::Checkpoint;

use super::{Golden, f32s, open, our_tensors};
use crate::support::{answer, data, floats, image, largest_difference, repository, tensors};

fn golden() -> Golden {
    tensors(data("train/golden.safetensors"))
}

fn trainable(
    checkpoint: &Checkpoint,
    tensors: &Golden,
    norms: Norms,
    dtype: DType,
) -> TrainableNetwork {
    let config = checkpoint.config();
    let network = TrainableNetwork::new(config, tensors, 0, norms, &Device::Cpu, dtype);
    network.expect("a network")
}

/// The pixels of one of Keras's batches, and their classes.
fn batch(golden: &Golden, name: &str) -> (Tensor, Vec<usize>) {
    let pixels = &golden[&format!("{name}.pixels")];
    let images: Vec<RgbImage> = (0..4)
        .map(|i| image(&pixels.get(i).expect("a picture")))
        .collect();
    let classes: Vec<u8> = golden[&format!("{name}.classes")].to_vec1().expect("u8");
    let pixels = to_tensor(&images, &PixelScale::default(), &Device::Cpu).expect("pixels");
    (pixels, classes.into_iter().map(usize::from).collect())
}

/// Compares logits, loss and gradients with Keras's, of f64; what came of the batch is returned.
fn check_batch(
    network: &TrainableNetwork,
    (pixels, classes): &(Tensor, Vec<usize>),
    golden: &Golden,
    name: &str,
) -> Passed {
    let passed = network.forward(pixels, Phase::Training).expect("logits");
    assert!(off(&passed.logits, &golden[&format!("{name}.logits")]) < 1e-5);
    let loss = cross_entropy(&passed.logits, classes, 0.1).expect("a loss");
    assert!(off(&loss, &golden[&format!("{name}.loss")]) < 1e-5);
    let gradients = loss.backward().expect("gradients");
    let wanted: Golden = below(golden, &format!("{name}.gradient."))
        .into_iter()
        .map(|(name, tensor)| (name.to_owned(), tensor.clone()))
        .collect();
    let parameters = network.parameters();
    assert_eq!(parameters.len(), wanted.len());
    for Parameter { name, value, .. } in &parameters {
        let gradient = gradients.get(value).expect("a gradient");
        let found = gradient.flatten_all().expect("flat");
        let off = off(&found, &wanted[name].flatten_all().expect("flat"));
        assert!(off < 1e-4, "{name}: {off}");
    }
    passed
}

/// Tensors of one name in Keras's answers, by what follows it.
fn below<'a>(golden: &'a Golden, start: &str) -> Vec<(&'a str, &'a Tensor)> {
    let below = golden.iter();
    let found: Vec<_> = below
        .filter_map(|(name, tensor)| Some((name.strip_prefix(start)?, tensor)))
        .collect();
    assert!(!found.is_empty(), "{start}");
    found
}

/// The largest difference as a part of the largest value.
fn off(found: &Tensor, want: &Tensor) -> f32 {
    let (found, want) = (f32s(found), f32s(want));
    let largest = want.iter().fold(1e-3f32, |a, b| a.max(b.abs()));
    largest_difference(&found, &want) / largest
}

#[test]
fn a_batch_has_the_loss_the_gradients_and_the_statistics_that_keras_gives_it() {
    let golden = golden();
    for name in ["tiny", "shallow"] {
        let checkpoint = open(&data(&format!("keras/{name}.keras")));
        let batch = batch(&golden, name);
        let tensors = our_tensors(&checkpoint);
        let mut network = trainable(&checkpoint, &tensors, Norms::Batch, DType::F64);
        let passed = check_batch(&network, &batch, &golden, name);
        network.follow(&passed, 0.99).expect("statistics");
        let after = network.tensors().expect("tensors");
        for (part, want) in below(&golden, &format!("{name}.after.")) {
            let off = off(&after[part], want);
            assert!(off < 1e-5, "{part}: {off}");
        }
    }
}

/// As Keras's models called with `training=False`: what fine-tuning begins with is what the checkpoint
/// answers.
#[test]
fn with_stored_statistics_a_batch_has_the_loss_and_the_gradients_that_keras_gives_it() {
    let stored = tensors(data("train/stored_norms.safetensors"));
    for name in ["tiny", "shallow"] {
        let checkpoint = open(&data(&format!("keras/{name}.keras")));
        let before = our_tensors(&checkpoint);
        let mut network = trainable(&checkpoint, &before, Norms::Stored, DType::F64);
        let passed = check_batch(&network, &batch(&golden(), name), &stored, name);
        // And nothing follows the batch.
        network.follow(&passed, 0.5).expect("statistics");
        for (name, tensor) in network.tensors().expect("tensors") {
            assert!(f32s(&tensor) == f32s(&before[&name]), "{name}");
        }
    }
}

#[test]
fn blocks_near_the_pixels_learn_slower() {
    let checkpoint = open(&data("keras/tiny.keras"));
    let tensors = our_tensors(&checkpoint);
    let network = trainable(&checkpoint, &tensors, Norms::Stored, DType::F32);
    let rate = |name: &str| {
        let parameters = network.parameters_by_depth(0.5).into_iter();
        let mut named = parameters.filter(|parameter| parameter.name == name);
        named.next().expect("a parameter").rate
    };
    for (name, wanted) in [
        ("conv_preds.weight", 1.0),
        ("conv_pw_13.weight", 1.0),
        ("conv_dw_13_bn.bias", 1.0),
        ("conv_pw_12_bn.weight", 0.5),
        ("conv_dw_1.weight", 0.5f64.powi(12)),
        ("conv1.weight", 0.5f64.powi(13)),
    ] {
        assert_eq!(rate(name), wanted, "{name}");
    }
    // AdamW's first step is as long as the rate, whatever the gradient.
    let step = |rate: f64| {
        let value = Var::new(&[1.0f64], &Device::Cpu).expect("a variable");
        let parameter = Parameter {
            name: "weight".into(),
            value: value.clone(),
            decays: false,
            rate,
        };
        let mut optimiser = AdamW::new(vec![parameter], 0.0).expect("AdamW");
        let loss = value.as_tensor().sum_all().expect("a loss");
        let gradients = loss.backward().expect("gradients");
        optimiser.step(&gradients, 0.1).expect("a step");
        1.0 - value.to_vec1::<f64>().expect("a value")[0]
    };
    assert!((step(1.0) - 0.1).abs() < 1e-6 && (step(0.25) - 0.025).abs() < 1e-6);
}

#[test]
fn adamw_takes_the_steps_of_its_definition() {
    let golden = golden();
    for number in 0..3 {
        let at = |step: usize| &golden[&format!("adamw.{number}.{step}")];
        let value = Var::from_tensor(at(0)).expect("a variable");
        let parameter = |value: &Var| Parameter {
            name: "weight".into(),
            value: value.clone(),
            decays: number < 2,
            rate: 1.0,
        };
        let mut optimiser = AdamW::new(vec![parameter(&value)], 0.1).expect("AdamW");
        for step in 1..5 {
            if step == 3 {
                // It goes on from its state.
                let state = optimiser.state().expect("a state");
                optimiser = AdamW::new(vec![parameter(&value)], 0.1).expect("AdamW");
                optimiser.restore(&state, 2).expect("restored");
            }
            let gradient = &golden[&format!("adamw.{number}.gradient.{step}")];
            let loss = (value.as_tensor() * gradient).and_then(|p| p.sum_all());
            let gradients = loss.and_then(|loss| loss.backward()).expect("gradients");
            optimiser.step(&gradients, 0.01).expect("a step");
            let off = largest_difference(&f32s(&value), &f32s(at(step)));
            assert!(off < 1e-6, "weight {number}, step {step}: {off}");
        }
    }
}

#[test]
fn a_class_that_there_is_none_of_is_an_error() {
    let logits = Tensor::zeros((2, 3), DType::F32, &Device::Cpu).expect("logits");
    assert!(cross_entropy(&logits, &[0, 2], 0.1).is_ok());
    assert!(cross_entropy(&logits, &[0, 3], 0.1).is_err());
    assert!(cross_entropy(&logits, &[0], 0.1).is_err());
}

#[test]
fn the_learning_rate_rises_and_falls_to_nothing() {
    let rates: Vec<f64> = (0..200).map(|step| learning_rate(2.0, step, 200)).collect();
    assert_eq!(rates[0], 0.2);
    assert_eq!(rates[9], 2.0);
    assert!(rates[9..].windows(2).all(|pair| pair[0] > pair[1]));
    assert!((rates[104] - 1.0).abs() < 0.02 && rates[199] > 0.0 && rates[199] < 1e-3);
    assert!(learning_rate(2.0, 0, 1) == 2.0);
}

#[test]
fn in_evaluation_it_is_the_network_that_is_built_from_its_checkpoint() {
    for name in ["tiny", "shallow"] {
        let checkpoint = open(&data(&format!("keras/{name}.keras")));
        let golden = tensors(data(&format!("keras/{name}.golden.safetensors")));
        let picture = image(&golden["a.input"]);
        let pixels = to_tensor(
            std::slice::from_ref(&picture),
            &PixelScale::default(),
            &Device::Cpu,
        )
        .expect("pixels");
        let network = trainable(
            &checkpoint,
            &our_tensors(&checkpoint),
            Norms::Batch,
            DType::F32,
        );
        let logits = network.forward(&pixels, Phase::Evaluation).expect("logits");
        let logits = f32s(&logits.logits);
        let built = floats(&answer(&checkpoint, &[picture]).1);
        assert!(largest_difference(&logits, &built) < 1e-3);
        assert!(largest_difference(&logits, &floats(&golden["a.logits"])) < 1e-3);
        for wrong in [[1, 4, 64, 64], [1, 3, 64, 31]] {
            let wrong = Tensor::zeros(&wrong, DType::F32, &Device::Cpu).expect("pixels");
            assert!(network.forward(&wrong, Phase::Training).is_err());
        }
        // In training it is not: the statistics are the picture's own.
        let training = network.forward(&pixels, Phase::Training).expect("logits");
        assert!(largest_difference(&f32s(&training.logits), &built) > 0.1);
    }
}

#[test]
fn pictures_are_shrunk_to_what_is_needed_and_no_further() {
    let path = repository("samples/cat.jpg");
    let bytes = std::fs::read(&path).expect("a sample");
    let full = DecodeOptions::default();
    let picture = mobilenet::pixels::open(&path, &full).expect("a picture");
    assert!(decode_shrunk(&bytes, &full, 300).expect("a picture") == picture);
    let shrunk = decode_shrunk(&bytes, &full, 50).expect("a picture");
    let whole = Window {
        left: 0,
        top: 0,
        width: 75,
        height: 50,
    };
    assert!(shrunk == resize(&picture, (75, 50), Filter::Bilinear, whole));
    let reduced = full.with_reduced(true);
    let reduced = decode_shrunk(&bytes, &reduced, 50).expect("a picture");
    assert_eq!(reduced.dimensions(), (75, 50));
    let bytes = |image: &RgbImage| {
        image
            .as_raw()
            .iter()
            .map(|&b| f32::from(b))
            .collect::<Vec<_>>()
    };
    let (a, b) = (bytes(&reduced), bytes(&shrunk));
    let off = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).sum::<f32>() / a.len() as f32;
    assert!(off > 0.0 && off < 2.0, "{off}");
}
