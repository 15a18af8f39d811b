//! Plain Rust that computes what the machine's instructions for bf16 do, to the bit: what the tests hold
//! those against.
//!
//! `vdpbf16ps` of AVX-512 BF16 adds the product of the second elements of both pairs, then that of the
//! first ones, each with one rounding to nearest, halves to even, and takes for zero what is smaller than
//! the smallest normal float: of what it reads, and of each sum. (A processor where this is otherwise fails
//! these tests, and has other answers in their last bits.) `vcvtneps2bf16` rounds so too.
//!
//! `bfdot` of Arm's `FEAT_BF16` adds both products first, and then their sum, each time rounded to odd:
//! towards zero, and to the odd neighbour where that is not exact. It takes small numbers for zero too.
//! `bfmmla` is twice that. (`FEAT_EBF16` has another arithmetic, for programs that ask for it.) `bfcvtn`
//! keeps small numbers.

use super::Bf16;
use crate::cpu::kernels::generic::{self, Products, Vector};
use crate::cpu::kernels::{Depthwise, Kernels, Output, Pointwise, Stem, peak, stem};
use crate::cpu::pixels::StemPixels;

pub(super) static KERNELS: Kernels<Bf16> = Kernels {
    lanes: LANES,
    panel_vectors: 1,
    group: 2,
    depthwise,
    pointwise,
    bytes: StemPixels::look_up,
    stem,
    peak,
};

const LANES: usize = 8;

#[derive(Clone, Copy)]
struct Plain([f32; LANES]);

impl Plain {
    fn map(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }
}

/// Zero, of the same sign, for what is no normal number.
fn flushed(value: f32) -> f32 {
    if value.is_subnormal() {
        0f32.copysign(value)
    } else {
        value
    }
}

/// What the machine makes of a sum and two pairs.
pub(super) fn add_pair(sum: f32, a: [Bf16; 2], b: [Bf16; 2]) -> f32 {
    let [a, b] = [a, b].map(|pair| pair.map(|x| flushed(x.to_f32())));
    if cfg!(target_arch = "aarch64") {
        let [first, second] = [0, 1].map(|i| flushed(a[i] * b[i]));
        return odd_sum(flushed(sum), odd_sum(first, second));
    }
    let second = flushed(a[1].mul_add(b[1], flushed(sum)));
    flushed(a[0].mul_add(b[0], second))
}

/// A sum rounded to odd, or zero where it is no normal number.
fn odd_sum(a: f32, b: f32) -> f32 {
    let (a, b) = (f64::from(a), f64::from(b));
    let sum = a + b;
    // What of the exact sum is not in `sum`.
    let rest = sum - a;
    let rest = (a - (sum - rest)) + (b - rest);
    let near = sum as f32;
    if !near.is_finite() {
        return near;
    }
    let beyond = sum - f64::from(near);
    let beyond = if beyond == 0.0 { rest } else { beyond };
    if beyond == 0.0 {
        return flushed(near);
    }
    // Towards zero, where the nearest is the other neighbour.
    let is_beyond_zero = (beyond < 0.0) == (near < 0.0);
    let bits = near.to_bits() - u32::from(!is_beyond_zero);
    flushed(f32::from_bits(bits | 1))
}

/// What the machine makes of a float.
pub(super) fn rounded(value: f32) -> Bf16 {
    match cfg!(target_arch = "aarch64") {
        true => Bf16::from_f32(value),
        false => Bf16::from_f32(flushed(value)),
    }
}

// SAFETY: every function does what it is named after, with no special instructions.
unsafe impl Vector for Plain {
    const LANES: usize = LANES;
    type Element = Bf16;

    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller says that as many floats are there.
        unsafe { Self(from.cast::<[f32; LANES]>().read_unaligned()) }
    }

    unsafe fn read(from: *const Bf16) -> Self {
        // SAFETY: the caller says that as many elements are there.
        let elements = unsafe { from.cast::<[Bf16; LANES]>().read_unaligned() };
        Self(elements.map(Bf16::to_f32))
    }

    unsafe fn write(self, to: *mut Bf16) {
        // SAFETY: as above.
        unsafe {
            to.cast::<[Bf16; LANES]>()
                .write_unaligned(self.0.map(rounded))
        }
    }

    unsafe fn splat(value: f32) -> Self {
        Self([value; LANES])
    }

    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        let fused = |i: usize| self.0[i].mul_add(factor.0[i], sum.0[i]);
        Self(std::array::from_fn(fused))
    }

    unsafe fn max(self, other: Self) -> Self {
        self.map(other, |a, b| if a < b { b } else { a })
    }

    unsafe fn min(self, other: Self) -> Self {
        self.map(other, |a, b| if a > b { b } else { a })
    }
}

// SAFETY: as above.
unsafe impl Products for Plain {
    type Operand = [[Bf16; 2]; LANES];
    type Held = Self::Operand;
    const STEPS: usize = 1;

    unsafe fn spread(from: *const Bf16) -> Self::Operand {
        // SAFETY: the caller says that a pair is there.
        [unsafe { from.cast::<[Bf16; 2]>().read_unaligned() }; LANES]
    }

    unsafe fn weights(from: *const Bf16) -> Self::Operand {
        // SAFETY: the caller says that a pair for each lane is there.
        unsafe { from.cast::<Self::Operand>().read_unaligned() }
    }

    unsafe fn add_products(self, activations: Self::Operand, weights: Self::Operand) -> Self {
        let sum = |i: usize| add_pair(self.0[i], activations[i], weights[i]);
        Self(std::array::from_fn(sum))
    }

    unsafe fn hold(from: *const Bf16) -> Self::Held {
        // SAFETY: the caller's promise.
        unsafe { Self::spread(from) }
    }

    unsafe fn add_held(self, held: Self::Held, _step: usize, weights: Self::Operand) -> Self {
        // SAFETY: the caller's promise.
        unsafe { self.add_products(held, weights) }
    }
}

fn depthwise(task: &Depthwise<Bf16>, output: &mut [Bf16]) {
    // SAFETY: no special instructions; behind `Kernels::depthwise`.
    unsafe { generic::depthwise::<Plain, 1, 1>(task, output) }
}

unsafe fn pointwise(task: &Pointwise<Bf16>, output: Output<Bf16>) {
    // SAFETY: no special instructions; behind `Kernels::pointwise`.
    unsafe { generic::pointwise::<Plain, 1, 1, 1>(task, output) }
}

unsafe fn stem(task: &Stem<Bf16>, output: Output<Bf16>) {
    // SAFETY: no special instructions; behind `Kernels::stem`.
    unsafe { stem::stem::<Plain, 1, 1>(task, output) }
}

fn peak(steps: usize) -> usize {
    // SAFETY: no special instructions; behind `Kernels::peak`.
    unsafe { peak::peak::<Plain, 1>(steps) }
}
