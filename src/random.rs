//! Random numbers that are the same on every machine and in every version.
//!
//! All that a seed decides comes from here: what training begins with, in which order and how it is
//! shown pictures, which of them are held out. Each picture of each epoch has a stream of its own, so
//! that nothing depends on which thread comes first, nor on where a run was stopped. ChaCha8's stream
//! is fixed by its definition; what is made of it here is ours, as `rand`'s usual generator and its
//! distributions may change with its version.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// What random numbers are for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Weights = 1,
    Split = 2,
    Order = 3,
    Augmentation = 4,
    Folds = 5,
}

/// A stream of random numbers.
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    /// The stream for an item of an epoch.
    pub fn new(seed: u64, purpose: Purpose, epoch: usize, item: usize) -> Self {
        let mut key = [0; 32];
        let words = [seed, purpose as u64, epoch as u64, item as u64];
        for (bytes, word) in key.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// From 0 to 1, 1 excluded.
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// From `low` to `high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// From 0 to `n`, `n` excluded.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.0.next_u64()) * n as u128) >> 64) as usize
    }

    /// Brings items into any order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_its_own_and_stays_as_it_is() {
        let stream = |seed, epoch, item| {
            let mut random = Random::new(seed, Purpose::Order, epoch, item);
            [random.below(1000), random.below(1000), random.below(1000)]
        };
        let first = stream(1, 2, 3);
        assert_eq!(first, stream(1, 2, 3));
        for other in [stream(2, 2, 3), stream(1, 3, 3), stream(1, 2, 4)] {
            assert_ne!(first, other);
        }
        let mut items: Vec<usize> = (0..100).collect();
        Random::new(0, Purpose::Split, 0, 0).shuffle(&mut items);
        assert_ne!(items[..5], [0, 1, 2, 3, 4]);
        items.sort_unstable();
        assert!(items.into_iter().eq(0..100));
        // A seed of today means the same tomorrow: computed from ChaCha8's definition in Python.
        assert_eq!(first, [384, 501, 155]);
        let mut random = Random::new(0, Purpose::Weights, 0, 0);
        let mean = (0..10_000).map(|_| random.between(-1.0, 3.0)).sum::<f64>() / 10_000.0;
        assert!((mean - 1.0).abs() < 0.05, "{mean}");
    }
}
