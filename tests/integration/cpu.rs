//! The network on the CPU's own kernels, in every instruction set that this machine has, against
//! the same network as a composition of plain operations in f64.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use mobilenet::Isa;
use mobilenet::model::{Config, MobileNet, Padding, Precision, random_tensors};
use mobilenet::ops::Activation;
use proptest::prelude::*;
use rayon::prelude::*;

use crate::support::{floats, largest_difference, values};

fn pixels(shape: (usize, usize, usize, usize), seed: u64) -> Tensor {
    let (n, c, h, w) = shape;
    Tensor::from_vec(values(n * c * h * w, seed), shape, &Device::Cpu).expect("pixels")
}

fn weights(config: &Config, dtype: DType, seed: u64) -> VarBuilder<'static> {
    let tensors = random_tensors(config, seed).expect("tensors");
    VarBuilder::from_tensors(tensors, dtype, &Device::Cpu)
}

fn on_threads(threads: usize, network: &MobileNet, pixels: &Tensor) -> Vec<f32> {
    let network = network.clone().with_threads(threads);
    floats(&network.forward(pixels).expect("logits"))
}

/// Compares every instruction set, on a number of threads, with the plain composition. Of bf16 it is
/// `src/cpu/bf16/tests.rs` that says what exactly comes of it.
fn check(config: &Config, shape: (usize, usize, usize, usize), threads: usize, seed: u64) {
    let pixels = pixels(shape, seed);
    let exact = MobileNet::builder(config, &weights(config, DType::F64, seed)).build_composed();
    let want = floats(&exact.expect("a network").forward(&pixels).expect("logits"));
    let largest = want.iter().fold(1f32, |a, b| a.max(b.abs()));
    let of = |dtype: DType| {
        let precision = Precision::from(dtype);
        let isas = Isa::available_for(precision).into_iter();
        isas.map(move |isa| (precision, isa))
    };
    for (precision, isa) in of(DType::F32).chain(of(DType::BF16)) {
        let network = MobileNet::builder(config, &weights(config, DType::F32, seed))
            .with_precision(precision)
            .with_isa(isa)
            .build();
        let got = on_threads(threads, &network.expect("a network"), &pixels);
        let off = largest_difference(&got, &want);
        let allowed = if precision == DType::BF16.into() {
            0.05
        } else {
            2e-5
        };
        assert!(
            off < allowed * largest,
            "{isa}, {threads} threads: {off} of {largest}, {config:?}, {shape:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_network_at_any_size(
        alpha in prop::sample::select(&[0.25, 0.5, 0.05, 0.1, 0.35, 0.3][..]),
        height in 32usize..120, width in 32usize..120, n in 1usize..4,
        classes in prop::option::of(1usize..40), shallow: bool, relu6: bool,
        padding in prop::sample::select(&[Padding::Keras, Padding::Same, Padding::Symmetric][..]),
        threads in 1usize..5, seed: u64,
    ) {
        let config = Config {
            classes,
            shallow,
            padding,
            activation: if relu6 { Activation::Relu6 } else { Activation::Relu },
            ..Config::with_alpha(alpha)
        };
        check(&config, (n, 3, height, width), threads, seed);
    }
}

/// The last block's output is that of the composition, on any number of threads the same, and the
/// embedding is its mean.
#[test]
fn features_are_what_the_embedding_is_the_mean_of() {
    let padding = [Padding::Keras, Padding::Same, Padding::Symmetric];
    for (case, (height, width)) in (0u64..).zip([(32, 32), (33, 96), (97, 64), (119, 75), (64, 63)])
    {
        let config = Config {
            padding: padding[case as usize % 3],
            shallow: case % 2 == 1,
            classes: (case % 2 == 0).then_some(3),
            ..Config::with_alpha([0.25, 0.05, 0.35][case as usize % 3])
        };
        let images = pixels((3, 3, height, width), case);
        let exact =
            MobileNet::builder(&config, &weights(&config, DType::F64, case)).build_composed();
        let want = exact
            .expect("a network")
            .features(&images)
            .expect("features");
        let scale = floats(&want).iter().fold(1f32, |a, b| a.max(b.abs()));
        for isa in Isa::available() {
            let network = MobileNet::builder(&config, &weights(&config, DType::F32, case))
                .with_isa(isa)
                .build();
            let network = network.expect("a network");
            let on = |threads: usize| {
                let network = network.clone().with_threads(threads);
                network.features(&images).expect("features")
            };
            let got = on(1);
            assert_eq!(got.dims(), want.dims(), "{config:?}");
            let off = largest_difference(&floats(&got), &floats(&want));
            assert!(off < 2e-5 * scale, "{isa}: {off} of {scale}, {config:?}");
            for threads in 2..=4 {
                assert!(
                    floats(&on(threads)) == floats(&got),
                    "{isa}, {threads} threads"
                );
            }
            let embedding = floats(&network.embed(&images).expect("embeddings"));
            let means = floats(&got.mean((2, 3)).expect("means"));
            let off = largest_difference(&embedding, &means);
            assert!(off < 1e-5 * scale, "{isa}: the mean is off by {off}");
        }
    }
}

#[test]
fn the_published_widths_at_large_and_odd_sizes() {
    for (alpha, side) in [(1.0, 97), (0.75, 160), (0.5, 224), (0.25, 320), (0.25, 319)] {
        check(&Config::with_alpha(alpha), (1, 3, side, side), 2, 3);
    }
}

/// To the bit: every pixel's sum is taken in the same order whatever tile, thread or batch it
/// falls into.
#[test]
fn answers_depend_on_neither_threads_nor_batch() {
    for (alpha, side) in [(1.0, 96), (0.5, 75), (0.35, 33)] {
        let config = Config::with_alpha(alpha);
        let images = pixels((5, 3, side, side), 9);
        for isa in Isa::available() {
            let network = MobileNet::builder(&config, &weights(&config, DType::F32, 5))
                .with_isa(isa)
                .build();
            let network = network.expect("a network");
            let alone: Vec<f32> = (0..5)
                .flat_map(|i| on_threads(1, &network, &images.narrow(0, i, 1).expect("one")))
                .collect();
            for threads in 1..=4 {
                let together = on_threads(threads, &network, &images);
                assert!(together == alone, "{isa}, {threads} threads");
                let first = on_threads(threads, &network, &images.narrow(0, 0, 1).expect("one"));
                assert!(
                    first == alone[..1000],
                    "{isa}, {threads} threads, one image"
                );
            }
        }
    }
}

/// Passes of different sizes, one after the other and at once, do not disturb each other.
#[test]
fn a_network_may_be_shared() {
    let config = Config::with_alpha(0.25);
    let network = MobileNet::new(&config, &weights(&config, DType::F32, 1)).expect("a network");
    let sizes = [64, 33, 128, 40];
    let inputs = sizes.map(|side| pixels((1, 3, side, side), side as u64));
    let logits = |x: &Tensor| floats(&network.forward(x).expect("logits"));
    let want: Vec<Vec<f32>> = inputs.iter().map(logits).collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    for (input, want) in inputs.iter().zip(&want) {
                        assert!(&logits(input) == want);
                    }
                }
            });
        }
    });
}

/// From within the pool, from all of its threads at once: nobody waits for somebody who waits.
#[test]
fn passes_within_a_busy_pool_come_to_an_end() {
    let config = Config::with_alpha(0.25);
    let network = MobileNet::new(&config, &weights(&config, DType::F32, 1)).expect("a network");
    let input = pixels((1, 3, 64, 64), 4);
    let want = floats(&network.forward(&input).expect("logits"));
    for threads in 1..=4 {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let insisting = network.clone().with_threads(threads);
        pool.expect("a pool").install(|| {
            (0..60).into_par_iter().for_each(|i| {
                let network = if i % 2 == 0 { &network } else { &insisting };
                assert!(floats(&network.forward(&input).expect("logits")) == want);
            });
        });
    }
}

#[test]
fn inputs_that_do_not_fit_are_errors() {
    let config = Config::with_alpha(0.25);
    let network = MobileNet::new(&config, &weights(&config, DType::F32, 1)).expect("a network");
    assert!(network.forward(&pixels((1, 3, 31, 64), 1)).is_err());
    assert!(network.forward(&pixels((1, 4, 64, 64), 1)).is_err());
    let embedding = Tensor::zeros((1, 7), DType::F32, &Device::Cpu).expect("zeros");
    assert!(network.classify_embedding(&embedding).is_err());
}
