//! A network's layers on the planes of one picture, in floats: `[channel][pixel]`.

use candle_core::{Device, Tensor};

use super::FloatLayer;
use crate::error::{Error, Result};
use crate::model::{Levels, Steps};
use crate::ops::Activation;
use crate::ops::planes::{Geometry, TAPS};
use crate::pixels::{AsPixels, COLOURS, PixelScale, Pixels};

/// A picture's pixels in the network's scale, or their mirror image.
pub(super) fn pixels(picture: &Pixels, mirrored: bool, scale: &PixelScale) -> Vec<f32> {
    let (width, height) = picture.size();
    let plane = width * height;
    let scale = scale.of_bytes();
    let mut planes = vec![0.0; COLOURS * plane];
    for (i, pixel) in picture.to_floats().chunks_exact(COLOURS).enumerate() {
        let at = if mirrored {
            i - i % width + width - 1 - i % width
        } else {
            i
        };
        for (colour, value) in pixel.iter().enumerate() {
            planes[colour * plane + at] = scale.of(colour, *value);
        }
    }
    planes
}

/// A convolution of 3x3 over an image of `size` (height, width): the stem, or a depthwise one, whose
/// output channels read one plane each. The output's planes.
pub(super) fn windows(
    layer: &FloatLayer,
    input: &[f32],
    size: (usize, usize),
    activation: Activation,
) -> Vec<f32> {
    let geometry = geometry(layer, size);
    let outputs = layer.convolution.out_channels;
    let read = layer.weight.len() / TAPS / outputs;
    let mut padded = vec![0.0; read * geometry.padded_len()];
    let pad = |planes: &[f32], padded: &mut [f32]| {
        let planes = planes.chunks_exact(geometry.input_len());
        for (plane, padded) in planes.zip(padded.chunks_exact_mut(geometry.padded_len())) {
            geometry.pad(plane, padded);
        }
    };
    if read > 1 {
        pad(input, &mut padded);
    }
    let mut output = vec![0.0; outputs * geometry.output_len()];
    let rows = output.chunks_exact_mut(geometry.output_len());
    let filters = layer.weight.chunks_exact(TAPS * read).zip(&layer.bias);
    for (o, (output, (filter, bias))) in rows.zip(filters).enumerate() {
        if read == 1 {
            pad(
                &input[o * geometry.input_len()..][..geometry.input_len()],
                &mut padded,
            );
        }
        let planes = padded.chunks_exact(geometry.padded_len());
        for (plane, filter) in planes.zip(filter.chunks_exact(TAPS)) {
            geometry.convolve(plane, filter, output);
        }
        activate(output, *bias, activation);
    }
    output
}

/// Height and width of what such a convolution gives.
pub(super) fn output_size(layer: &FloatLayer, size: (usize, usize)) -> (usize, usize) {
    geometry(layer, size).output()
}

fn geometry(layer: &FloatLayer, (height, width): (usize, usize)) -> Geometry {
    let convolution = &layer.convolution;
    Geometry::new(height, width, convolution.stride, convolution.padding)
}

/// A pointwise convolution: `weight` `[out][in]` over planes.
pub(super) fn product(
    weight: &[f32],
    bias: &[f64],
    input: &[f32],
    channels: usize,
    activation: Activation,
) -> Result<Vec<f32>> {
    let pixels = input.len() / channels;
    let weight = Tensor::from_slice(weight, (bias.len(), channels), &Device::Cpu)?;
    let input = Tensor::from_slice(input, (channels, pixels), &Device::Cpu)?;
    let mut output: Vec<f32> = weight.matmul(&input)?.flatten_all()?.to_vec1()?;
    for (plane, bias) in output.chunks_exact_mut(pixels).zip(bias) {
        activate(plane, *bias, activation);
    }
    Ok(output)
}

fn activate(plane: &mut [f32], bias: f64, activation: Activation) {
    for value in plane {
        *value = activation.apply(*value + bias as f32);
    }
}

/// The largest value of each channel.
pub(super) fn largest(planes: &[f32], channels: usize) -> Vec<f32> {
    let planes = planes.chunks_exact(planes.len() / channels);
    let largest = planes.map(|plane| plane.iter().copied().fold(0.0, f32::max));
    largest.collect()
}

/// Values as the integers of their channels' scales.
pub(super) fn to_integers(
    planes: &[f32],
    channels: usize,
    steps: &Steps,
    levels: Levels,
) -> Vec<u16> {
    let most = f32::from(levels.high);
    let mut integers = Vec::with_capacity(planes.len());
    for (c, plane) in planes.chunks_exact(planes.len() / channels).enumerate() {
        let inverse = steps.at(c).recip();
        integers.extend(plane.iter().map(|value| {
            let integer = (value * inverse).min(most) + 0.5;
            integer as u16
        }));
    }
    integers
}

/// What those stand for.
pub(super) fn to_floats(integers: &[u16], channels: usize, steps: &Steps) -> Vec<f32> {
    let mut floats = Vec::with_capacity(integers.len());
    for (c, plane) in integers.chunks_exact(integers.len() / channels).enumerate() {
        let step = steps.at(c);
        floats.extend(plane.iter().map(|integer| f32::from(*integer) * step));
    }
    floats
}

/// The mean of each channel.
pub(super) fn means(planes: &[f32], channels: usize) -> Vec<f64> {
    let pixels = planes.len() / channels;
    let planes = planes.chunks_exact(pixels);
    planes
        .map(|plane| plane.iter().map(|v| f64::from(*v)).sum::<f64>() / pixels as f64)
        .collect()
}

/// Refuses pictures of another size than the network's.
pub(super) fn check_size(pictures: &[Pixels], size: usize) -> Result<()> {
    let wrong = pictures
        .iter()
        .map(AsPixels::size)
        .find(|found| *found != (size, size));
    match wrong {
        Some((width, height)) => Err(Error::input(format!(
            "a picture of {width}x{height} pixels for a network of {size}x{size}"
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Convolution, ConvolutionKind};
    use crate::ops::{ConvParams, Padding, reference};

    fn values(count: usize) -> Vec<f32> {
        (0..count)
            .map(|i| ((i * 37 % 101) as f32 - 45.0) / 20.0)
            .collect()
    }

    fn layer(
        kind: ConvolutionKind,
        channels: [usize; 2],
        stride: usize,
        padding: Padding,
    ) -> FloatLayer {
        let [in_channels, out_channels] = channels;
        let convolution = Convolution {
            name: "conv".into(),
            kind,
            in_channels,
            out_channels,
            stride,
            padding,
            batch_norm: false,
            identity: false,
        };
        let weights = convolution.weight_shape().iter().product();
        FloatLayer {
            weight: values(weights),
            bias: values(out_channels).into_iter().map(f64::from).collect(),
            convolution,
        }
    }

    #[test]
    fn layers_are_those_of_the_definition() {
        use ConvolutionKind::{Depthwise, Standard};

        for (height, width) in [(7, 9), (8, 5)] {
            for stride in [1, 2] {
                for padding in [Padding::Same, Padding::After, Padding::Symmetric] {
                    if padding == Padding::After && stride == 1 {
                        continue;
                    }
                    for (kind, channels) in [(Standard, [3, 5]), (Depthwise, [4, 4])] {
                        let layer = layer(kind, channels, stride, padding);
                        let input = values(channels[0] * height * width);
                        let activation = Activation::Relu6;
                        let params = ConvParams {
                            stride,
                            padding,
                            activation,
                        };
                        let shape = [1, channels[0], height, width];
                        let bias: Vec<f32> = layer.bias.iter().map(|b| *b as f32).collect();
                        let definition = match kind {
                            Standard => reference::conv2d,
                            _ => reference::depthwise_conv2d,
                        };
                        let (expected, shape) =
                            definition(&input, shape, &layer.weight, &bias, 3, params);
                        let size = output_size(&layer, (height, width));
                        assert_eq!([shape[2], shape[3]], [size.0, size.1]);
                        let found = windows(&layer, &input, (height, width), activation);
                        for (found, expected) in found.iter().zip(&expected) {
                            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
                        }
                        assert_eq!(found.len(), expected.len());
                    }
                }
            }
        }
    }

    #[test]
    fn integers_are_the_nearest_within_eight_bits() {
        let steps = Steps::of_channels(vec![0.5, 0.1]);
        let integers = to_integers(&[0.0, 0.76, 200.0, 0.0, 0.04, 0.06], 2, &steps, Levels::ALL);
        assert_eq!(integers, [0, 2, 255, 0, 0, 1]);
        let floats = to_floats(&integers, 2, &steps);
        assert_eq!(floats, [0.0, 1.0, 127.5, 0.0, 0.0, 0.1]);
    }

    #[test]
    fn a_mirror_image_is_one() {
        let picture = image::RgbImage::from_fn(3, 2, |x, y| image::Rgb([x as u8, y as u8, 7]));
        let picture = Pixels::from(picture);
        let scale = PixelScale::default();
        let (plain, mirrored) = (
            pixels(&picture, false, &scale),
            pixels(&picture, true, &scale),
        );
        for (row, other) in plain.chunks(3).zip(mirrored.chunks(3)) {
            let turned: Vec<f32> = other.iter().rev().copied().collect();
            assert_eq!(row, turned);
        }
    }
}
