//! A map as large as a picture.

use super::ClassMap;
use crate::pixels::Region;

/// Four values of a line, and how much of each.
type Taps = [(usize, f64); 4];

impl ClassMap {
    /// The map spread smoothly over the region of a picture that the network saw, at each of
    /// `size` (width, height) pixels that the picture is drawn with, row after row; `None` outside
    /// of the region. `region` is in pixels of the drawing.
    ///
    /// By the cubic convolution of Keys (1981) with a = -0.5, which leaves the value in the middle
    /// of its square as it is. Beyond the map its outermost values go on.
    pub fn spread(&self, region: Region, (width, height): (usize, usize)) -> Vec<Option<f32>> {
        let columns: Vec<Option<Taps>> = (0..width)
            .map(|x| taps(x, region.left, region.width, self.columns))
            .collect();
        let mut values = Vec::with_capacity(width * height);
        for y in 0..height {
            let Some(rows) = taps(y, region.top, region.height, self.rows) else {
                values.extend(std::iter::repeat_n(None, width));
                continue;
            };
            let mut line = vec![0.0; self.columns];
            for (row, weight) in rows {
                for (sum, &value) in line.iter_mut().zip(self.row(row)) {
                    *sum += weight * f64::from(value);
                }
            }
            let sum = |taps: &Taps| taps.iter().map(|&(i, weight)| weight * line[i]).sum();
            values.extend(columns.iter().map(|taps| {
                let sum: f64 = taps.as_ref().map(sum)?;
                Some(sum as f32)
            }));
        }
        values
    }
}

/// What the middle of a pixel takes from a line of values that covers a part of a picture; `None`
/// outside of it.
fn taps(pixel: usize, start: f64, length: f64, values: usize) -> Option<Taps> {
    const A: f64 = -0.5;
    let share = (pixel as f64 + 0.5 - start) / length;
    if !(0.0..1.0).contains(&share) || values == 0 {
        return None;
    }
    let at = share * values as f64 - 0.5;
    let (whole, t) = (at.floor(), at - at.floor());
    let near = |x: f64| ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
    let far = |x: f64| (((x - 5.0) * x + 8.0) * x - 4.0) * A;
    let weights = [far(1.0 + t), near(t), near(1.0 - t), far(2.0 - t)];
    let last = (values - 1) as f64;
    let place = |i: usize| (whole - 1.0 + i as f64).clamp(0.0, last) as usize;
    Some(std::array::from_fn(|i| (place(i), weights[i])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(rows: usize, columns: usize, values: &[f32]) -> ClassMap {
        ClassMap {
            rows,
            columns,
            values: values.to_vec(),
            bias: 0.0,
            logit: 0.0,
            score: 0.0,
        }
    }

    #[test]
    fn the_middle_of_a_square_has_its_value_and_the_outside_none() {
        let map = map(2, 3, &[1.0, -2.0, 3.0, 4.0, 5.0, -6.0]);
        let region = Region {
            left: 2.0,
            top: 1.0,
            width: 15.0,
            height: 6.0,
        };
        let spread = map.spread(region, (19, 8));
        let at = |x: usize, y: usize| spread[y * 19 + x];
        for row in 0..2 {
            for column in 0..3 {
                let value = at(2 + 5 * column + 2, 1 + 3 * row + 1);
                let want = map.row(row)[column];
                assert!((value.expect("inside") - want).abs() < 1e-5);
            }
        }
        let inside = spread.iter().filter(|value| value.is_some()).count();
        assert_eq!(inside, 15 * 6);
        assert_eq!(
            (at(1, 3), at(17, 3), at(5, 0), at(5, 7)),
            (None, None, None, None)
        );
        assert!(at(2, 1).is_some() && at(16, 6).is_some());
    }

    #[test]
    fn what_is_the_same_everywhere_stays_so() {
        let region = Region {
            left: -3.25,
            top: 0.5,
            width: 20.0,
            height: 7.3,
        };
        let spread = map(1, 1, &[2.5]).spread(region, (11, 11));
        let values: Vec<f32> = spread.into_iter().flatten().collect();
        assert!(!values.is_empty() && values.iter().all(|v| (v - 2.5).abs() < 1e-6));
    }
}
