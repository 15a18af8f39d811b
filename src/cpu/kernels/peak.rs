//! The most that an instruction set can do.

use super::generic::Products;
use crate::cpu::element::Element;

/// Multiplications and additions of `steps` steps of `SUMS` sums that don't wait for each other:
/// as many as the machine has registers for, and more than it can begin at once.
///
/// # Safety
/// The machine has `V`'s instructions.
#[inline(always)]
pub(in crate::cpu) unsafe fn peak<V: Products, const SUMS: usize>(steps: usize) -> usize {
    // SAFETY: no memory but `halves` and `result`, which are as long as the longest vector.
    unsafe {
        let halves = std::hint::black_box([V::Element::of(0.5); 32]);
        let factor = V::weights(halves.as_ptr());
        let mut sums = [V::splat(std::hint::black_box(1.0)); SUMS];
        for _ in 0..steps {
            for sum in &mut sums {
                *sum = sum.add_products(factor, factor);
            }
        }
        for sum in sums {
            let mut result = [V::Element::of(0.0); 16];
            sum.write(result.as_mut_ptr());
            std::hint::black_box(result);
        }
    }
    2 * steps * SUMS * V::LANES * V::GROUP
}
