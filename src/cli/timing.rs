//! How long networks take, measured in turns.

use std::time::{Duration, Instant};

use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use mobilenet::Isa;
use mobilenet::model::{MobileNet, Precision};

/// What the CPU computes in faster than in f32, as far as it has instructions for it.
pub fn faster_than_f32() -> Vec<Precision> {
    let all = [Precision::Int8, DType::BF16.into()];
    let has = |precision: &Precision| !Isa::available_for(*precision).is_empty();
    all.into_iter().filter(has).collect()
}

/// A batch as pictures come.
pub fn pixels(batch_size: usize, size: usize, device: &Device) -> Result<Tensor> {
    let bytes = (0..batch_size * size * size * 3).map(|i| (i * 31 % 251) as u8);
    let shape = (batch_size, size, size, 3);
    Ok(Tensor::from_vec(bytes.collect(), shape, device)?)
}

/// How long runs took, the shortest first; at least one.
pub struct Times(Vec<Duration>);

impl Times {
    /// Milliseconds that a part of the runs took at most.
    pub fn at(&self, part: f64) -> f64 {
        let index = ((self.0.len() - 1) as f64 * part).round() as usize;
        self.0[index].as_secs_f64() * 1e3
    }

    /// Milliseconds; of an even number of runs, halfway between the two in the middle.
    pub fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        let two = self.0[middle] + self.0[(self.0.len() - 1) / 2];
        two.as_secs_f64() * 1e3 / 2.0
    }
}

/// Runs of one network before it is another's turn.
const AT_A_TIME: u32 = 10;

/// Measures networks on the same batch, in turns.
pub fn measure(
    networks: &[&MobileNet],
    pixels: &Tensor,
    warmup_runs: u32,
    runs: u32,
) -> Result<Vec<Times>> {
    let mut times = vec![Vec::new(); networks.len()];
    for _ in 0..warmup_runs {
        for network in networks {
            once(network, pixels)?;
        }
    }
    // In turns, so that a machine whose speed drifts drifts for all; some at a time, so that each
    // finds in the caches what it left there.
    let mut done = 0;
    while done < runs {
        let now = AT_A_TIME.min(runs - done);
        for (network, times) in networks.iter().zip(&mut times) {
            for _ in 0..now {
                times.push(once(network, pixels)?);
            }
        }
        done += now;
    }
    let sorted = times.into_iter().map(|mut times| {
        times.sort_unstable();
        Times(times)
    });
    Ok(sorted.collect())
}

/// One batch, until its logits are on the CPU.
fn once(network: &MobileNet, pixels: &Tensor) -> Result<Duration> {
    let start = Instant::now();
    let logits: Vec<Vec<f32>> = network.forward(pixels)?.to_vec2()?;
    std::hint::black_box(logits);
    Ok(start.elapsed())
}
