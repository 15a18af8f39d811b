//! Pictures as tensors.

use candle_core::{Device, Tensor};
use image::RgbImage;

use crate::error::{Error, Result};

/// Scales pictures of one size to the network's input: `[N, 3, H, W]`, f32 in [-1, 1].
///
/// # Errors
/// Pictures of different sizes, or none.
pub fn to_tensor(images: &[RgbImage], device: &Device) -> Result<Tensor> {
    let (height, width) = common_size(images)?;
    let images = images.iter().map(|image| image.as_raw().as_slice());
    planes(images, (height, width), device)
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
    let shape = (images.len(), height, width, 3);
    Ok(Tensor::from_vec(bytes.concat(), shape, device)?)
}

/// Bytes `[N, H, W, 3]` on the CPU to `[N, 3, H, W]`, f32 in [-1, 1].
pub(crate) fn scale_bytes(bytes: &Tensor) -> Result<Tensor> {
    let (_, height, width, colours) = bytes.dims4()?;
    let values: Vec<u8> = bytes.flatten_all()?.to_vec1()?;
    let images = values.chunks_exact((height * width * colours).max(1));
    planes(images, (height, width), bytes.device())
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

/// Scales the bytes of pictures, colour by colour.
fn planes<'a>(
    images: impl ExactSizeIterator<Item = &'a [u8]>,
    (height, width): (usize, usize),
    device: &Device,
) -> Result<Tensor> {
    let plane = height * width;
    let count = images.len();
    let mut values = vec![0.0; count * 3 * plane];
    for (image, planes) in images.zip(values.chunks_exact_mut(3 * plane)) {
        let (red, rest) = planes.split_at_mut(plane);
        let (green, blue) = rest.split_at_mut(plane);
        let planes = red.iter_mut().zip(green).zip(blue);
        for (pixel, ((red, green), blue)) in image.chunks_exact(3).zip(planes) {
            let scaled = |channel: usize| f32::from(pixel[channel]) / 127.5 - 1.0;
            (*red, *green, *blue) = (scaled(0), scaled(1), scaled(2));
        }
    }
    Ok(Tensor::from_vec(values, (count, 3, height, width), device)?)
}
