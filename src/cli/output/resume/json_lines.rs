//! Reads rows that an earlier run wrote as JSON Lines.

use std::io::BufRead;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mobilenet::similarity::norm;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::earlier::{Earlier, Facts, Seen};
use super::not_ours;

/// What every line of ours begins with.
const START: &[u8] = b"{\"path\":";

#[derive(Deserialize)]
struct JsonRow {
    path: Option<String>,
    path_base64: Option<String>,
    predictions: Option<Vec<JsonPrediction>>,
    embedding: Option<Vec<f32>>,
    error: Option<IgnoredAny>,
    model: Option<Value>,
}

#[derive(Deserialize)]
struct JsonPrediction {
    index: Option<i32>,
    label: String,
}

/// What a row holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    Predictions,
    Embedding,
}

/// Reads a file. A last line that is not whole does not count.
///
/// # Errors
/// A file that no run of ours wrote.
pub fn read(file: &mut impl BufRead, content: Content) -> Result<Earlier> {
    let mut earlier = Earlier::default();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = file.read_until(b'\n', &mut line)? as u64;
        if read == 0 {
            break;
        }
        let row: Result<JsonRow, _> = serde_json::from_slice(&line);
        let is_ended = line.last() == Some(&b'\n');
        if !is_ended && row.is_err() {
            let shared = line.len().min(START.len());
            ensure!(line[..shared] == START[..shared], not_ours(number));
            break;
        }
        earlier.lacks_line_end = !is_ended;
        let begin = earlier.whole_bytes;
        earlier.whole_bytes += read;
        let row = row.with_context(|| not_ours(number))?;
        ensure!(row.is_of(content), not_ours(number));
        let seen = match &row.error {
            // With the end that the line is given where it lacks one.
            Some(_) => Seen::Failed(begin..earlier.whole_bytes + u64::from(!is_ended)),
            None => Seen::Answered,
        };
        let name = row.name().with_context(|| not_ours(number))?;
        row.tell(&mut earlier.facts);
        earlier.add(name, seen);
    }
    Ok(earlier)
}

impl JsonRow {
    fn is_of(&self, content: Content) -> bool {
        match content {
            Content::Predictions => self.predictions.is_some(),
            Content::Embedding => self.embedding.is_some() || self.error.is_some(),
        }
    }

    /// The bytes of the picture's name.
    fn name(&self) -> Result<Vec<u8>> {
        match (&self.path, &self.path_base64) {
            (Some(path), _) => Ok(path.clone().into_bytes()),
            (None, Some(encoded)) => Ok(STANDARD.decode(encoded)?),
            (None, None) => bail!("a row without a path"),
        }
    }

    /// Adds what it tells of the run that wrote it.
    fn tell(self, facts: &mut Facts) {
        let predictions = self.predictions.unwrap_or_default();
        facts.most_predictions = facts.most_predictions.max(predictions.len());
        if facts.class.is_none() {
            let class = |p: JsonPrediction| Some((p.index?, p.label));
            facts.class = predictions.into_iter().find_map(class);
        }
        if let (None, Some(values)) = (facts.embedding, self.embedding) {
            facts.embedding = Some((values.len(), norm(&values)));
        }
        facts.model = facts.model.take().or(self.model);
    }
}
