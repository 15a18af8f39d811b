//! Pictures as tensors.

use candle_core::{Device, Tensor};

use super::input::{AsPixels, Samples};
use super::scale::{ByteScale, COLOURS, PixelScale};
use crate::error::{Error, Result};

/// Scales pictures of one size to a network's input: `[N, 3, H, W]` in f32.
///
/// `scale` is the network's, which its recipe has
/// ([`Preprocessing::pixel_scale`](super::Preprocessing::pixel_scale)).
///
/// # Errors
/// Pictures of different sizes, or none.
pub fn to_tensor<P: AsPixels>(images: &[P], scale: &PixelScale, device: &Device) -> Result<Tensor> {
    let (height, width) = common_size(images)?;
    let plane = height * width;
    let scale = scale.of_bytes();
    let mut values = vec![0.0; images.len() * COLOURS * plane];
    for (image, planes) in images.iter().zip(values.chunks_exact_mut(COLOURS * plane)) {
        match image.samples() {
            Samples::Bytes(bytes) => fill(bytes, &scale, planes),
            Samples::Floats(values) => fill(values, &scale, planes),
        }
    }
    let shape = (images.len(), COLOURS, height, width);
    Ok(Tensor::from_vec(values, shape, device)?)
}

/// Scales a picture's pixels into its planes.
fn fill<T: Copy + Into<f32>>(pixels: &[T], scale: &ByteScale, planes: &mut [f32]) {
    let plane = planes.len() / COLOURS;
    let (red, rest) = planes.split_at_mut(plane);
    let (green, blue) = rest.split_at_mut(plane);
    let planes = red.iter_mut().zip(green).zip(blue);
    for (pixel, ((red, green), blue)) in pixels.chunks_exact(COLOURS).zip(planes) {
        let scaled = |colour: usize| scale.of(colour, pixel[colour]);
        (*red, *green, *blue) = (scaled(0), scaled(1), scaled(2));
    }
}

/// The same pictures as they are: `[N, H, W, 3]` bytes, a quarter of what scaled ones take on their
/// way to a device. Networks take either.
///
/// # Errors
/// As [`to_tensor`]; also pictures that are no bytes.
pub fn to_bytes<P: AsPixels>(images: &[P], device: &Device) -> Result<Tensor> {
    let (height, width) = common_size(images)?;
    let mut bytes = Vec::with_capacity(images.len() * height * width * COLOURS);
    for image in images {
        match image.samples() {
            Samples::Bytes(more) => bytes.extend_from_slice(more),
            Samples::Floats(_) => {
                let message = "pictures that were not rounded to bytes: to_tensor scales them";
                return Err(Error::input(message));
            }
        }
    }
    let shape = (images.len(), height, width, COLOURS);
    Ok(Tensor::from_vec(bytes, shape, device)?)
}

/// Pictures as a network for pixels of this scale takes them soonest: bytes, where they are.
///
/// # Errors
/// As [`to_tensor`].
pub(crate) fn to_input<P: AsPixels>(
    images: &[P],
    scale: &PixelScale,
    device: &Device,
) -> Result<Tensor> {
    let is_bytes = |image: &P| matches!(image.samples(), Samples::Bytes(_));
    if images.iter().all(is_bytes) {
        to_bytes(images, device)
    } else {
        to_tensor(images, scale, device)
    }
}

/// Height and width of pictures of one size.
fn common_size<P: AsPixels>(images: &[P]) -> Result<(usize, usize)> {
    let (width, height) = images.first().map_or((0, 0), P::size);
    if images.iter().any(|i| i.size() != (width, height)) || width * height == 0 {
        let message = "a batch needs pictures, all of one size";
        return Err(Error::input(message));
    }
    Ok((height, width))
}
