//! What stands behind the question mark of an address.

use std::str::FromStr;

use axum::extract::Query;
use axum::http::Uri;

use super::fault::Fault;

/// The parameters of a request that are not looked at yet. One that nobody looks at is refused, for a
/// wish that is passed over is a wrong answer.
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Those of an address.
    ///
    /// # Errors
    /// An address that can't be read.
    pub fn of(uri: &Uri) -> Result<Self, Fault> {
        let parsed = Query::<Vec<(String, String)>>::try_from_uri(uri);
        let Query(pairs) = parsed.map_err(|error| Fault::request(error.to_string()))?;
        Ok(Self(pairs))
    }

    /// All values of a parameter.
    pub fn all(&mut self, name: &str) -> Vec<String> {
        let mut values = Vec::new();
        self.0.retain(|(key, value)| {
            let is_it = key == name;
            if is_it {
                values.push(value.clone());
            }
            !is_it
        });
        values
    }

    /// The value of a parameter.
    ///
    /// # Errors
    /// It is there twice.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, Fault> {
        let mut values = self.all(name);
        match values.len() {
            0 | 1 => Ok(values.pop()),
            _ => Err(Fault::request(format!("{name} is given twice"))),
        }
    }

    /// The value of a parameter as what it should be.
    ///
    /// # Errors
    /// It is there twice, or something else.
    pub fn value<T: FromStr>(&mut self, name: &str, expected: &str) -> Result<Option<T>, Fault> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let wrong = |_| Fault::request(format!("{name}={text:?}: expected {expected}"));
        text.parse().map(Some).map_err(wrong)
    }

    /// A probability.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn probability(&mut self, name: &str) -> Result<Option<f32>, Fault> {
        let expected = "a number from 0 to 1";
        let value: Option<f32> = self.value(name, expected)?;
        match value {
            Some(p) if !(0.0..=1.0).contains(&p) => {
                Err(Fault::request(format!("{name}={p}: expected {expected}")))
            }
            other => Ok(other),
        }
    }

    /// A wish: `true`, `1` or nothing but the name.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn wish(&mut self, name: &str) -> Result<bool, Fault> {
        match self.text(name)?.as_deref() {
            None | Some("false" | "0") => Ok(false),
            Some("" | "true" | "1") => Ok(true),
            Some(other) => Err(Fault::request(format!(
                "{name}={other:?}: expected true or false"
            ))),
        }
    }

    /// Refuses what is left.
    ///
    /// # Errors
    /// A parameter that nobody looked at.
    pub fn finish(self) -> Result<(), Fault> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(Fault::request(format!(
                "there is no parameter {name:?} here"
            ))),
        }
    }
}
