//! What the pictures that are worked on at once may use together.

use std::sync::{Condvar, Mutex, PoisonError};

/// Pixels that may be decoded at once, or threads that may be at work at once.
///
/// Without the first as many pictures of the largest size that is allowed as there are threads would
/// be in memory; photographs are never made to wait. Without the second a program that answers many
/// requests would have a thread at work for each.
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

    /// Whether nobody has any of it.
    pub fn is_whole(&self) -> bool {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) == self.total
    }

    /// Waits until there is so much of it; what is larger than all of it has it alone.
    pub fn take(&self, amount: u64) -> Share<'_> {
        let amount = amount.min(self.total);
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let left = self.returned.wait_while(left, |left| *left < amount);
        *left.unwrap_or_else(PoisonError::into_inner) -= amount;
        Share {
            budget: self,
            amount,
        }
    }
}

/// A part of a budget, given back when it is dropped.
pub struct Share<'a> {
    budget: &'a Budget,
    amount: u64,
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let left = self.budget.left.lock();
        *left.unwrap_or_else(PoisonError::into_inner) += self.amount;
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
                        let now = out.fetch_add(share.amount, Ordering::SeqCst) + share.amount;
                        most.fetch_max(now, Ordering::SeqCst);
                        thread::yield_now();
                        out.fetch_sub(share.amount, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!((60..=100).contains(&most.load(Ordering::SeqCst)));
        assert_eq!(*budget.left.lock().expect("a number"), 100);
    }
}
