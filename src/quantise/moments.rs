//! What pictures tell of a pointwise convolution's input: means, and products of its channels.

use candle_core::{Device, Tensor};

use crate::error::{Error, Result};

/// Means and products of what a convolution reads, in the network of floats and in the one in
/// integers, over all pixels of pictures.
#[derive(Debug, Clone)]
pub(super) struct Moments {
    channels: usize,
    pixels: usize,
    /// Sums of the values in floats, by channel.
    floats: Vec<f64>,
    /// Sums of what the integers stand for.
    integers: Vec<f64>,
    /// `[channel][channel]`, sums of integers times integers.
    squares: Vec<f64>,
    /// `[channel in floats][channel in integers]`, sums of floats times integers.
    products: Vec<f64>,
}

impl Moments {
    pub fn new(channels: usize) -> Self {
        Self {
            channels,
            pixels: 0,
            floats: vec![0.0; channels],
            integers: vec![0.0; channels],
            squares: vec![0.0; channels * channels],
            products: vec![0.0; channels * channels],
        }
    }

    /// Adds a picture: `[channel][pixel]` of both.
    ///
    /// # Errors
    /// What is not a number.
    pub fn add(&mut self, floats: &[f32], integers: &[f32]) -> Result<()> {
        let pixels = floats.len() / self.channels;
        self.pixels += pixels;
        for (sums, values) in [(&mut self.floats, floats), (&mut self.integers, integers)] {
            for (sum, values) in sums.iter_mut().zip(values.chunks_exact(pixels)) {
                *sum += values.iter().map(|v| f64::from(*v)).sum::<f64>();
            }
        }
        if !self
            .floats
            .iter()
            .chain(&self.integers)
            .all(|sum| sum.is_finite())
        {
            let message = "activations that are not finite numbers";
            return Err(Error::not_a_number(message));
        }
        let shape = (self.channels, pixels);
        let floats = Tensor::from_slice(floats, shape, &Device::Cpu)?;
        let integers = Tensor::from_slice(integers, shape, &Device::Cpu)?;
        let turned = integers.t()?;
        for (sums, left) in [
            (&mut self.squares, &integers),
            (&mut self.products, &floats),
        ] {
            let products: Vec<f32> = left.matmul(&turned)?.flatten_all()?.to_vec1()?;
            for (sum, product) in sums.iter_mut().zip(products) {
                *sum += f64::from(product);
            }
        }
        Ok(())
    }

    /// Adds those of other pictures.
    pub fn merge(&mut self, other: &Self) {
        self.pixels += other.pixels;
        let pairs = [
            (&mut self.floats, &other.floats),
            (&mut self.integers, &other.integers),
            (&mut self.squares, &other.squares),
            (&mut self.products, &other.products),
        ];
        for (sums, others) in pairs {
            for (sum, other) in sums.iter_mut().zip(others) {
                *sum += other;
            }
        }
    }

    /// Channels of the input.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The mean of a channel in floats, and in integers.
    pub fn means(&self, channel: usize) -> (f64, f64) {
        let pixels = self.pixels as f64;
        (
            self.floats[channel] / pixels,
            self.integers[channel] / pixels,
        )
    }

    /// The covariance of two channels of the input in integers.
    pub fn covariance(&self, a: usize, b: usize) -> f64 {
        let mean = self.squares[a * self.channels + b] / self.pixels as f64;
        mean - self.means(a).1 * self.means(b).1
    }

    /// The covariance of a channel in floats and one in integers.
    pub fn cross_covariance(&self, float: usize, integer: usize) -> f64 {
        let mean = self.products[float * self.channels + integer] / self.pixels as f64;
        mean - self.means(float).0 * self.means(integer).1
    }

    /// The mean of the variances of all channels in integers.
    pub fn mean_variance(&self) -> f64 {
        let variances = (0..self.channels).map(|c| self.covariance(c, c).max(0.0));
        variances.sum::<f64>() / self.channels as f64
    }
}
