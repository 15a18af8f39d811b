//! The vectors that the loops are written over, which are in `depthwise`, `pointwise` and `stem`, each
//! once.
//!
//! Everything in those files is `#[inline(always)]`, so that it is compiled within the function of an
//! instruction set that calls it, with that set's instructions.
//!
//! Zero points are mostly 0, since what ReLU6 leaves is never negative; there nothing is added.

use super::Bounds;

/// A vector of 32-bit sums of products of activations and pointwise weights.
///
/// # Safety
/// Its functions may only be called where the machine has the vector's instructions, with
/// pointers that are good for what they read or write.
pub(super) unsafe trait Sums: Copy {
    /// Sums in a vector.
    const LANES: usize;
    /// Products that are added to a sum at once.
    const GROUP: usize;
    /// Words of 32 bits that a channel's factor takes.
    const FACTOR_WORDS: usize = 1;
    /// What is multiplied: four bytes a lane.
    type Operand: Copy;
    /// Reads `LANES` sums.
    unsafe fn load(from: *const i32) -> Self;
    /// The same four bytes of activations in each lane.
    unsafe fn splat(from: *const u8) -> Self::Operand;
    /// Four bytes of weights for each lane.
    unsafe fn weights(from: *const u8) -> Self::Operand;
    /// Adds the products of activations and weights.
    unsafe fn dot(self, activations: Self::Operand, weights: Self::Operand) -> Self;
    /// The first part of [`requantise`](super::requantise): each of `LANES` sums as f32, times its
    /// multiplier. In parts, because the compiler keeps the sums of a tile in registers only
    /// where loops over them are short enough to be unrolled.
    unsafe fn scale(self, multiplier: *const f32) -> Self;
    /// The second part: what [`scale`](Self::scale) gave within bounds, rounded to integers.
    unsafe fn round(self, bounds: Bounds) -> Self;
    /// Adds one number to each: the third part, for the zero point.
    unsafe fn add(self, zero: i32) -> Self;
    /// The fourth part: values from 0 to 255 as `LANES` bytes.
    unsafe fn store(self, to: *mut u8);
    /// The same for values of 12 bits, as `LANES` words of 16.
    unsafe fn store_words(self, to: *mut u8);

    /// All parts of [`requantise`](super::requantise) for the sums of a tile, to activations of `BYTES`;
    /// `to` says where a pixel's begin.
    #[inline(always)]
    unsafe fn requantise<const ROWS: usize, const VECTORS: usize, const BYTES: usize>(
        mut sums: [[Self; VECTORS]; ROWS],
        multiplier: *const f32,
        bounds: Bounds,
        to: impl Fn(usize) -> *mut u8,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            for row in &mut sums {
                for (v, sum) in row.iter_mut().enumerate() {
                    *sum = sum.scale(multiplier.add(v * Self::LANES * Self::FACTOR_WORDS));
                }
            }
            for sum in sums.as_flattened_mut() {
                *sum = sum.round(bounds);
            }
            if bounds.zero != 0 {
                for sum in sums.as_flattened_mut() {
                    *sum = sum.add(bounds.zero);
                }
            }
            for (r, row) in sums.iter().enumerate() {
                let to = to(r);
                for (v, sum) in row.iter().enumerate() {
                    let to = to.add(v * Self::LANES * BYTES);
                    if BYTES == 2 {
                        sum.store_words(to);
                    } else {
                        sum.store(to);
                    }
                }
            }
        }
    }
}

/// Sums whose activations lie in a vector side by side until each four bytes are multiplied with all
/// lanes of the weights; or are read as they are multiplied.
///
/// # Safety
/// As [`Sums`].
pub(super) unsafe trait Held: Sums {
    /// What [`hold`](Self::hold) reads.
    type Held: Copy;
    /// Times four bytes that it reads: 1 or 4.
    const STEPS: usize;
    /// `STEPS` times four bytes of activations.
    unsafe fn hold(from: *const u8) -> Self::Held;
    /// Adds the products of one of these, which loops that are unrolled make a constant.
    unsafe fn dot_held(self, held: Self::Held, step: usize, weights: Self::Operand) -> Self;
}

/// Sums of a machine that reads four bytes into all lanes as it multiplies.
pub(super) trait Broadcast: Sums {}

// SAFETY: every function does what it is named after, on the caller's promises.
unsafe impl<S: Broadcast> Held for S {
    type Held = S::Operand;
    const STEPS: usize = 1;

    #[inline(always)]
    unsafe fn hold(from: *const u8) -> S::Operand {
        // SAFETY: the caller's promise.
        unsafe { S::splat(from) }
    }

    #[inline(always)]
    unsafe fn dot_held(self, held: S::Operand, _step: usize, weights: S::Operand) -> S {
        // SAFETY: the caller's promise.
        unsafe { self.dot(held, weights) }
    }
}

/// A vector of 16-bit activations of as many channels, on their way through a depthwise
/// convolution.
///
/// # Safety
/// As [`Sums`].
pub(super) unsafe trait Wide: Copy {
    /// Channels in a vector, a block of weights.
    const CHANNELS: usize;
    /// Bytes of an activation in a tile.
    const TILE_BYTES: usize;
    /// Words of 32 bits that a channel's factor takes.
    const FACTOR_WORDS: usize = 1;
    /// Sums of half of the channels.
    type Sum: Copy;
    /// A column of activations under the window, three of a channel, ready to be multiplied.
    type Column: Copy;
    /// The weights of a column.
    type Weights: Copy;
    /// Reads `CHANNELS` bytes.
    unsafe fn load(from: *const u8) -> Self;
    /// Reads `CHANNELS` activations of 16 bits.
    unsafe fn load_words(from: *const i16) -> Self;
    /// Reads `CHANNELS / 2` sums.
    unsafe fn sums(from: *const i32) -> Self::Sum;
    /// Reads the weights of column `kx` of the window, from where those of the block begin.
    unsafe fn weights(block: *const i16, kx: usize) -> Self::Weights;
    /// What lies under the three rows of the window.
    unsafe fn column(rows: [Self; 3]) -> Self::Column;
    /// Adds the products of a column.
    unsafe fn add(column: &Self::Column, weights: &Self::Weights, sums: &mut [Self::Sum; 2]);
    /// [`requantise`](super::requantise) both halves, to `CHANNELS` activations of a tile.
    unsafe fn store(sums: [Self::Sum; 2], multiplier: *const f32, bounds: Bounds, to: *mut u8);
    /// Where in a tile a block's activations of the pixels from `pixel` on are, `next` pixels behind that
    /// one, in bytes; see [`tile_place`](super::Kernels::tile_place).
    #[inline(always)]
    fn place(pixel: usize, next: usize, stride: usize, channel: usize) -> usize {
        let first = (pixel * stride + channel) * Self::TILE_BYTES;
        first + next * (stride * Self::TILE_BYTES)
    }
}

/// Activations of a machine that adds the products of pairs: of two rows of the window, and of the third
/// with zeros.
///
/// # Safety
/// As [`Sums`].
pub(super) unsafe trait Pairs: Copy {
    /// See [`Wide`], as for all that has the same name there.
    const CHANNELS: usize;
    const TILE_BYTES: usize;
    const FACTOR_WORDS: usize = 1;
    type Sum: Copy;
    unsafe fn load(from: *const u8) -> Self;
    /// Zeros.
    unsafe fn zero() -> Self;
    /// Pairs of `self` and `other`, of the lower and the upper channels of each 128 bits.
    unsafe fn pairs(self, other: Self) -> [Self; 2];
    unsafe fn sums(from: *const i32) -> Self::Sum;
    /// Adds to each sum the two products of a pair and the weights' pair.
    unsafe fn dot(self, weights: Self, sum: Self::Sum) -> Self::Sum;
    /// Reads `CHANNELS` 16-bit weights, or activations of 16 bits.
    unsafe fn weights(from: *const i16) -> Self;
    unsafe fn store(sums: [Self::Sum; 2], multiplier: *const f32, bounds: Bounds, to: *mut u8);
}

// SAFETY: every function does what it is named after, on the caller's promises.
unsafe impl<P: Pairs> Wide for P {
    const CHANNELS: usize = P::CHANNELS;
    const TILE_BYTES: usize = P::TILE_BYTES;
    const FACTOR_WORDS: usize = P::FACTOR_WORDS;
    type Sum = P::Sum;
    /// Both halves of the first two rows, and of the third.
    type Column = [[P; 2]; 2];
    type Weights = [[P; 2]; 2];

    #[inline(always)]
    unsafe fn load(from: *const u8) -> P {
        // SAFETY: the caller's promise.
        unsafe { P::load(from) }
    }

    #[inline(always)]
    unsafe fn load_words(from: *const i16) -> P {
        // SAFETY: the caller's promise.
        unsafe { P::weights(from) }
    }

    #[inline(always)]
    unsafe fn sums(from: *const i32) -> P::Sum {
        // SAFETY: the caller's promise.
        unsafe { P::sums(from) }
    }

    #[inline(always)]
    unsafe fn weights(block: *const i16, kx: usize) -> [[P; 2]; 2] {
        // SAFETY: the caller's promise.
        unsafe {
            let weights = |i: usize| P::weights(block.add((kx * 4 + i) * P::CHANNELS));
            [[weights(0), weights(1)], [weights(2), weights(3)]]
        }
    }

    #[inline(always)]
    unsafe fn column([first, second, third]: [P; 3]) -> [[P; 2]; 2] {
        // SAFETY: the caller's promise.
        unsafe { [first.pairs(second), third.pairs(P::zero())] }
    }

    #[inline(always)]
    unsafe fn add([upper, lower]: &[[P; 2]; 2], weights: &[[P; 2]; 2], sums: &mut [P::Sum; 2]) {
        // SAFETY: the caller's promise.
        unsafe {
            let [[a, b], [c, d]] = weights;
            sums[0] = lower[0].dot(*c, upper[0].dot(*a, sums[0]));
            sums[1] = lower[1].dot(*d, upper[1].dot(*b, sums[1]));
        }
    }

    #[inline(always)]
    unsafe fn store(sums: [P::Sum; 2], multiplier: *const f32, bounds: Bounds, to: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { P::store(sums, multiplier, bounds, to) }
    }
}

/// Multiplications and additions of `steps` steps of `SUMS` sums that don't wait for each other:
/// the most that an instruction set can do.
///
/// # Safety
/// The machine has `S`'s instructions.
#[inline(always)]
pub(super) unsafe fn peak<S: Sums, const SUMS: usize>(steps: usize) -> usize {
    // SAFETY: the memory that is read is as long as the longest vector.
    unsafe {
        let ones = std::hint::black_box([1u8; 64]);
        let operand = S::weights(ones.as_ptr());
        let mut sums = [S::load(ones.as_ptr().cast()); SUMS];
        for _ in 0..steps {
            for sum in &mut sums {
                *sum = sum.dot(operand, operand);
            }
        }
        let bounds = Bounds {
            low: 0.0,
            high: 255.0,
            zero: 0,
        };
        for sum in sums {
            let mut result = [0u8; 64];
            sum.round(bounds).store(result.as_mut_ptr());
            std::hint::black_box(result);
        }
    }
    // As many products a lane as values fit four bytes.
    2 * steps * SUMS * S::LANES * S::GROUP
}
