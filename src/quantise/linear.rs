//! Symmetric positive definite matrices, in f64.

/// Sums that are taken side by side, so that they may go through a vector register; always in the
/// same order.
const LANES: usize = 8;

/// The Cholesky factor of a matrix of `n` rows: `L` of `L L^T`, row by row, each as long as it has
/// numbers.
#[derive(Debug)]
pub(super) struct Cholesky {
    rows: Vec<Vec<f64>>,
}

impl Cholesky {
    /// Factorises; `at(row, column)` gives the lower half of the matrix. `None` where it is not
    /// positive definite.
    pub fn new(n: usize, at: impl Fn(usize, usize) -> f64) -> Option<Self> {
        let mut rows: Vec<Vec<f64>> = Vec::with_capacity(n);
        for i in 0..n {
            let mut row = Vec::with_capacity(i + 1);
            for (j, other) in rows.iter().enumerate() {
                let sum = at(i, j) - dot(&row, &other[..j]);
                row.push(sum / other[j]);
            }
            let square = at(i, i) - dot(&row, &row);
            // What is no number is not above 0 either.
            if !(square > 0.0 && square.is_finite()) {
                return None;
            }
            row.push(square.sqrt());
            rows.push(row);
        }
        Some(Self { rows })
    }

    /// Row after row of the factor.
    pub fn rows(&self) -> &[Vec<f64>] {
        &self.rows
    }

    /// The solution `x` of `A x = b`, in place of `b`.
    pub fn solve(&self, b: &mut [f64]) {
        for (i, row) in self.rows.iter().enumerate() {
            b[i] = (b[i] - dot(&row[..i], &b[..i])) / row[i];
        }
        for (i, row) in self.rows.iter().enumerate().rev() {
            let (before, rest) = b.split_at_mut(i);
            rest[0] /= row[i];
            for (b, l) in before.iter_mut().zip(row) {
                *b -= l * rest[0];
            }
        }
    }
}

/// The sum of products.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_solution_is_one() {
        for n in [1, 2, 7, 8, 9, 33] {
            // A sum of squares, plus something that keeps it away from 0.
            let value = |i: usize, j: usize| ((i * 31 + j * 17) % 23) as f64 - 11.0;
            let at = |i: usize, j: usize| {
                let sum: f64 = (0..n).map(|k| value(i, k) * value(j, k)).sum();
                sum + if i == j { 5.0 } else { 0.0 }
            };
            let factor = Cholesky::new(n, at).expect("positive definite");
            let expected: Vec<f64> = (0..n).map(|i| i as f64 - 2.5).collect();
            let mut b: Vec<f64> = (0..n)
                .map(|i| (0..n).map(|j| at(i.max(j), i.min(j)) * expected[j]).sum())
                .collect();
            factor.solve(&mut b);
            for (found, expected) in b.iter().zip(&expected) {
                assert!((found - expected).abs() < 1e-6, "{n}: {found} {expected}");
            }
        }
    }

    #[test]
    fn what_is_not_positive_definite_has_no_factor() {
        assert!(Cholesky::new(2, |_, _| 1.0).is_none());
        assert!(Cholesky::new(1, |_, _| f64::NAN).is_none());
        assert!(Cholesky::new(2, |i, j| if i == j { -1.0 } else { 0.0 }).is_none());
    }
}
