//! The definition of each operation, in plain loops: slow, and easy to believe.
//!
//! Tests and benchmarks compare the kernels with these; nothing else calls them.

use super::{Activation, ConvParams};

/// Shape of an activation: images, channels, height, width.
pub type Shape = [usize; 4];

/// A full convolution of `input` (`[N, C, H, W]`) with `weight` (`[out, C, k, k]`).
///
/// Returns the output's values and shape. Sums are taken in f64.
pub fn conv2d(
    input: &[f32],
    shape: Shape,
    weight: &[f32],
    bias: &[f32],
    kernel: usize,
    params: ConvParams,
) -> (Vec<f32>, Shape) {
    let channels = shape[1];
    windows(input, shape, bias, kernel, params, |o, sample| {
        let mut sum = 0.0;
        for c in 0..channels {
            for i in 0..kernel * kernel {
                let w = weight[(o * channels + c) * kernel * kernel + i];
                sum += f64::from(w) * f64::from(sample(c, i / kernel, i % kernel));
            }
        }
        sum
    })
}

/// A depthwise convolution of `input` (`[N, C, H, W]`) with `weight` (`[C, 1, k, k]`).
///
/// Returns the output's values and shape. Sums are taken in f64.
pub fn depthwise_conv2d(
    input: &[f32],
    shape: Shape,
    weight: &[f32],
    bias: &[f32],
    kernel: usize,
    params: ConvParams,
) -> (Vec<f32>, Shape) {
    windows(input, shape, bias, kernel, params, |c, sample| {
        (0..kernel * kernel)
            .map(|i| {
                let w = weight[c * kernel * kernel + i];
                f64::from(w) * f64::from(sample(c, i / kernel, i % kernel))
            })
            .sum()
    })
}

/// A 1x1 convolution of `input` (`[N, C, H, W]`) with `weight` (`[out, C]`).
///
/// Returns the output's values and shape. Sums are taken in f64.
pub fn pointwise_conv2d(
    input: &[f32],
    shape: Shape,
    weight: &[f32],
    bias: &[f32],
    activation: Option<Activation>,
) -> (Vec<f32>, Shape) {
    let [n, channels, h, w] = shape;
    let mut output = Vec::with_capacity(n * bias.len() * h * w);
    for image in input.chunks_exact(channels * h * w) {
        for (weights, bias) in weight.chunks_exact(channels).zip(bias) {
            for pixel in 0..h * w {
                let products = (0..channels)
                    .map(|c| f64::from(weights[c]) * f64::from(image[c * h * w + pixel]));
                let value = (products.sum::<f64>() + f64::from(*bias)) as f32;
                output.push(activation.map_or(value, |a| a.apply(value)));
            }
        }
    }
    (output, [n, bias.len(), h, w])
}

/// Calls `sum(output channel, sample)` for every output, where `sample(c, y, x)` is the input
/// under the window, zero outside of the image.
fn windows(
    input: &[f32],
    [n, channels, h, w]: Shape,
    bias: &[f32],
    kernel: usize,
    params: ConvParams,
    sum: impl Fn(usize, &dyn Fn(usize, usize, usize) -> f32) -> f64,
) -> (Vec<f32>, Shape) {
    let rows = params.padding.span(h, kernel, params.stride);
    let columns = params.padding.span(w, kernel, params.stride);
    let shape = [n, bias.len(), rows.output, columns.output];
    let mut output = Vec::with_capacity(shape.iter().product());
    for image in 0..n {
        for (o, bias) in bias.iter().enumerate() {
            for oy in 0..rows.output {
                for ox in 0..columns.output {
                    let sample = |c: usize, ky: usize, kx: usize| {
                        let y = (oy * params.stride + ky).checked_sub(rows.before);
                        let x = (ox * params.stride + kx).checked_sub(columns.before);
                        match (y, x) {
                            (Some(y), Some(x)) if y < h && x < w => {
                                input[((image * channels + c) * h + y) * w + x]
                            }
                            _ => 0.0,
                        }
                    };
                    let value = sum(o, &sample) + f64::from(*bias);
                    output.push(params.activation.apply(value as f32));
                }
            }
        }
    }
    (output, shape)
}
