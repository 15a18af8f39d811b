//! Memory for pictures that are decoded at once.

use std::sync::{Condvar, Mutex, PoisonError};

/// Pixels that may be decoded at once, by all threads together.
///
/// Without it as many pictures of the largest size that is allowed as there are threads would be
/// in memory. Photographs are never made to wait.
pub struct Budget {
    total: u64,
    left: Mutex<u64>,
    returned: Condvar,
}

impl Budget {
    /// A budget that is never more than used up.
    pub fn new(total: u64) -> Self {
        Self {
            total,
            left: Mutex::new(total),
            returned: Condvar::new(),
        }
    }

    /// Waits until there is room for a picture; one that is larger than all of it has it alone.
    pub fn take(&self, pixels: u64) -> Share<'_> {
        let pixels = pixels.min(self.total);
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let left = self.returned.wait_while(left, |left| *left < pixels);
        *left.unwrap_or_else(PoisonError::into_inner) -= pixels;
        Share {
            budget: self,
            pixels,
        }
    }
}

/// A part of a budget, given back when it is dropped.
pub struct Share<'a> {
    budget: &'a Budget,
    pixels: u64,
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let left = self.budget.left.lock();
        *left.unwrap_or_else(PoisonError::into_inner) += self.pixels;
        self.budget.returned.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    use super::Budget;

    #[test]
    fn never_more_than_the_budget_is_out() {
        let budget = Budget::new(100);
        let (out, most) = (AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            for pixels in [60, 30, 50, 1000, 100, 10, 0, 70] {
                let (budget, out, most) = (&budget, &out, &most);
                scope.spawn(move || {
                    for _ in 0..200 {
                        let share = budget.take(pixels);
                        let now = out.fetch_add(share.pixels, Ordering::SeqCst) + share.pixels;
                        most.fetch_max(now, Ordering::SeqCst);
                        thread::yield_now();
                        out.fetch_sub(share.pixels, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!((60..=100).contains(&most.load(Ordering::SeqCst)));
        assert_eq!(*budget.left.lock().expect("a number"), 100);
    }
}
