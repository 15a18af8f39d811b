//! From a picture's bytes to the numbers that a network computes with.

use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The colours of a pixel: red, green, blue.
pub(crate) const COLOURS: usize = 3;

/// Half of a byte's range: divided by it, and less 1, bytes go from -1 to 1.
const HALF_RANGE: f64 = 127.5;

/// The furthest byte that may become 0. Differences from it are taken in f32, which keeps them to a
/// thousandth of a byte up to here.
const FURTHEST_ZERO: f64 = 4096.0;

/// How a colour's byte becomes the network's input: `byte * scale + offset`, for red, green and
/// blue.
///
/// The default is `byte / 127.5 - 1`, which all published checkpoints take.
///
/// It belongs to a network: one that is built for a scale takes bytes as they are. Its first layer
/// reads each as `(byte - zero) * scale` ([`zero`](Self::zero)), so that the zeros around a picture
/// stay zeros whatever the offset is, and nothing is lost by rounding but in the product.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PixelScale {
    scale: [f64; COLOURS],
    offset: [f64; COLOURS],
}

impl Default for PixelScale {
    fn default() -> Self {
        Self {
            scale: [1.0 / HALF_RANGE; COLOURS],
            offset: [-1.0; COLOURS],
        }
    }
}

impl PixelScale {
    /// `byte * scale + offset`.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] for numbers that are not finite, a scale of 0, or an offset that no byte is
    /// near to making up for.
    pub fn new(scale: [f64; COLOURS], offset: [f64; COLOURS]) -> Result<Self> {
        let scale = Self { scale, offset };
        scale.validate()?;
        Ok(scale)
    }

    /// As PyTorch's tools have it: the byte times `factor`, which is usually 1 / 255, less the mean,
    /// divided by the standard deviation.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_mean_and_std(
        factor: f64,
        mean: [f64; COLOURS],
        std: [f64; COLOURS],
    ) -> Result<Self> {
        Self::new(
            std.map(|std| factor / std),
            std::array::from_fn(|colour| -mean[colour] / std[colour]),
        )
    }

    /// What each colour's byte is multiplied by.
    pub fn scale(&self) -> [f64; COLOURS] {
        self.scale
    }

    /// What is added to each colour then.
    pub fn offset(&self) -> [f64; COLOURS] {
        self.offset
    }

    /// The byte of each colour that becomes 0: `-offset / scale`. It need not be a whole number, nor
    /// from 0 to 255.
    pub fn zero(&self) -> [f64; COLOURS] {
        std::array::from_fn(|colour| -self.offset[colour] / self.scale[colour])
    }

    /// Checks a scale that may come from a file.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn validate(&self) -> Result<()> {
        let Self { scale, offset } = self;
        // As f32, in which networks compute.
        let is_normal = |x: &f64| (*x as f32).is_normal();
        let is_usable = scale.iter().all(is_normal)
            && offset.iter().all(|x| x.is_finite())
            && self.zero().iter().all(|x| x.abs() <= FURTHEST_ZERO);
        if is_usable {
            return Ok(());
        }
        Err(Error::config(
            "pixel_scale",
            format!(
                "pixels can't be scaled by {scale:?} and moved by {offset:?}: the scales have to be \
             other than 0, all of them finite, and a byte from -{FURTHEST_ZERO} to {FURTHEST_ZERO} \
             has to become 0"
            ),
        ))
    }

    /// Whether it is the one of the published checkpoints.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The default in place of one that differs from it in the last digits, as files state theirs.
    pub(crate) fn snapped(self) -> Self {
        let default = Self::default();
        let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-6 * b.abs();
        let is_near = self.scale.iter().zip(&default.scale).all(near)
            && self.offset.iter().zip(&default.offset).all(near);
        if is_near { default } else { self }
    }

    /// The same for kernels that compute in f32.
    pub(crate) fn of_bytes(&self) -> ByteScale {
        ByteScale {
            zero: self.zero().map(|zero| zero as f32),
            scale: self.scale.map(|scale| scale as f32),
        }
    }

    /// Bytes `[N, H, W, 3]` to scaled pixels `[N, 3, H, W]` on the same device, in f64 where that is
    /// asked for, else computed in f32.
    pub(crate) fn apply(&self, bytes: &Tensor, dtype: DType) -> Result<Tensor> {
        let exact = if dtype == DType::F64 {
            DType::F64
        } else {
            DType::F32
        };
        let colours = |values: &[f64]| Tensor::new(values, &Device::Cpu)?.to_dtype(exact);
        let scale = colours(&self.scale)?.to_device(bytes.device())?;
        let zero = colours(&self.zero())?.to_device(bytes.device())?;
        let pixels = bytes.to_dtype(exact)?.broadcast_sub(&zero)?;
        let pixels = pixels.broadcast_mul(&scale)?.permute((0, 3, 1, 2))?;
        Ok(pixels.contiguous()?.to_dtype(dtype)?)
    }
}

/// A [`PixelScale`] as kernels apply it: a byte becomes `(byte - zero) * scale`.
///
/// Not in the weights: those would be rounded once more, and not to the same numbers whether a
/// checkpoint's batch norm was folded before it was saved or not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ByteScale {
    pub zero: [f32; COLOURS],
    pub scale: [f32; COLOURS],
}

impl ByteScale {
    /// What a byte of a colour becomes, or what was not rounded to one.
    #[inline(always)]
    pub fn of(&self, colour: usize, value: impl Into<f32>) -> f32 {
        (value.into() - self.zero[colour]) * self.scale[colour]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_takes_bytes_from_minus_one_to_one() {
        let scale = PixelScale::default();
        assert_eq!(scale.zero(), [127.5; 3]);
        for colour in 0..3 {
            for (byte, want) in [(0u8, -1.0), (255, 1.0)] {
                assert!((scale.of_bytes().of(colour, byte) - want).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn what_mean_and_deviation_say_is_a_scale() -> Result<()> {
        let half = PixelScale::from_mean_and_std(1.0 / 255.0, [0.5; 3], [0.5; 3])?;
        assert!(half.is_default());
        let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
        let imagenet = PixelScale::from_mean_and_std(1.0 / 255.0, mean, std)?;
        let scaled = imagenet.of_bytes();
        for colour in 0..3 {
            let want = (200.0 / 255.0 - mean[colour]) / std[colour];
            assert!((f64::from(scaled.of(colour, 200u8)) - want).abs() < 1e-6);
            assert!((imagenet.zero()[colour] - 255.0 * mean[colour]).abs() < 1e-9);
        }
        Ok(())
    }

    #[test]
    fn what_no_network_can_take_is_refused() {
        for (scale, offset) in [
            (0.0, 0.0),
            (f64::NAN, 0.0),
            (1.0, f64::INFINITY),
            (1e-60, 0.0),
            (1e60, 0.0),
            (1e-6, 1.0),
        ] {
            let refused = PixelScale::new([1.0, scale, 1.0], [0.0, offset, 0.0]);
            assert!(refused.is_err(), "{scale} {offset}");
        }
        assert!(PixelScale::new([1.0, -1.0, 0.1], [0.0, 255.0, 0.5]).is_ok());
    }

    #[test]
    fn tensors_and_bytes_are_scaled_alike() -> Result<()> {
        let scale = PixelScale::new([0.1, -2.0, 0.01], [3.0, 1.0, -0.5])?;
        let bytes: Vec<u8> = (0..24).map(|i| (i * 11 % 256) as u8).collect();
        let tensor = Tensor::from_slice(&bytes, (1, 2, 4, 3), &Device::Cpu)?;
        let scaled = scale.apply(&tensor, DType::F32)?;
        let values: Vec<f32> = scaled.flatten_all()?.to_vec1()?;
        let kernels = scale.of_bytes();
        for colour in 0..3 {
            for pixel in 0..8 {
                let byte = bytes[pixel * 3 + colour];
                let want = f64::from(byte) * scale.scale()[colour] + scale.offset()[colour];
                for got in [values[colour * 8 + pixel], kernels.of(colour, byte)] {
                    let off = f64::from(got) - want;
                    assert!(off.abs() <= 1e-5 * want.abs().max(1.0), "{off}");
                }
            }
        }
        Ok(())
    }
}
