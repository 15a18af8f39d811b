//! The operations that devices run, against their plain definition.

use candle_core::{Device, Tensor};
use mobilenet::ops::{self, Activation, ConvParams, Padding, reference};
use proptest::prelude::*;

use crate::support::{floats, largest_difference, values};

const ACTIVATIONS: [Activation; 2] = [Activation::Relu, Activation::Relu6];
const PADDINGS: [Padding; 3] = [Padding::Same, Padding::After, Padding::Symmetric];

fn tensor(values: &[f32], shape: &[usize]) -> Tensor {
    Tensor::from_slice(values, shape, &Device::Cpu).expect("a tensor")
}

fn params() -> impl Strategy<Value = ConvParams> {
    let padding = prop::sample::select(&PADDINGS);
    let activation = prop::sample::select(&ACTIVATIONS);
    (1usize..3, padding, activation).prop_map(|(stride, padding, activation)| ConvParams {
        stride,
        padding,
        activation,
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn depthwise(
        n in 1usize..3, c in 1usize..40, h in 1usize..20, w in 1usize..40,
        params in params(), seed: u64,
    ) {
        let x = values(n * c * h * w, seed);
        let (weight, bias) = (values(c * 9, seed ^ 1), values(c, seed ^ 2));
        let (want, shape) =
            reference::depthwise_conv2d(&x, [n, c, h, w], &weight, &bias, 3, params);
        let got = ops::depthwise_conv2d(
            &tensor(&x, &[n, c, h, w]),
            &tensor(&weight, &[c, 1, 3, 3]),
            &tensor(&bias, &[c]),
            params,
        ).expect("a result");
        prop_assert_eq!(got.dims(), shape);
        prop_assert!(largest_difference(&floats(&got), &want) < 1e-5);
    }

    #[test]
    fn pointwise(
        n in 1usize..3, c in 1usize..70, out in 1usize..70, h in 1usize..12, w in 1usize..12,
        activation in prop::option::of(prop::sample::select(&ACTIVATIONS)), seed: u64,
    ) {
        let x = values(n * c * h * w, seed);
        let (weight, bias) = (values(out * c, seed ^ 1), values(out, seed ^ 2));
        let (want, shape) =
            reference::pointwise_conv2d(&x, [n, c, h, w], &weight, &bias, activation);
        let got = ops::pointwise_conv2d(
            &tensor(&x, &[n, c, h, w]),
            &tensor(&weight, &[out, c, 1, 1]),
            &tensor(&bias, &[out]),
            activation,
        ).expect("a result");
        prop_assert_eq!(got.dims(), shape);
        prop_assert!(largest_difference(&floats(&got), &want) < 1e-4);
    }

    #[test]
    fn standard(
        n in 1usize..3, c in 1usize..5, out in 1usize..10, h in 2usize..16, w in 2usize..16,
        params in params(), seed: u64,
    ) {
        let x = values(n * c * h * w, seed);
        let (weight, bias) = (values(out * c * 9, seed ^ 1), values(out, seed ^ 2));
        let (want, shape) = reference::conv2d(&x, [n, c, h, w], &weight, &bias, 3, params);
        let got = ops::conv2d(
            &tensor(&x, &[n, c, h, w]),
            &tensor(&weight, &[out, c, 3, 3]),
            &tensor(&bias, &[out]),
            params,
        ).expect("a result");
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
    let weight = tensor(&values(2 * 2 * 9, 3), &[2, 2, 3, 3]);
    assert!(ops::conv2d(&x, &weight, &bias, params).is_err());
}
