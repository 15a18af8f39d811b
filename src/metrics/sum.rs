//! Sums that don't depend on the order.

/// A sum of numbers without any rounding but that of its value at the end, as Python's
/// `math.fsum` (Shewchuk 1997, "Adaptive precision floating-point arithmetic and fast robust
/// geometric predicates").
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExactSum {
    /// Numbers whose sum it is, of ascending magnitude, no two of which share a binary digit.
    partials: Vec<f64>,
}

impl ExactSum {
    /// The sum of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a number, which has to be finite.
    pub fn add(&mut self, number: f64) {
        let mut high = number;
        let mut kept = 0;
        for i in 0..self.partials.len() {
            let (large, small) = match high.abs() < self.partials[i].abs() {
                true => (self.partials[i], high),
                false => (high, self.partials[i]),
            };
            high = large + small;
            // What the rounding of the sum left out, exactly.
            let low = small - (high - large);
            if low != 0.0 {
                self.partials[kept] = low;
                kept += 1;
            }
        }
        self.partials.truncate(kept);
        self.partials.push(high);
    }

    /// The number nearest to the sum; of two equally near ones the even one.
    pub fn value(&self) -> f64 {
        let mut rest = self.partials.iter().rev().copied();
        let mut high = rest.next().unwrap_or(0.0);
        while let Some(partial) = rest.next() {
            let sum = high + partial;
            let low = partial - (sum - high);
            high = sum;
            if low == 0.0 {
                continue;
            }
            // Half way between two numbers it went to the even one; what is left says which of
            // them is nearer.
            let next = rest.next().unwrap_or(0.0);
            if (low < 0.0 && next < 0.0) || (low > 0.0 && next > 0.0) {
                let twice = low * 2.0;
                let other = high + twice;
                if other - high == twice {
                    high = other;
                }
            }
            break;
        }
        high
    }
}

impl Extend<f64> for ExactSum {
    fn extend<I: IntoIterator<Item = f64>>(&mut self, numbers: I) {
        for number in numbers {
            self.add(number);
        }
    }
}

impl FromIterator<f64> for ExactSum {
    fn from_iter<I: IntoIterator<Item = f64>>(numbers: I) -> Self {
        let mut sum = Self::new();
        sum.extend(numbers);
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(numbers: &[f64]) -> f64 {
        numbers.iter().copied().collect::<ExactSum>().value()
    }

    /// Values of `math.fsum`.
    #[test]
    fn nothing_is_lost() {
        assert_eq!(sum(&[]), 0.0);
        assert_eq!(sum(&[0.1; 10]), 1.0);
        assert_eq!(sum(&[1e100, 1.0, -1e100]), 1.0);
        assert_eq!(sum(&[1.0, 1e-16, 1e-16]), 1.000_000_000_000_000_2);
        // Exactly between two numbers, and a little above that, a little below.
        assert_eq!(
            sum(&[9_007_199_254_740_992.0, 1.0]),
            9_007_199_254_740_992.0
        );
        assert_eq!(
            sum(&[9_007_199_254_740_992.0, 1.0, 1e-30]),
            9_007_199_254_740_994.0
        );
        assert_eq!(
            sum(&[9_007_199_254_740_994.0, 1.0, -1e-30]),
            9_007_199_254_740_994.0
        );
    }
}
