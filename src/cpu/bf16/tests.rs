//! The kernels against plain Rust that does the same arithmetic, to the bit, and against the network
//! in f32.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use proptest::prelude::*;

use super::{Bf16, portable};
use crate::cpu::Isa;
use crate::cpu::network::CpuNetwork;
use crate::cpu::passes::Passes;
use crate::cpu::test_inputs::{imagenet, noise, planes, weights};
use crate::model::{Blueprint, Config, Padding, random_tensors};
use crate::ops::Activation;
use crate::pixels::PixelScale;

/// The one in plain Rust, and those of this machine.
fn networks(blueprint: Blueprint) -> (CpuNetwork<Bf16>, Vec<CpuNetwork<Bf16>>) {
    let here = Isa::available_for(DType::BF16.into());
    // The classifier in f32 has to be the same.
    let isa = here.first().copied().unwrap_or_else(Isa::detect);
    let plain = CpuNetwork::with_kernels(blueprint, isa, &portable::KERNELS);
    let here = here.into_iter();
    let here = here.map(|isa| CpuNetwork::new(blueprint, isa).expect("a network"));
    (plain.expect("a network"), here.collect())
}

fn largest(values: &[f32]) -> f32 {
    values
        .iter()
        .fold(0f32, |most, value| most.max(value.abs()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn all_give_the_bits_of_plain_rust_and_nearly_the_numbers_of_f32(
        alpha in prop::sample::select(&[0.05, 0.1, 0.25, 0.3, 0.35, 0.6][..]),
        size in (32usize..72, 32usize..72),
        padding in prop::sample::select(&[Padding::Keras, Padding::Same, Padding::Symmetric][..]),
        shallow: bool, relu6: bool, is_imagenet: bool, as_bytes: bool,
        classes in prop::option::of(1usize..40),
        threads in 1usize..5,
        seed in 0u64..1000,
    ) {
        let config = Config {
            padding,
            shallow,
            classes,
            activation: if relu6 { Activation::Relu6 } else { Activation::Relu },
            ..Config::with_alpha(alpha)
        };
        let weights = weights(&config, seed);
        let pixel_scale = if is_imagenet { imagenet() } else { PixelScale::default() };
        let blueprint = Blueprint { config: &config, pixel_scale: &pixel_scale, tensors: &weights };
        let bytes = noise(size.0 * size.1 * 3, seed);
        let floats = planes(&bytes, &pixel_scale);
        let run = |network: &CpuNetwork<Bf16>| {
            if as_bytes {
                (network.features(&bytes, size), network.forward(&bytes, size))
            } else {
                (network.features(&floats, size), network.forward(&floats, size))
            }
        };
        let (plain, here) = networks(blueprint);
        let (maps, answers) = run(&plain);
        for network in here {
            let network = network.with_threads(threads);
            let found = run(&network);
            prop_assert!(found.0 == maps, "features of {}", network.isa());
            prop_assert!(found.1 == answers, "answers of {}", network.isa());
        }
        let exact = CpuNetwork::<f32>::new(blueprint, Isa::detect()).expect("a network");
        let exact = exact.features(&bytes, size);
        let off = exact.iter().zip(&maps).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        prop_assert!(off < 0.05 * largest(&exact), "{off} of {}", largest(&exact));
    }
}

/// Pixels of the scale that all published checkpoints take are exact: bytes, and floats that were
/// bytes.
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
    let (plain, here) = networks(blueprint);
    let size = (45, 61);
    let bytes = noise(size.0 * size.1 * 3, 5);
    for network in here.iter().chain([&plain]) {
        let of_planes = network.embed(&planes(&bytes, &pixel_scale), size);
        assert_eq!(network.embed(&bytes, size), of_planes);
    }
}

/// The widths and the number of pixels where other kernels take over, in batches.
#[test]
fn answers_depend_on_neither_threads_nor_batch() {
    let pixel_scale = PixelScale::default();
    for (alpha, side) in [(1.0, 64), (0.5, 75), (0.25, 224), (0.35, 33)] {
        let config = Config::with_alpha(alpha);
        let weights = weights(&config, 4);
        let blueprint = Blueprint {
            config: &config,
            pixel_scale: &pixel_scale,
            tensors: &weights,
        };
        let size = (side, side + 1);
        let image = size.0 * size.1 * 3;
        let bytes = noise(5 * image, 7);
        for network in networks(blueprint).1 {
            let alone: Vec<f32> = bytes
                .chunks_exact(image)
                .flat_map(|image| network.with_threads(1).forward(image, size))
                .collect();
            for threads in 1..=4 {
                let network = network.with_threads(threads);
                assert!(network.forward(&bytes, size) == alone, "{threads} threads");
                let first = network.forward(&bytes[..image], size);
                assert!(first == alone[..1000], "{threads} threads, one image");
            }
        }
    }
}

/// As in f32: what is not a number stays so, and weights that are none are refused.
#[test]
fn what_is_not_a_number_is_no_answer() {
    let config = Config::with_alpha(0.25);
    let pixel_scale = PixelScale::default();
    let sound = weights(&config, 1);
    let blueprint = Blueprint {
        config: &config,
        pixel_scale: &pixel_scale,
        tensors: &sound,
    };
    let (plain, here) = networks(blueprint);
    let mut pixels = vec![0.5f32; 3 * 64 * 64];
    pixels[64 * 20 + 20] = f32::NAN;
    for network in here.iter().chain([&plain]) {
        assert!(
            network
                .forward(&pixels, (64, 64))
                .iter()
                .any(|x| x.is_nan())
        );
    }
    for layer in ["conv1", "conv_dw_3", "conv_pw_13"] {
        for value in [f32::NAN, f32::INFINITY] {
            let mut tensors = random_tensors(&config, 0).expect("tensors");
            let name = format!("{layer}.weight");
            let shape = tensors[&name].shape().clone();
            let bad = Tensor::full(value, shape, &Device::Cpu).expect("a tensor");
            tensors.insert(name.clone(), bad);
            let weights = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
            let blueprint = Blueprint {
                tensors: &weights,
                ..blueprint
            };
            let network = CpuNetwork::with_kernels(blueprint, Isa::detect(), &portable::KERNELS);
            let error = network.expect_err("not finite").to_string();
            assert!(error.contains(&name) && error.contains("finite"), "{error}");
        }
    }
}

/// The instructions themselves.
#[cfg(target_arch = "x86_64")]
mod instructions {
    use std::arch::x86_64::*;

    use super::Bf16;

    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub(super) fn product(sum: f32, a: [Bf16; 2], b: [Bf16; 2]) -> f32 {
        let pair = |pair: [Bf16; 2]| {
            let bits = u32::from(pair[0].to_bits()) | u32::from(pair[1].to_bits()) << 16;
            // SAFETY: both types are 64 bytes of whatever bits.
            unsafe { std::mem::transmute::<__m512i, __m512bh>(_mm512_set1_epi32(bits as i32)) }
        };
        _mm512_cvtss_f32(_mm512_dpbf16_ps(_mm512_set1_ps(sum), pair(a), pair(b)))
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub(super) fn narrowed(value: f32) -> Bf16 {
        // SAFETY: both types are 32 bytes of whatever bits.
        let bits: [u16; 16] =
            unsafe { std::mem::transmute(_mm512_cvtneps_pbh(_mm512_set1_ps(value))) };
        Bf16::from_bits(bits[0])
    }
}

/// The instructions themselves.
#[cfg(target_arch = "aarch64")]
mod instructions {
    use std::arch::aarch64::*;

    use super::Bf16;
    use crate::cpu::bf16::neon;

    #[target_feature(enable = "neon,bf16")]
    pub(super) fn product(sum: f32, a: [Bf16; 2], b: [Bf16; 2]) -> f32 {
        let pair = |pair: [Bf16; 2]| {
            let bits = u32::from(pair[0].to_bits()) | u32::from(pair[1].to_bits()) << 16;
            vreinterpretq_u16_u32(vdupq_n_u32(bits))
        };
        vgetq_lane_f32::<2>(neon::bfdot(vdupq_n_f32(sum), pair(a), pair(b)))
    }

    #[target_feature(enable = "neon,bf16")]
    pub(super) fn narrowed(value: f32) -> Bf16 {
        Bf16::from_bits(vget_lane_u16::<1>(neon::narrowed(vdupq_n_f32(value))))
    }
}

/// With numbers of all sizes, subnormal ones among them.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[test]
fn instructions_are_what_plain_rust_takes_them_for() {
    use instructions::{narrowed, product};

    if Isa::available_for(DType::BF16.into()).is_empty() {
        return;
    }
    let same = |a: f32, b: f32| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
    let bytes = noise(12 * 300_000, 11);
    for (i, bytes) in bytes.chunks_exact(12).enumerate() {
        let word = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        // Half of them near 1, so that sums are neither of the terms alone.
        let near = |word: u16| {
            if i % 2 == 0 {
                word & 0x81ff | 0x3e00
            } else {
                word
            }
        };
        let [a, b] =
            [[4, 6], [8, 10]].map(|places| places.map(|at| Bf16::from_bits(near(word(at)))));
        let sum = u32::from(near(word(0))) << 16 | u32::from(word(2));
        // The smallest numbers, too.
        let sum = f32::from_bits(if i % 16 == 1 { sum & 0x81ff_ffff } else { sum });
        // SAFETY: the machine has the instructions.
        let (found, short) = unsafe { (product(sum, a, b), narrowed(sum)) };
        let want = portable::add_pair(sum, a, b);
        assert!(
            same(found, want),
            "{sum:e} + {a:?} * {b:?}: {found:e}, not {want:e}"
        );
        let want = portable::rounded(sum);
        assert!(
            same(short.to_f32(), want.to_f32()),
            "{sum:e}: {short:?}, not {want:?}"
        );
    }
}
