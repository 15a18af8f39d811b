//! The kernels against plain loops: the same integers, whatever the instruction set, the threads,
//! the size.

use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use proptest::prelude::*;

use super::Int8Network;
use super::kernels::{portable, requantise};
use super::quantise::{Kind, Quantised};
use super::weights::{folded, kind};
use crate::cpu::Isa;
use crate::cpu::network::CpuNetwork;
use crate::cpu::passes::Passes;
use crate::model::{Blueprint, Config, ConvolutionKind, Padding, Precision, random_tensors};
use crate::pixels::PixelScale;

/// An image in plain loops: `[row][column][channel]`.
struct Image {
    rows: usize,
    columns: usize,
    channels: usize,
    values: Vec<i64>,
}

impl Image {
    fn at(&self, row: isize, column: isize, channel: usize) -> i64 {
        let inside = |at: isize, len: usize| (0..len as isize).contains(&at);
        if inside(row, self.rows) && inside(column, self.columns) {
            let pixel = row as usize * self.columns + column as usize;
            self.values[pixel * self.channels + channel]
        } else {
            0
        }
    }
}

/// The network up to the last block's activations, as its definition says. `zero` is twice the byte
/// of each colour that is taken for 0.
fn plain(blueprint: Blueprint, zero: [i64; 3], bytes: &[u8], size: (usize, usize)) -> Vec<u8> {
    let value = |(i, byte): (usize, &u8)| 2 * i64::from(*byte) - zero[i % 3];
    let mut image = Image {
        rows: size.0,
        columns: size.1,
        channels: 3,
        values: bytes.iter().enumerate().map(value).collect(),
    };
    for convolution in blueprint.config.convolutions() {
        if convolution.kind == ConvolutionKind::Classifier {
            break;
        }
        let kind = kind(&convolution);
        let folded = folded(blueprint, &convolution, zero.map(|zero| zero as f64 / 2.0));
        let quantised = Quantised::new(&folded.expect("weights"), kind);
        let k = convolution.kernel();
        let span = |len| convolution.padding.span(len, k, convolution.stride);
        let (rows, columns) = match kind {
            Kind::Pointwise => (image.rows, image.columns),
            _ => (span(image.rows).output, span(image.columns).output),
        };
        let (above, left) = match kind {
            Kind::Pointwise => (0, 0),
            _ => (span(image.rows).before, span(image.columns).before),
        };
        let depth = quantised.weight.len() / convolution.out_channels;
        let mut values = Vec::new();
        for row in 0..rows {
            for column in 0..columns {
                for out in 0..convolution.out_channels {
                    let mut sum = i64::from(quantised.bias[out]);
                    for (i, weight) in quantised.weight[out * depth..][..depth].iter().enumerate() {
                        let (channel, ky, kx) = match kind {
                            Kind::Depthwise => (out, i / 3, i % 3),
                            _ => (i / (k * k), i / k % k, i % k),
                        };
                        let y = (row * convolution.stride + ky) as isize - above as isize;
                        let x = (column * convolution.stride + kx) as isize - left as isize;
                        sum += i64::from(*weight) * image.at(y, x, channel);
                    }
                    let sum = i32::try_from(sum).expect("sums fit 32 bits");
                    values.push(requantise(sum, quantised.multiplier[out], (0.0, 255.0)).into());
                }
            }
        }
        image = Image {
            rows,
            columns,
            channels: convolution.out_channels,
            values,
        };
    }
    image.values.iter().map(|value| *value as u8).collect()
}

fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}

fn weights(config: &Config, seed: u64) -> VarBuilder<'static> {
    let tensors = random_tensors(config, seed).expect("tensors");
    VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu)
}

fn on<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.expect("a pool").install(work)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn all_give_the_integers_of_plain_loops(
        alpha in prop_oneof![Just(0.05), Just(0.25), Just(0.35), Just(0.6)],
        (rows, columns) in (32usize..72, 32usize..72),
        padding in prop_oneof![Just(Padding::Keras), Just(Padding::Same), Just(Padding::Symmetric)],
        shallow: bool,
        imagenet: bool,
        threads in 1usize..5,
        seed in 0u64..1000,
    ) {
        let config = Config { padding, shallow, ..Config::with_alpha(alpha) };
        let weights = weights(&config, seed);
        let (pixel_scale, zero) = if imagenet {
            let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
            let scale = PixelScale::from_mean_and_std(1.0 / 255.0, mean, std).expect("a scale");
            (scale, mean.map(|mean| (mean * 510.0).round() as i64))
        } else {
            (PixelScale::default(), [255; 3])
        };
        let blueprint = Blueprint { config: &config, pixel_scale: &pixel_scale, tensors: &weights };
        let bytes = noise(rows * columns * 3, seed);
        let expected = plain(blueprint, zero, &bytes, (rows, columns));
        for isa in Isa::available_for(Precision::Int8) {
            let network = Int8Network::new(blueprint, isa).expect("a network");
            let found = on(threads, || network.integers(&bytes, (rows, columns)));
            prop_assert!(found == expected, "{isa}");
        }
        let kernels = &portable::KERNELS;
        let network = Int8Network::with_kernels(blueprint, Isa::PORTABLE, kernels);
        let found = network.expect("a network").integers(&bytes, (rows, columns));
        prop_assert!(found == expected, "plain Rust");
    }
}

/// Scaled pixels are the same picture as the bytes.
#[test]
fn bytes_and_planes_are_the_same() {
    let config = Config::with_alpha(0.25);
    let weights = weights(&config, 3);
    let pixel_scale = PixelScale::default();
    let blueprint = Blueprint {
        config: &config,
        pixel_scale: &pixel_scale,
        tensors: &weights,
    };
    let network = Int8Network::new(blueprint, Isa::detect_for(Precision::Int8)).expect("a network");
    let size = (45, 61);
    let bytes = noise(size.0 * size.1 * 3, 5);
    let found = network.integers(&bytes, size);
    assert_eq!(found, network.integers(&planes(&bytes), size));
}

/// The bytes of a picture scaled to [-1, 1], colour by colour.
fn planes(bytes: &[u8]) -> Vec<f32> {
    let colour = |c| {
        bytes
            .chunks_exact(3)
            .map(move |pixel| f32::from(pixel[c]) / 127.5 - 1.0)
    };
    (0..3).flat_map(colour).collect()
}

/// Eight bits are near what f32 gives.
#[test]
fn embeddings_are_near_those_of_f32() {
    let config = Config::with_alpha(0.5);
    let weights = weights(&config, 1);
    let pixel_scale = PixelScale::default();
    let blueprint = Blueprint {
        config: &config,
        pixel_scale: &pixel_scale,
        tensors: &weights,
    };
    let bytes = noise(96 * 96 * 3, 9);
    let isa = Isa::detect_for(Precision::Int8);
    let exact = CpuNetwork::new(blueprint, isa).expect("a network");
    let exact = exact.embed(&bytes, (96, 96));
    let network = Int8Network::new(blueprint, isa).expect("a network");
    let found = network.embed(&bytes, (96, 96));
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let cosine = dot(&exact, &found) / (dot(&exact, &exact) * dot(&found, &found)).sqrt();
    assert!(cosine > 0.99, "{cosine}");
}
