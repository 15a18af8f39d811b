//! The kernels in f32 against one another: the same bits from all that round products and sums at once.
//! How near all of them are to the plain composition is for `tests/integration/cpu.rs` to say.

use proptest::prelude::*;

use super::Isa;
use super::network::CpuNetwork;
use super::passes::Passes;
use super::test_inputs::{imagenet, noise, planes, weights};
use crate::model::{Blueprint, Config, Padding};
use crate::ops::Activation;
use crate::pixels::PixelScale;

/// Whether an instruction set's kernels round a product and a sum at once. Plain Rust does so where every
/// processor can.
fn fuses(isa: Isa) -> bool {
    isa != Isa::PORTABLE || cfg!(target_arch = "aarch64")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn all_that_fuse_give_the_same_bits(
        // Channels of all numbers of vectors that are left beside whole panels.
        alpha in prop::sample::select(&[0.05, 0.1, 0.13, 0.25, 0.3, 0.35, 0.6][..]),
        size in (32usize..72, 32usize..72),
        padding in prop::sample::select(&[Padding::Keras, Padding::Same, Padding::Symmetric][..]),
        shallow: bool, relu6: bool, is_imagenet: bool, as_bytes: bool,
        classes in prop::option::of(1usize..70),
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
        let run = |isa: Isa, threads: usize| {
            let network = CpuNetwork::<f32>::new(blueprint, isa).expect("a network");
            let network = network.with_threads(threads);
            match as_bytes {
                true => (network.features(&bytes, size), network.forward(&bytes, size)),
                false => (network.features(&floats, size), network.forward(&floats, size)),
            }
        };
        let mut sets = Isa::available().into_iter().filter(|isa| fuses(*isa));
        let Some(first) = sets.next() else { return Ok(()) };
        let want = run(first, 1);
        for isa in sets {
            let found = run(isa, threads);
            prop_assert!(found.0 == want.0, "features of {isa}, not those of {first}");
            prop_assert!(found.1 == want.1, "answers of {isa}, not those of {first}");
        }
    }
}
