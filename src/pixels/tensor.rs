//! Pictures as tensors.

use candle_core::{Device, Tensor};
use image::RgbImage;

use super::scale::{COLOURS, PixelScale};
use crate::error::{Error, Result};

/// Scales pictures of one size to a network's input: `[N, 3, H, W]` in f32.
///
/// `scale` is the network's, which its recipe has
/// ([`Preprocessing::pixel_scale`](super::Preprocessing::pixel_scale)).
///
/// # Errors
/// Pictures of different sizes, or none.
pub fn to_tensor(images: &[RgbImage], scale: &PixelScale, device: &Device) -> Result<Tensor> {
    let (height, width) = common_size(images)?;
    let plane = height * width;
    let scale = scale.of_bytes();
    let mut values = vec![0.0; images.len() * COLOURS * plane];
    for (image, planes) in images.iter().zip(values.chunks_exact_mut(COLOURS * plane)) {
        let (red, rest) = planes.split_at_mut(plane);
        let (green, blue) = rest.split_at_mut(plane);
        let planes = red.iter_mut().zip(green).zip(blue);
        for (pixel, ((red, green), blue)) in image.as_raw().chunks_exact(COLOURS).zip(planes) {
            let scaled = |colour: usize| scale.of(colour, pixel[colour]);
            (*red, *green, *blue) = (scaled(0), scaled(1), scaled(2));
        }
    }
    let shape = (images.len(), COLOURS, height, width);
    Ok(Tensor::from_vec(values, shape, device)?)
}

/// The same pictures as they are: `[N, H, W, 3]` bytes, a quarter of what scaled ones take on their
/// way to a device. Networks take either.
///
/// # Errors
/// As [`to_tensor`].
pub fn to_bytes(images: &[RgbImage], device: &Device) -> Result<Tensor> {
    let (height, width) = common_size(images)?;
    let bytes: Vec<&[u8]> = images
        .iter()
        .map(|image| image.as_raw().as_slice())
        .collect();
    let shape = (images.len(), height, width, COLOURS);
    Ok(Tensor::from_vec(bytes.concat(), shape, device)?)
}

/// Height and width of pictures of one size.
fn common_size(images: &[RgbImage]) -> Result<(usize, usize)> {
    let (width, height) = images.first().map_or((0, 0), RgbImage::dimensions);
    if images.iter().any(|i| i.dimensions() != (width, height)) || width * height == 0 {
        let message = "a batch needs pictures, all of one size";
        return Err(Error::input(message));
    }
    Ok((height as usize, width as usize))
}
