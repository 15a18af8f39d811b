//! The arithmetic of LiteRT's reference kernels: the sums of the least that every machine has, and then
//! a [`ReferenceFactor`], one sum after the other. Slow, and there to be compared with.

#[cfg(not(target_arch = "x86_64"))]
use super::portable as base;
#[cfg(target_arch = "x86_64")]
use super::sse2 as base;

use super::generic::{self, Broadcast, Pairs, Sums};
use super::{Bounds, Depthwise, Kernels, Layout, Output, Pointwise, Stem};
use crate::model::ReferenceFactor;

pub(in crate::cpu) static KERNELS: Kernels = Kernels {
    tile_bytes: 2,
    lanes: LANES,
    panel_vectors: VECTORS,
    block: 8,
    narrow_block: 8,
    factor_words: WORDS,
    layout: Layout::PAIRS,
    depthwise,
    pointwise,
    stem,
    peak,
};

/// Those of a [`ReferenceFactor`].
const WORDS: usize = 2;

const LANES: usize = 4;
const ROWS: usize = 4;
const VECTORS: usize = 2;

/// Sums, or what became of them.
#[derive(Clone, Copy)]
struct Reference(base::I32x4);

/// The numbers in a vector.
fn numbers(sums: base::I32x4) -> [i32; LANES] {
    // SAFETY: the vector is four such numbers and nothing else.
    unsafe { std::mem::transmute(sums) }
}

/// A sum times the factor at its place, and then within 32 bits.
///
/// # Safety
/// The pointer is good for the factors up to there.
#[inline(always)]
unsafe fn scaled(sum: i32, factors: *const f32, place: usize) -> i32 {
    // SAFETY: the caller's promise; any bits are numbers.
    let words = unsafe { factors.cast::<[i32; WORDS]>().add(place).read_unaligned() };
    let factor = ReferenceFactor::of_words(words);
    factor.times(sum).clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

/// Within bounds, without the zero point.
#[inline(always)]
fn bounded(value: i32, bounds: Bounds) -> i32 {
    value.max(bounds.low as i32).min(bounds.high as i32)
}

// SAFETY: every function does what it is named after, on the caller's promise that the pointer is
// good for what is read or written.
unsafe impl Sums for Reference {
    const LANES: usize = LANES;
    const GROUP: usize = <base::I32x4 as Sums>::GROUP;
    const FACTOR_WORDS: usize = WORDS;
    type Operand = <base::I32x4 as Sums>::Operand;

    #[inline(always)]
    unsafe fn load(from: *const i32) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(base::I32x4::load(from)) }
    }

    #[inline(always)]
    unsafe fn splat(from: *const u8) -> Self::Operand {
        // SAFETY: see the implementation.
        unsafe { base::I32x4::splat(from) }
    }

    #[inline(always)]
    unsafe fn weights(from: *const u8) -> Self::Operand {
        // SAFETY: see the implementation.
        unsafe { base::I32x4::weights(from) }
    }

    #[inline(always)]
    unsafe fn dot(self, activations: Self::Operand, weights: Self::Operand) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(self.0.dot(activations, weights)) }
    }

    #[inline(always)]
    unsafe fn scale(self, factors: *const f32) -> Self {
        let sums = numbers(self.0);
        // SAFETY: see the implementation.
        let scaled = std::array::from_fn::<_, LANES, _>(|i| unsafe { scaled(sums[i], factors, i) });
        // SAFETY: these are as many numbers as are read.
        unsafe { Self::load(scaled.as_ptr()) }
    }

    #[inline(always)]
    unsafe fn round(self, bounds: Bounds) -> Self {
        let bounded = numbers(self.0).map(|value| bounded(value, bounds));
        // SAFETY: these are as many numbers as are read.
        unsafe { Self::load(bounded.as_ptr()) }
    }

    #[inline(always)]
    unsafe fn add(self, zero: i32) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(self.0.add(zero)) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: see the implementation.
        unsafe { self.0.store(to) }
    }

    #[inline(always)]
    unsafe fn store_words(self, to: *mut u8) {
        // SAFETY: see the implementation.
        unsafe { self.0.store_words(to) }
    }
}

impl Broadcast for Reference {}

#[derive(Clone, Copy)]
struct Wide8(base::I16x8);

// SAFETY: as above.
unsafe impl Pairs for Wide8 {
    const CHANNELS: usize = 8;
    const TILE_BYTES: usize = 2;
    const FACTOR_WORDS: usize = WORDS;
    type Sum = <base::I16x8 as Pairs>::Sum;

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(base::I16x8::load(from)) }
    }

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(base::I16x8::zero()) }
    }

    #[inline(always)]
    unsafe fn pairs(self, other: Self) -> [Self; 2] {
        // SAFETY: see the implementation.
        unsafe { self.0.pairs(other.0).map(Self) }
    }

    #[inline(always)]
    unsafe fn sums(from: *const i32) -> Self::Sum {
        // SAFETY: see the implementation.
        unsafe { base::I16x8::sums(from) }
    }

    #[inline(always)]
    unsafe fn dot(self, weights: Self, sum: Self::Sum) -> Self::Sum {
        // SAFETY: see the implementation.
        unsafe { self.0.dot(weights.0, sum) }
    }

    #[inline(always)]
    unsafe fn weights(from: *const i16) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(base::I16x8::weights(from)) }
    }

    #[inline(always)]
    unsafe fn store(sums: [Self::Sum; 2], factors: *const f32, bounds: Bounds, to: *mut u8) {
        // SAFETY: a sum is four numbers and nothing else, so two are eight.
        let sums: [i32; 8] = unsafe { std::mem::transmute(sums) };
        let values = std::array::from_fn::<i16, 8, _>(|i| {
            // SAFETY: see the implementation.
            let scaled = unsafe { scaled(sums[i], factors, i) };
            (bounded(scaled, bounds) + bounds.zero) as i16
        });
        // SAFETY: see the implementation.
        unsafe { to.cast::<[i16; 8]>().write_unaligned(values) }
    }
}

unsafe fn depthwise(task: &Depthwise, tile: &mut [u8]) {
    // SAFETY: behind `Kernels::depthwise`, which checked the task.
    unsafe { super::depthwise::depthwise::<Wide8, Wide8, 2>(task, tile) }
}

unsafe fn pointwise(task: &Pointwise, output: Output) {
    // SAFETY: behind `Kernels::pointwise`, which checked the task.
    unsafe { super::pointwise::pointwise::<Reference, ROWS, VECTORS>(task, 2, output) }
}

unsafe fn stem(task: &Stem, output: Output) {
    // SAFETY: behind `Kernels::stem`, which checked the task.
    unsafe { super::stem::stem::<Reference, ROWS, VECTORS>(task, output) }
}

fn peak(steps: usize) -> usize {
    // SAFETY: every machine has these instructions.
    unsafe { generic::peak::<base::I32x4, 8>(steps) }
}
