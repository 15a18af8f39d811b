//! What the tests of several networks begin with.

use candle_core::{DType, Device};
use candle_nn::VarBuilder;

use crate::model::{Config, random_tensors};
use crate::pixels::PixelScale;

/// Bytes that look random, the same for each seed.
pub(super) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// Random weights of a network.
pub(super) fn weights(config: &Config, seed: u64) -> VarBuilder<'static> {
    let tensors = random_tensors(config, seed).expect("tensors");
    VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu)
}

/// Another scale for each colour.
pub(super) fn imagenet() -> PixelScale {
    let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    PixelScale::from_mean_and_std(1.0 / 255.0, mean, std).expect("a scale")
}

/// Scaled pixels, colour by colour, of bytes.
pub(super) fn planes(bytes: &[u8], scale: &PixelScale) -> Vec<f32> {
    let colour = |c| {
        let pixels = bytes.chunks_exact(3);
        pixels.map(move |pixel| scale.of_bytes().of(c, pixel[c]))
    };
    (0..3).flat_map(colour).collect()
}
