//! The kernels against plain loops: the same integers, whatever the instruction set, the threads,
//! the size.

use proptest::prelude::*;

use super::kernels::portable;
use super::{Int8Network, quantised};
use crate::cpu::Isa;
use crate::cpu::network::CpuNetwork;
use crate::cpu::passes::Passes;
use crate::cpu::test_inputs::{self, noise, planes, weights};
use crate::error::{Error, Result};
use crate::model::{
    AverageRule, Blueprint, ByteIntegers, Config, Convolution, ConvolutionKind, FixedPoint,
    IntegerAverage, IntegerClassifier, IntegerWeights, Levels, Padding, PixelIntegers, Precision,
    QuantisedConvolution, QuantisedLayers, QuantisedNetwork, ReferenceFactor, Rounding, Scale,
    Softmax,
};
use crate::pixels::PixelScale;

/// An image in plain loops: `[row][column][channel]`.
struct Image {
    rows: usize,
    columns: usize,
    channels: usize,
    values: Vec<i64>,
    /// What lies around it.
    zero: i64,
}

impl Image {
    fn at(&self, row: isize, column: isize, channel: usize) -> i64 {
        let inside = |at: isize, len: usize| (0..len as isize).contains(&at);
        if inside(row, self.rows) && inside(column, self.columns) {
            let pixel = row as usize * self.columns + column as usize;
            self.values[pixel * self.channels + channel]
        } else {
            self.zero
        }
    }
}

/// LiteRT's reference arithmetic, as it is written down.
fn plain_times(factor: ReferenceFactor, sum: i32) -> i64 {
    match factor {
        ReferenceFactor::Convolution(factor) => plain_fixed_point(factor, sum),
        ReferenceFactor::Dense(factor) => {
            let product = f64::from(sum) * factor;
            let size = product.abs().floor() + f64::from(product.abs().fract() >= 0.5);
            size.copysign(product) as i64
        }
    }
}

/// With numbers of any length.
fn plain_fixed_point(factor: FixedPoint, sum: i32) -> i64 {
    let FixedPoint { mantissa, exponent } = factor;
    let product = i128::from(sum) * i128::from(mantissa);
    let power = |n: i32| 1i128 << n;
    let halves_up = |numerator: i128, denominator: i128| {
        (2 * numerator + denominator).div_euclid(2 * denominator)
    };
    let first = halves_up(product * power(exponent.max(0)), power(31));
    let size = halves_up(first.abs(), power((-exponent).max(0)));
    i64::try_from(size * first.signum()).expect("64 bits")
}

/// The network up to the last block's activations, as its definition says.
fn plain(
    config: &Config,
    network: &QuantisedNetwork,
    bytes: &[u8],
    size: (usize, usize),
) -> Vec<u8> {
    let ByteIntegers::Linear { factor, zero } = network.pixels.bytes else {
        panic!("a table");
    };
    let value =
        |(i, byte): (usize, &u8)| i64::from(factor) * i64::from(*byte) - i64::from(zero[i % 3]);
    let mut image = Image {
        rows: size.0,
        columns: size.1,
        channels: 3,
        values: bytes.iter().enumerate().map(value).collect(),
        zero: 0,
    };
    for convolution in config.convolutions() {
        let kind = convolution.kind;
        if kind == ConvolutionKind::Classifier {
            break;
        }
        let quantised = network.layers.layer(&convolution).expect("weights");
        let weights: Vec<i64> = match &quantised.weight {
            IntegerWeights::Bytes(weights) => weights.iter().map(|w| i64::from(*w)).collect(),
            IntegerWeights::Words(weights) => weights.iter().map(|w| i64::from(*w)).collect(),
        };
        let input_zero = i64::from(quantised.input_zero);
        let Levels { zero, low, high } = quantised.output;
        let from_zero = |end: u16| f32::from(end) - f32::from(zero);
        let (low, high) = (from_zero(low.into()), from_zero(high));
        let k = convolution.kernel();
        let span = |len| convolution.padding.span(len, k, convolution.stride);
        let (rows, columns) = match k {
            1 => (image.rows, image.columns),
            _ => (span(image.rows).output, span(image.columns).output),
        };
        let (above, left) = match k {
            1 => (0, 0),
            _ => (span(image.rows).before, span(image.columns).before),
        };
        let depth = weights.len() / convolution.out_channels;
        let mut values = Vec::new();
        for row in 0..rows {
            for column in 0..columns {
                for out in 0..convolution.out_channels {
                    let mut sum = i64::from(quantised.bias[out]);
                    for (i, weight) in weights[out * depth..][..depth].iter().enumerate() {
                        let (channel, ky, kx) = match kind {
                            ConvolutionKind::Depthwise => (out, i / 3, i % 3),
                            _ => (i / (k * k), i / k % k, i % k),
                        };
                        let y = (row * convolution.stride + ky) as isize - above as isize;
                        let x = (column * convolution.stride + kx) as isize - left as isize;
                        sum += weight * (image.at(y, x, channel) - input_zero);
                    }
                    let sum = i32::try_from(sum).expect("sums fit 32 bits");
                    let value = match quantised.reference_factor.get(out) {
                        Some(factor) => {
                            let scaled = plain_times(*factor, sum);
                            scaled.clamp(low as i64, high as i64)
                        }
                        None => {
                            let scaled = sum as f32 * quantised.multiplier[out];
                            scaled.clamp(low, high).round_ties_even() as i64
                        }
                    };
                    values.push(value + i64::from(zero));
                }
            }
        }
        image = Image {
            rows,
            columns,
            channels: convolution.out_channels,
            values,
            zero: i64::from(zero),
        };
    }
    image.values.iter().map(|value| *value as u8).collect()
}

fn network(blueprint: Blueprint, isa: Isa) -> Int8Network {
    let integers = quantised(blueprint).expect("integers");
    Int8Network::new(blueprint, integers, isa).expect("a network")
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
        let pixel_scale = if imagenet {
            test_inputs::imagenet()
        } else {
            PixelScale::default()
        };
        let blueprint = Blueprint { config: &config, pixel_scale: &pixel_scale, tensors: &weights };
        let bytes = noise(rows * columns * 3, seed);
        let integers = || quantised(blueprint).expect("integers");
        let expected = plain(&config, &integers(), &bytes, (rows, columns));
        for isa in Isa::available_for(Precision::Int8) {
            let network = Int8Network::new(blueprint, integers(), isa).expect("a network");
            let found = on(threads, || network.integers(&bytes, (rows, columns)));
            prop_assert!(found == expected, "{isa}");
        }
        let kernels = &portable::KERNELS;
        let network = Int8Network::with_kernels(blueprint, integers(), Isa::PORTABLE, kernels);
        let found = network.expect("a network").integers(&bytes, (rows, columns));
        prop_assert!(found == expected, "plain Rust");
    }
}

/// A convolution of a single pixel.
fn plain_layer(layer: &QuantisedConvolution, input: &[u8]) -> Vec<u8> {
    let Levels { zero, low, high } = layer.output;
    let weight = |i: usize| match &layer.weight {
        IntegerWeights::Bytes(weights) => i64::from(weights[i]),
        IntegerWeights::Words(weights) => i64::from(weights[i]),
    };
    let output = |out: usize| {
        let product = |(i, x): (usize, &u8)| {
            weight(out * input.len() + i) * (i64::from(*x) - i64::from(layer.input_zero))
        };
        let sum = i64::from(layer.bias[out]) + input.iter().enumerate().map(product).sum::<i64>();
        let sum = i32::try_from(sum).expect("sums fit 32 bits");
        let scaled = match layer.reference_factor.get(out) {
            Some(factor) => plain_times(*factor, sum),
            None => {
                // Far beyond the bounds before it is rounded.
                let scaled = (sum as f32 * layer.multiplier[out]).clamp(-1e6, 1e6);
                scaled.round_ties_even() as i64
            }
        };
        (scaled + i64::from(zero)).clamp(low.into(), high.into()) as u8
    };
    (0..layer.bias.len()).map(output).collect()
}

/// Convolutions as a file may have them: weights in bytes, zero points, bounds of any kind.
struct AnyLayers {
    seed: u64,
    zeros: Vec<u8>,
    /// Pointwise weights are of nine bits.
    wide: bool,
    rounding: Rounding,
}

impl QuantisedLayers for AnyLayers {
    fn layer(&self, convolution: &Convolution) -> Result<QuantisedConvolution<'_>> {
        self.any(convolution)
    }
}

impl AnyLayers {
    fn any(&self, convolution: &Convolution) -> Result<QuantisedConvolution<'static>> {
        // Of each layer its own.
        let names: Vec<_> = Config::default().convolutions();
        let number = names.iter().position(|c| c.name == convolution.name);
        let number = number.ok_or_else(|| Error::network("no such layer"))?;
        let count: usize = convolution.weight_shape().iter().product();
        let bytes = noise(count, self.seed + number as u64);
        let outputs = convolution.out_channels;
        let depth = count / outputs;
        let zero = self.zeros[number + 1];
        let weight = match convolution.kind {
            ConvolutionKind::Pointwise | ConvolutionKind::Classifier if self.wide => {
                // As many on one side of 0 as a byte allows.
                let zero = i16::from(self.seed as u8);
                IntegerWeights::Words(bytes.iter().map(|b| i16::from(*b) - zero).collect())
            }
            ConvolutionKind::Pointwise | ConvolutionKind::Classifier => {
                IntegerWeights::Bytes(bytes.iter().map(|b| *b as i8).collect())
            }
            _ => IntegerWeights::Words(bytes.iter().map(|b| i16::from(*b) * 2 - 255).collect()),
        };
        let biases = noise(outputs, self.seed + 100 + number as u64);
        let multiplier: Vec<f32> = biases
            .iter()
            .map(|b| (f32::from(*b) + 10.0) / (50_000.0 * (depth as f32).sqrt()))
            .collect();
        let is_dense = convolution.kind == ConvolutionKind::Classifier && self.seed % 2 == 1;
        let reference_factor = |multiplier: &f32| {
            let factor = f64::from(*multiplier);
            if is_dense {
                // More digits than 32 bits hold.
                ReferenceFactor::Dense(factor * (1.0 - 1e-10))
            } else {
                ReferenceFactor::Convolution(FixedPoint::new(factor))
            }
        };
        Ok(QuantisedConvolution {
            weight,
            bias: biases.iter().map(|b| (i32::from(*b) - 128) * 300).collect(),
            reference_factor: match self.rounding {
                Rounding::Once => Vec::new(),
                Rounding::Reference => multiplier.iter().map(reference_factor).collect(),
            },
            multiplier,
            input_zero: self.zeros[number],
            output: Levels {
                zero,
                low: zero / 2,
                high: 255 - u16::from(zero % 5),
            },
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn zero_points_are_those_of_plain_loops(
        alpha in prop_oneof![Just(0.05), Just(0.25), Just(0.35), Just(0.6)],
        (rows, columns) in (32usize..72, 32usize..72),
        padding in prop_oneof![Just(Padding::Keras), Just(Padding::Same), Just(Padding::Symmetric)],
        shallow: bool,
        zeros in prop::collection::vec(any::<u8>(), 29),
        pixel_zero in 0i16..256,
        wide: bool,
        reference: bool,
        threads in 1usize..5,
        seed in 0u64..1000,
    ) {
        let config = Config { padding, shallow, ..Config::with_alpha(alpha) };
        let mut zeros = zeros;
        zeros[0] = 0;
        if shallow {
            // The block after those that are left out reads what the one before them gives.
            zeros[23] = zeros[13];
        }
        let pixel_scale = PixelScale::default();
        let weights = weights(&config, seed);
        let blueprint = Blueprint { config: &config, pixel_scale: &pixel_scale, tensors: &weights };
        let rounding = if reference { Rounding::Reference } else { Rounding::Once };
        let layers = || AnyLayers { seed, zeros: zeros.clone(), wide, rounding };
        let average = IntegerAverage {
            rule: AverageRule::Pool { signed: wide },
            output: Scale { zero: zeros[27], step: 0.25 },
        };
        let last = Convolution::classifier(config.embedding_len(), 1000);
        let output = Scale { zero: zeros[28], step: 0.5 };
        let integers = || QuantisedNetwork {
            pixels: PixelIntegers {
                bytes: ByteIntegers::Linear { factor: 1, zero: [pixel_zero; 3] },
                scaled: [(127.5, 127.5 - f32::from(pixel_zero)); 3],
                bounds: (-pixel_zero, 255 - pixel_zero),
            },
            layers: Box::new(layers()),
            steps: vec![0.25; config.embedding_len()],
            rounding,
            average: Some(average),
            classifier: Some(IntegerClassifier {
                convolution: layers().any(&last).expect("weights"),
                output,
            }),
            softmax: Softmax::Exact,
        };
        let size = (rows, columns);
        let bytes = noise(rows * columns * 3, seed);
        let expected = plain(&config, &integers(), &bytes, size);
        // Where all is at its bounds there is nothing to compare.
        prop_assume!(expected.iter().any(|value| *value != expected[0]));
        // The average and the logits, by their definition.
        let channels = config.embedding_len();
        let pixels = (expected.len() / channels) as i64;
        let shift = if wide { 128 } else { 0 };
        let averages: Vec<u8> = (0..channels).map(|c| {
            let of_channel = expected.iter().skip(c).step_by(channels);
            let sum: i64 = of_channel.map(|value| i64::from(*value) - shift).sum();
            let size = (2 * sum.abs() + pixels) / (2 * pixels);
            (size * sum.signum() + shift) as u8
        }).collect();
        let averaged = plain_layer(&layers().layer(&last).expect("weights"), &averages);
        let logits: Vec<f32> = averaged.iter().map(|value| output.number(*value)).collect();
        let embedding: Vec<f32> = averages.iter().map(|v| average.output.number(*v)).collect();
        for isa in Isa::available_for(Precision::Int8) {
            let network = Int8Network::new(blueprint, integers(), isa).expect("a network");
            let found = on(threads, || network.integers(&bytes, size));
            prop_assert!(found == expected, "{isa}");
            prop_assert!(network.integers(&planes(&bytes, &PixelScale::default()), size) == expected, "{isa}: planes");
            prop_assert!(network.embed(&bytes, size) == embedding, "{isa}: embedding");
            let found = on(threads, || network.forward(&bytes, size));
            prop_assert!(found == logits, "{isa}: logits");
            prop_assert!(network.classify(&embedding) == logits, "{isa}: logits of embeddings");
        }
        if reference {
            return Ok(());
        }
        let kernels = &portable::KERNELS;
        let network = Int8Network::with_kernels(blueprint, integers(), Isa::PORTABLE, kernels);
        let found = network.expect("a network").integers(&bytes, size);
        prop_assert!(found == expected, "plain Rust");
    }
}

/// Zero points that don't fit together are no network.
#[test]
fn layers_that_take_different_integers_for_nothing_are_an_error() {
    let config = Config::with_alpha(0.25);
    let weights = weights(&config, 3);
    let pixel_scale = PixelScale::default();
    let blueprint = Blueprint {
        config: &config,
        pixel_scale: &pixel_scale,
        tensors: &weights,
    };
    /// The third takes something else than it is given.
    struct Mismatched(AnyLayers);
    impl QuantisedLayers for Mismatched {
        fn layer(&self, convolution: &Convolution) -> Result<QuantisedConvolution<'_>> {
            let layer = self.0.layer(convolution)?;
            let is_third = convolution.name == "conv_pw_1";
            let input_zero = layer.input_zero + u8::from(is_third);
            Ok(QuantisedConvolution {
                input_zero,
                ..layer
            })
        }
    }
    let layers = AnyLayers {
        seed: 0,
        zeros: vec![0; 28],
        wide: false,
        rounding: Rounding::Once,
    };
    let integers = QuantisedNetwork {
        layers: Box::new(Mismatched(layers)),
        ..quantised(blueprint).expect("integers")
    };
    let error = Int8Network::new(blueprint, integers, Isa::PORTABLE).expect_err("1 for 0");
    assert!(error.to_string().contains("conv_pw_1"), "{error}");
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
    let isa = Isa::detect_for(Precision::Int8).expect("an instruction set");
    let network = network(blueprint, isa);
    let size = (45, 61);
    let bytes = noise(size.0 * size.1 * 3, 5);
    let found = network.integers(&bytes, size);
    assert_eq!(
        found,
        network.integers(&planes(&bytes, &PixelScale::default()), size)
    );
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
    let isa = Isa::detect_for(Precision::Int8).expect("an instruction set");
    let exact = CpuNetwork::<f32>::new(blueprint, isa).expect("a network");
    let exact = exact.embed(&bytes, (96, 96));
    let network = network(blueprint, isa);
    let found = network.embed(&bytes, (96, 96));
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let cosine = dot(&exact, &found) / (dot(&exact, &exact) * dot(&found, &found)).sqrt();
    assert!(cosine > 0.99, "{cosine}");
}
