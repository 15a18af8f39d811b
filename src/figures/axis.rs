//! Which numbers stand along an axis.

/// An axis: what it spans, and where it is marked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    pub low: f64,
    pub high: f64,
    pub marks: Vec<Mark>,
}

/// A number on an axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mark {
    pub value: f64,
    pub text: String,
}

impl Axis {
    /// An axis over values with at most about `most` marks, from mark to mark.
    pub(super) fn over(values: impl Iterator<Item = f64>, most: usize) -> Self {
        let (low, high) = span(values);
        let step = step(high - low, most);
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        Self::marked(low, high, step, (low, high))
    }

    /// The same just over the values and a little more. Where all of them are whole numbers, such
    /// as epochs, so are the marks.
    pub(super) fn close_to(values: impl Iterator<Item = f64> + Clone, most: usize) -> Self {
        let whole = values.clone().all(|value| value.fract() == 0.0);
        let first = values.clone().next();
        let (low, high) = span(values.clone());
        let mut step = step(high - low, most);
        if whole {
            step = step.max(1.0);
        }
        // Of a single value it is the only mark.
        let all_same = values.clone().all(|value| Some(value) == first);
        let marked = match first {
            Some(value) if all_same => (value, value),
            _ => (low, high),
        };
        let space = (high - low) * 0.025;
        Self::marked(low - space, high + space, step, marked)
    }

    /// Where a value is, from 0 to 1.
    pub(super) fn place(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    fn marked(low: f64, high: f64, step: f64, (first, last): (f64, f64)) -> Self {
        let from = (first / step - 1e-6).ceil();
        let count = ((last / step + 1e-6).floor() - from).clamp(-1.0, 50.0);
        let mut values: Vec<f64> = (0..=count as i64)
            .filter(|_| count >= 0.0)
            .map(|i| (from + i as f64) * step)
            .collect();
        if values.is_empty() {
            values.push(first);
        }
        let largest = values.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
        let mark = |value: f64| Mark {
            value,
            // Not -0.
            text: written(value + 0.0, step, largest),
        };
        let marks = values.into_iter().map(mark).collect();
        Self { low, high, marks }
    }
}

/// The least and the largest value, apart from each other.
fn span(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let empty = (f64::INFINITY, f64::NEG_INFINITY);
    let (low, high) = values.fold(empty, |(l, h), value| (l.min(value), h.max(value)));
    if low > high {
        return (0.0, 1.0);
    }
    let size = low.abs().max(high.abs());
    if high - low > size * 1e-9 {
        return (low, high);
    }
    let room = if size > 0.0 { size * 0.1 } else { 1.0 };
    (low - room, high + room)
}

/// 1, 2 or 5 times a power of ten.
fn step(span: f64, most: usize) -> f64 {
    let least = span / most.max(1) as f64;
    let power = 10f64.powf(least.log10().floor());
    let factors = [1.0, 2.0, 5.0];
    let enough = factors
        .into_iter()
        .find(|f| f * power >= least * (1.0 - 1e-9));
    enough.unwrap_or(10.0) * power
}

/// A number with the digits that tell it from the marks beside it.
fn written(value: f64, step: f64, largest: f64) -> String {
    let decimals = -step.log10().floor();
    if largest < 1e6 && decimals <= 5.0 {
        return format!("{value:.*}", decimals.max(0.0) as usize);
    }
    if value == 0.0 {
        return "0".into();
    }
    let digits = value.abs().log10().floor() + decimals;
    format!("{value:.*e}", digits.clamp(0.0, 12.0) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: &Axis) -> Vec<&str> {
        axis.marks.iter().map(|mark| mark.text.as_str()).collect()
    }

    #[test]
    fn marks_are_round_numbers() {
        let axis = Axis::over([0.13, 0.97].into_iter(), 6);
        assert_eq!(texts(&axis), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        let axis = Axis::over([2.31, 0.052].into_iter(), 6);
        assert_eq!(texts(&axis), ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5"]);
        let axis = Axis::over([-3e-7, 9e-7].into_iter(), 6);
        assert_eq!(axis.marks[0].text, "-4e-7");
        assert_eq!(axis.marks[2].text, "0");
        let axis = Axis::over([0.0, 2e9].into_iter(), 4);
        assert_eq!(texts(&axis), ["0", "5e8", "1.0e9", "1.5e9", "2.0e9"]);
    }

    #[test]
    fn epochs_are_whole() {
        let epochs = |n: i32| Axis::close_to((1..=n).map(f64::from), 8);
        assert_eq!(texts(&epochs(1)), ["1"]);
        assert_eq!(texts(&epochs(2)), ["1", "2"]);
        assert_eq!(texts(&epochs(5)), ["1", "2", "3", "4", "5"]);
        assert_eq!(texts(&epochs(100)), ["20", "40", "60", "80", "100"]);
        let single = Axis::close_to([4.5].into_iter(), 8);
        assert_eq!(single.marks.len(), 1);
    }

    #[test]
    fn values_are_inside() {
        for values in [
            vec![],
            vec![0.0],
            vec![7.0, 7.0],
            vec![1e300, -1e300],
            vec![1e-300, 2e-300],
            vec![1e16, 1e16 + 2.0],
            vec![-5.0, -4.0],
        ] {
            for axis in [
                Axis::over(values.iter().copied(), 6),
                Axis::close_to(values.iter().copied(), 6),
            ] {
                let inside = |&value: &f64| (-1e-6..=1.0 + 1e-6).contains(&axis.place(value));
                assert!(values.iter().all(inside), "{values:?}: {axis:?}");
                assert!((1..=20).contains(&axis.marks.len()), "{axis:?}");
                let marks = axis.marks.iter().map(|mark| mark.value);
                assert!(marks.clone().all(|value| inside(&value)), "{axis:?}");
            }
        }
    }
}
