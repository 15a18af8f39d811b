//! The numbers or texts of a tensor in JSON: flat, or nested as its shape is.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};

/// What a tensor has, row after row. Numbers take four bytes each, whatever they are written like.
#[derive(Debug, Default, PartialEq)]
pub struct Flat {
    pub numbers: Vec<f32>,
    pub texts: Vec<String>,
}

impl<'de> Deserialize<'de> for Flat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut flat = Self::default();
        Into(&mut flat).deserialize(deserializer)?;
        Ok(flat)
    }
}

/// Adds a value, or all in a list.
struct Into<'a>(&'a mut Flat);

impl<'de> DeserializeSeed<'de> for Into<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Into<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("numbers, texts, or lists of them")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Into(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.0.numbers.push(number as f32);
        Ok(())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.0.numbers.push(number as f32);
        Ok(())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.0.numbers.push(number as f32);
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.0.texts.push(text.to_owned());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_lists_are_flat() {
        let read = |json: &str| serde_json::from_str::<Flat>(json).ok();
        let numbers = |numbers: &[f32]| {
            Some(Flat {
                numbers: numbers.to_vec(),
                texts: Vec::new(),
            })
        };
        assert_eq!(
            read("[[1, -2], [[0.5], 3e2]]"),
            numbers(&[1.0, -2.0, 0.5, 300.0])
        );
        assert_eq!(read("[]"), numbers(&[]));
        assert_eq!(
            read("[\"a\", [\"b\"]]").map(|flat| flat.texts),
            Some(vec!["a".into(), "b".into()])
        );
        for wrong in ["[true]", "[null]", "{\"a\": 1}", "[1"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        // Deep ones are an error, not an overflow.
        assert_eq!(read(&"[".repeat(100_000)), None);
    }
}
