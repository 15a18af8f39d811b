//! TFLite files whose weights take less room than a byte a value, or whose pixels are planes of colours
//! (`tests/data/tflite/make_small_weights.py` and `make_litert_torch.py`): as they are and damaged.

use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::{DType, Device, Tensor};
use mobilenet::model::{Padding, Precision};
use mobilenet::pixels::PixelScale;
use mobilenet::weights::Integers;
use rayon::prelude::*;

use crate::support::{answer, data, floats, image, largest_difference, tensors};
use crate::tflite::{fixture, read};

const TOLERANCE: f32 = 2e-5;
/// Of networks whose activations reach 6 in every layer.
const TORCH_TOLERANCE: f32 = 2e-4;

const SMALL_WEIGHTS: [&str; 10] = [
    "int16x8",
    "int16_pixels",
    "int4",
    "int4_weight_only",
    "int4_blocks",
    "int2",
    "sparse",
    "sparse_int8",
    "sparse_blocks",
    "sparse_float16",
];

#[test]
fn weights_of_fewer_bits_and_pruned_ones_are_the_numbers_that_they_stand_for() {
    let golden = tensors(data("tflite/small_weights.safetensors"));
    for name in SMALL_WEIGHTS {
        let checkpoint = read(fixture(name)).expect(name);
        assert_eq!(checkpoint.config().padding, Padding::Same, "{name}");
        assert_eq!(checkpoint.preprocessing().size, 40, "{name}");
        assert!(checkpoint.preprocessing().pixel_scale.is_default());
        assert_ne!(checkpoint.integers(), Integers::Own, "{name}");
        let usual = checkpoint.default_precision(&Device::Cpu);
        assert_eq!(usual, Precision::from(DType::F32), "{name}");
        let input = image(&golden[&format!("{name}.input")]);
        let logits = floats(&answer(&checkpoint, &[input]).1);
        let off = largest_difference(&logits, &floats(&golden[&format!("{name}.logits")]));
        eprintln!("{name}: {off}");
        assert!(off < TOLERANCE, "{name}: {off}");
    }
}

#[test]
fn planes_of_colours_behind_a_transpose_are_pixels() {
    let golden = tensors(data("tflite/litert_torch.safetensors"));
    let imagenet =
        PixelScale::from_mean_and_std(1.0 / 255.0, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    for (name, scale) in [
        ("nchw", PixelScale::default()),
        ("nchw_normalised", imagenet.expect("a scale")),
        ("nchw_one_pixel", PixelScale::default()),
        ("nhwc", PixelScale::default()),
    ] {
        let checkpoint = read(fixture(name)).expect(name);
        assert_eq!(checkpoint.config().padding, Padding::Symmetric, "{name}");
        let found = checkpoint.preprocessing().pixel_scale;
        for colour in 0..3 {
            let near = |a: f64, b: f64| (a - b).abs() < 1e-6;
            assert!(near(found.scale()[colour], scale.scale()[colour]));
            assert!(near(found.offset()[colour], scale.offset()[colour]));
        }
        let inputs = golden[&format!("{name}.input")].get(0).expect("a picture");
        let logits = floats(&answer(&checkpoint, &[image(&inputs)]).1);
        let off = largest_difference(&logits, &floats(&golden[&format!("{name}.logits")]));
        eprintln!("{name}: {off}");
        assert!(off < TORCH_TOLERANCE, "{name}: {off}");
    }
}

/// Planes change nothing about the integers of a file that has them throughout.
#[test]
fn planes_of_integers_give_litert_s() {
    let golden = tensors(data("tflite/litert_torch.safetensors"));
    let checkpoint = read(fixture("nchw_int8")).expect("a checkpoint");
    assert_eq!(checkpoint.integers(), Integers::Own);
    for (precision, kernels) in [
        (Precision::Int8, ""),
        (Precision::Int8Reference, "reference."),
    ] {
        let network = checkpoint.network(&Device::Cpu, precision);
        let network = network.expect("a network");
        let logits = network.forward(&golden["nchw_int8.input"]).expect("logits");
        let expected = &golden[&format!("nchw_int8.{kernels}logits")];
        assert_eq!(floats(&logits), floats(expected), "{precision}");
    }
}

/// Replaces bytes wherever a file has them, and compares the reason with what is expected.
#[track_caller]
fn refused(name: &str, from: &[u8], to: &[u8], reason: &str) {
    let file = fixture(name);
    let places: Vec<usize> = memchr::memmem::find_iter(&file, from).collect();
    assert!(!places.is_empty(), "{from:?} is not in {name}");
    let mut changed = file;
    for at in places {
        changed[at..at + to.len()].copy_from_slice(to);
    }
    let error = read(changed).expect_err(reason).to_string();
    assert!(error.contains(reason), "{reason:?} is not in {error:?}");
}

fn words(numbers: &[i32]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_le_bytes()).collect()
}

#[test]
fn planes_that_are_turned_otherwise_are_refused() {
    let order = "its order is [0, 3, 2, 1], not [0, 2, 3, 1]";
    refused("nchw", &words(&[0, 2, 3, 1]), &words(&[0, 3, 2, 1]), order);
    // Pixels before the TRANSPOSE, which would make planes of them.
    refused(
        "nchw",
        &words(&[1, 3, 64, 64]),
        &words(&[1, 64, 64, 3]),
        "operator 0 (TRANSPOSE) comes where CONV_2D is expected",
    );
    refused(
        "nchw",
        &words(&[1, 3, 64, 64]),
        &words(&[1, 3, 64, 65]),
        "where pixels of a square picture are [1, side, side, 3] or [1, 3, side, side]",
    );
    refused(
        "nhwc",
        &words(&[4, 1, 64, 64, 3]),
        &words(&[4, 1, 3, 64, 64]),
        "comes where TRANSPOSE is expected",
    );
}

/// Shapes that a few values are said to be most of, and lists that don't fit them.
#[test]
fn pruned_tensors_that_are_not_what_they_claim_are_refused() {
    let levels = "a pruned tensor's levels are not those of its shape";
    // The last pointwise weight's shape.
    let shape = words(&[4, 64, 1, 1, 32]);
    let wider = "its weight is [64, 1, 1, 33], not [64, 1, 1, 32]";
    refused("sparse", &shape, &words(&[4, 64, 1, 1, 33]), wider);
    for huge in [
        [4, 1 << 20, 1 << 10, 1, 32],
        [4, i32::MAX, i32::MAX, i32::MAX, i32::MAX],
    ] {
        let reason = "its pruned tensors have more than 32 values for each of its bytes";
        refused("sparse", &shape, &words(&huge), reason);
    }
    refused("sparse", &shape, &words(&[4, 32, 1, 1, 64]), levels);
    // The classifier's blocks: of another dimension, or of one that isn't there.
    let order = words(&[1, 1, 3, 0, 1, 2]);
    for (changed, reason) in [
        (words(&[1, 1, 3, 0, 2, 2]), levels),
        (words(&[1, 1, 3, 1, 0, 2]), levels),
        (words(&[1, 1, 3, 0, 1, -2]), "has a dimension below 0"),
        (words(&[1, 1, 2, 0, 1, 2]), levels),
        (words(&[1, 2, 3, 0, 1, 2]), levels),
        (words(&[1, 0, 3, 0, 1, 2]), levels),
    ] {
        refused("sparse_blocks", &order, &changed, reason);
    }
}

#[test]
fn blocks_without_their_scales_are_refused() {
    let shape = words(&[2, 5, 2]);
    let reason = "is [5, 64] and has no scale for each block of 32";
    refused("int4_blocks", &shape, &words(&[2, 2, 5]), reason);
    refused("int4_blocks", &shape, &words(&[2, 5, 1]), reason);
}

/// Every byte of the tables, and some of the values: any answer will do, but there has to be one.
#[test]
fn no_byte_makes_it_panic() {
    let (tried, valid) = (AtomicUsize::new(0), AtomicUsize::new(0));
    for name in ["sparse_blocks", "int4_blocks", "nchw_int8"] {
        let bytes = fixture(name);
        (0..bytes.len()).into_par_iter().for_each(|at| {
            let mut changed = bytes.clone();
            changed[at] ^= [0xff, 0x01, 0x80, 0x10][at % 4];
            tried.fetch_add(1, Ordering::Relaxed);
            let Ok(checkpoint) = read(changed) else {
                return;
            };
            valid.fetch_add(1, Ordering::Relaxed);
            if at.is_multiple_of(16) {
                let _ = checkpoint.network(&Device::Cpu, DType::F32);
            }
        });
        for length in (0..bytes.len()).step_by(97) {
            let _ = read(bytes[..length].to_vec());
        }
    }
    eprintln!("{tried:?} files, of which {valid:?} are still networks");
    assert!(tried.into_inner() > 100_000);
}

/// What the mean of planes is taken off before them is heeded whatever its size.
#[test]
fn pixels_from_0_to_255_are_told_from_those_from_0_to_1() {
    let file = fixture("nchw_normalised");
    // Red's mean, as of bytes; then blue's and green's too.
    let mean = [0.485f32, 0.456, 0.406].map(f32::to_le_bytes).concat();
    let at = memchr::memmem::find(&file, &mean).expect("the mean");
    let mut changed = file;
    let larger = [123.675f32, 116.28, 103.53].map(f32::to_le_bytes).concat();
    changed[at..at + 12].copy_from_slice(&larger);
    let checkpoint = read(changed).expect("a checkpoint");
    let found = checkpoint.preprocessing().pixel_scale;
    assert!((found.scale()[0] * 0.229 - 1.0).abs() < 1e-6, "{found:?}");
    let pixels = Tensor::zeros((1, 64, 64, 3), DType::U8, &Device::Cpu).expect("pixels");
    let network = checkpoint.network(&Device::Cpu, DType::F32);
    assert!(network.expect("a network").forward(&pixels).is_ok());
}
