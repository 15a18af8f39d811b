//! The kernels against their plain twins, over odd shapes.

use candle_core::{Device, Tensor};
use mobilenet::ops::{self, Activation, ConvParams, Padding, reference};
use proptest::prelude::*;

use crate::support::{floats, largest_difference};

const ACTIVATIONS: [Activation; 2] = [Activation::Relu, Activation::Relu6];
const PADDINGS: [Padding; 3] = [Padding::Same, Padding::After, Padding::Symmetric];

/// Values that are not symmetric, so that a swapped index shows.
fn values(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        ((state >> 40) as f32 / (1u64 << 24) as f32) * 2.0 - 0.9
    };
    (0..len).map(|_| next()).collect()
}

fn tensor(values: &[f32], shape: &[usize]) -> Tensor {
    Tensor::from_slice(values, shape, &Device::Cpu).expect("a tensor")
}

fn on_threads(threads: usize, op: impl FnOnce() -> candle_core::Result<Tensor> + Send) -> Tensor {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.expect("a pool").install(op).expect("a result")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn depthwise(
        n in 1usize..3, c in 1usize..40, h in 1usize..20, w in 1usize..40, stride in 1usize..3,
        padding in prop::sample::select(&PADDINGS), activation in prop::sample::select(&ACTIVATIONS),
        threads in 1usize..4, seed: u64,
    ) {
        let params = ConvParams { stride, padding, activation };
        let (x, weight, bias) = (values(n * c * h * w, seed), values(c * 9, seed ^ 1), values(c, seed ^ 2));
        let got = on_threads(threads, || ops::depthwise_conv2d(
            &tensor(&x, &[n, c, h, w]), &tensor(&weight, &[c, 1, 3, 3]), &tensor(&bias, &[c]), params,
        ));
        let (want, shape) = reference::depthwise_conv2d(&x, [n, c, h, w], &weight, &bias, 3, params);
        prop_assert_eq!(got.dims(), shape);
        prop_assert!(largest_difference(&floats(&got), &want) < 1e-5);
    }

    #[test]
    fn pointwise(
        n in 1usize..3, c in 1usize..70, out in 1usize..70, h in 1usize..12, w in 1usize..12,
        activation in prop::option::of(prop::sample::select(&ACTIVATIONS)), threads in 1usize..4, seed: u64,
    ) {
        let (x, weight, bias) = (values(n * c * h * w, seed), values(out * c, seed ^ 1), values(out, seed ^ 2));
        let got = on_threads(threads, || ops::pointwise_conv2d(
            &tensor(&x, &[n, c, h, w]), &tensor(&weight, &[out, c, 1, 1]), &tensor(&bias, &[out]), activation,
        ));
        let (want, shape) = reference::pointwise_conv2d(&x, [n, c, h, w], &weight, &bias, activation);
        prop_assert_eq!(got.dims(), shape);
        prop_assert!(largest_difference(&floats(&got), &want) < 1e-4);
    }

    #[test]
    fn standard(
        n in 1usize..3, c in 1usize..5, out in 1usize..10, h in 2usize..16, w in 2usize..16, stride in 1usize..3,
        padding in prop::sample::select(&PADDINGS), activation in prop::sample::select(&ACTIVATIONS), seed: u64,
    ) {
        let params = ConvParams { stride, padding, activation };
        let (x, weight, bias) = (values(n * c * h * w, seed), values(out * c * 9, seed ^ 1), values(out, seed ^ 2));
        let got = on_threads(2, || ops::conv2d(
            &tensor(&x, &[n, c, h, w]), &tensor(&weight, &[out, c, 3, 3]), &tensor(&bias, &[out]), params,
        ));
        let (want, shape) = reference::conv2d(&x, [n, c, h, w], &weight, &bias, 3, params);
        prop_assert_eq!(got.dims(), shape);
        prop_assert!(largest_difference(&floats(&got), &want) < 1e-4);
    }
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    let x = tensor(&values(2 * 16, 1), &[1, 2, 4, 4]);
    let params = ConvParams {
        stride: 1,
        padding: Padding::Same,
        activation: Activation::Relu,
    };
    let bias = tensor(&values(3, 2), &[3]);
    let weight = tensor(&values(27, 3), &[3, 1, 3, 3]);
    assert!(ops::depthwise_conv2d(&x, &weight, &bias, params).is_err());
    let weight = tensor(&values(9, 3), &[3, 3, 1, 1]);
    assert!(ops::pointwise_conv2d(&x, &weight, &bias, None).is_err());
}
