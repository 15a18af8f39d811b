//! The most that an instruction set can do.

use super::generic::Vector;

/// Multiplications and additions of `steps` steps of `SUMS` sums that don't wait for each other:
/// as many as the machine has registers for, and more than it can begin at once.
///
/// # Safety
/// The machine has `V`'s instructions.
#[inline(always)]
pub(super) unsafe fn peak<V: Vector, const SUMS: usize>(steps: usize) -> usize {
    // SAFETY: no memory but `result`, which is as long as a vector.
    unsafe {
        let factor = V::splat(std::hint::black_box(0.5));
        let mut sums = [V::splat(std::hint::black_box(1.0)); SUMS];
        for _ in 0..steps {
            for sum in &mut sums {
                *sum = factor.mul_add(factor, *sum);
            }
        }
        for sum in sums {
            let mut result = [0f32; 16];
            sum.store(result.as_mut_ptr());
            std::hint::black_box(result);
        }
    }
    2 * steps * SUMS * V::LANES
}
