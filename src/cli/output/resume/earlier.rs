//! The rows that an earlier run left: whose they are, and what is to be done again.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use serde_json::Value;

/// Bytes of the file.
pub type Place = Range<u64>;

/// What an earlier run wrote.
#[derive(Debug, Default)]
pub struct Earlier {
    pub names: Names,
    pub facts: Facts,
    pub answered: u64,
    pub failed: u64,
    /// Length of the part of the file that is whole lines. What is behind it was on its way.
    pub whole_bytes: u64,
    /// The last line is whole but for its end.
    pub lacks_line_end: bool,
    /// Lines of pictures that may lack some.
    pub unsure: Vec<Place>,
}

/// What rows tell of the options of the run that wrote them.
#[derive(Debug, Default)]
pub struct Facts {
    /// The most predictions of a picture.
    pub most_predictions: usize,
    /// A class by its index and name.
    pub class: Option<(i32, String)>,
    /// What answered, as the first row says it.
    pub model: Option<Value>,
    /// An embedding's number of values and its norm.
    pub embedding: Option<(usize, f64)>,
}

/// What an earlier run made of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    Never,
    Answered,
    Failed(Place),
    /// It has lines, and may lack some.
    Unsure(Place),
}

/// The pictures that have rows.
#[derive(Debug, Default)]
pub struct Names {
    /// How many rows each has.
    rows: HashMap<Vec<u8>, Count>,
    /// Those that are no whole answers, by which of the rows of their name they are.
    others: HashMap<Vec<u8>, VecDeque<(u32, Seen)>>,
}

#[derive(Debug, Default)]
struct Count {
    all: u32,
    taken: u32,
}

impl Earlier {
    /// Adds a picture's row.
    pub fn add(&mut self, name: Vec<u8>, seen: Seen) {
        match &seen {
            Seen::Never => return,
            Seen::Answered => self.answered += 1,
            Seen::Failed(_) => self.failed += 1,
            Seen::Unsure(place) => self.unsure.push(place.clone()),
        }
        self.names.add(name, seen);
    }

    /// Whether there are rows.
    pub fn is_empty(&self) -> bool {
        self.names.rows.is_empty()
    }
}

impl Names {
    fn add(&mut self, name: Vec<u8>, seen: Seen) {
        if seen != Seen::Answered {
            let number = self.rows.get(&name).map_or(0, |count| count.all);
            let others = self.others.entry(name.clone()).or_default();
            others.push_back((number, seen));
        }
        self.rows.entry(name).or_default().all += 1;
    }

    /// Takes the next row of this name away, if there is one left: a picture that is named twice
    /// is answered twice.
    pub fn take(&mut self, name: &[u8]) -> Seen {
        let left = |count: &&mut Count| count.taken < count.all;
        let Some(count) = self.rows.get_mut(name).filter(left) else {
            return Seen::Never;
        };
        let number = count.taken;
        count.taken += 1;
        let others = self.others.get_mut(name);
        let is_next = others.as_ref().and_then(|others| others.front());
        if is_next.is_some_and(|(next, _)| *next == number) {
            let next = others.and_then(VecDeque::pop_front);
            return next.map_or(Seen::Answered, |(_, seen)| seen);
        }
        Seen::Answered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_of_a_name_is_taken_once_and_in_their_order() {
        let mut earlier = Earlier::default();
        let rows = [
            ("a", Seen::Answered),
            ("b", Seen::Failed(3..9)),
            ("a", Seen::Failed(9..12)),
            ("a", Seen::Unsure(12..15)),
        ];
        for (name, seen) in rows.clone() {
            earlier.add(name.into(), seen);
        }
        assert_eq!((earlier.answered, earlier.failed), (1, 2));
        for name in ["a", "b"] {
            for (_, seen) in rows.iter().filter(|(of, _)| *of == name) {
                assert_eq!(earlier.names.take(name.as_bytes()), *seen);
            }
            assert_eq!(earlier.names.take(name.as_bytes()), Seen::Never);
        }
    }
}
