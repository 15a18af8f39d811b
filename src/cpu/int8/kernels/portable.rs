//! Plain Rust: what the compiler makes of arrays.

use super::generic::{self, Broadcast, Pairs, Sums};
use super::{Bounds, Depthwise, Kernels, Layout, Output, Pointwise, Stem, requantise};

pub(in crate::cpu) static KERNELS: Kernels = Kernels {
    tile_bytes: 2,
    lanes: LANES,
    panel_vectors: VECTORS,
    block: 8,
    narrow_block: 8,
    factor_words: 1,
    layout: Layout::PAIRS,
    depthwise,
    pointwise,
    stem,
    peak,
};

const LANES: usize = 4;
const ROWS: usize = 4;
const VECTORS: usize = 2;

#[derive(Clone, Copy)]
pub(super) struct I32x4([i32; LANES]);

// SAFETY: every function does what it is named after, on the caller's promise that the pointer is
// good for what is read or written.
unsafe impl Sums for I32x4 {
    const LANES: usize = LANES;
    const GROUP: usize = 2;
    type Operand = [i16; 2 * LANES];

    #[inline(always)]
    unsafe fn load(from: *const i32) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(from.cast::<[i32; LANES]>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn splat(from: *const u8) -> Self::Operand {
        // SAFETY: see the implementation.
        let [a, b] = unsafe { from.cast::<[i16; 2]>().read_unaligned() };
        std::array::from_fn(|i| if i % 2 == 0 { a } else { b })
    }

    #[inline(always)]
    unsafe fn weights(from: *const u8) -> Self::Operand {
        // SAFETY: see the implementation.
        unsafe { from.cast::<Self::Operand>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn dot(self, activations: Self::Operand, weights: Self::Operand) -> Self {
        let mut sums = self.0;
        for (i, sum) in sums.iter_mut().enumerate() {
            let product = |i| i32::from(activations[i]) * i32::from(weights[i]);
            *sum = sum.wrapping_add(product(2 * i) + product(2 * i + 1));
        }
        Self(sums)
    }

    #[inline(always)]
    unsafe fn scale(self, multiplier: *const f32) -> Self {
        // SAFETY: see the implementation.
        let multiplier = unsafe { multiplier.cast::<[f32; LANES]>().read_unaligned() };
        let scaled = |i: usize| (self.0[i] as f32 * multiplier[i]).to_bits() as i32;
        Self(std::array::from_fn(scaled))
    }

    #[inline(always)]
    unsafe fn round(self, Bounds { low, high, .. }: Bounds) -> Self {
        let value = |bits: i32| f32::from_bits(bits as u32).max(low).min(high);
        Self(self.0.map(|bits| value(bits).round_ties_even() as i32))
    }

    #[inline(always)]
    unsafe fn add(self, zero: i32) -> Self {
        Self(self.0.map(|value| value + zero))
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: see the implementation.
        unsafe {
            to.cast::<[u8; LANES]>()
                .write_unaligned(self.0.map(|value| value as u8))
        }
    }

    #[inline(always)]
    unsafe fn store_words(self, to: *mut u8) {
        // SAFETY: see the implementation.
        unsafe {
            to.cast::<[u16; LANES]>()
                .write_unaligned(self.0.map(|value| value as u16))
        }
    }
}

impl Broadcast for I32x4 {}

#[derive(Clone, Copy)]
pub(super) struct I16x8([i16; 8]);

// SAFETY: as above.
unsafe impl Pairs for I16x8 {
    const CHANNELS: usize = 8;
    const TILE_BYTES: usize = 2;
    type Sum = [i32; 4];

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: see the implementation.
        Self(unsafe { from.cast::<[u8; 8]>().read_unaligned() }.map(i16::from))
    }

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self([0; 8])
    }

    #[inline(always)]
    unsafe fn pairs(self, other: Self) -> [Self; 2] {
        let half = |first: usize| {
            Self(std::array::from_fn(|i| {
                let from = if i % 2 == 0 { &self } else { &other };
                from.0[first + i / 2]
            }))
        };
        [half(0), half(4)]
    }

    #[inline(always)]
    unsafe fn sums(from: *const i32) -> Self::Sum {
        // SAFETY: see the implementation.
        unsafe { from.cast::<Self::Sum>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn dot(self, weights: Self, mut sum: Self::Sum) -> Self::Sum {
        for (i, sum) in sum.iter_mut().enumerate() {
            let product = |i| i32::from(self.0[i]) * i32::from(weights.0[i]);
            *sum += product(2 * i) + product(2 * i + 1);
        }
        sum
    }

    #[inline(always)]
    unsafe fn weights(from: *const i16) -> Self {
        // SAFETY: see the implementation.
        Self(unsafe { from.cast::<[i16; 8]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store(sums: [Self::Sum; 2], multiplier: *const f32, bounds: Bounds, to: *mut u8) {
        // SAFETY: see the implementation.
        let multiplier = unsafe { multiplier.cast::<[f32; 8]>().read_unaligned() };
        let sums = sums.as_flattened();
        let values: [i16; 8] =
            std::array::from_fn(|i| requantise(sums[i], multiplier[i], bounds).into());
        // SAFETY: see the implementation.
        unsafe { to.cast::<[i16; 8]>().write_unaligned(values) }
    }
}

unsafe fn depthwise(task: &Depthwise, tile: &mut [u8]) {
    // SAFETY: behind `Kernels::depthwise`, which checked the task.
    unsafe { super::depthwise::depthwise::<I16x8, I16x8, 2>(task, tile) }
}

unsafe fn pointwise(task: &Pointwise, output: Output) {
    // SAFETY: behind `Kernels::pointwise`, which checked the task.
    unsafe { super::pointwise::pointwise::<I32x4, ROWS, VECTORS>(task, 2, output) }
}

unsafe fn stem(task: &Stem, output: Output) {
    // SAFETY: behind `Kernels::stem`, which checked the task.
    unsafe { super::stem::stem::<I32x4, ROWS, VECTORS>(task, output) }
}

fn peak(steps: usize) -> usize {
    // SAFETY: plain Rust.
    unsafe { generic::peak::<I32x4, 8>(steps) }
}
