//! What a checkpoint's classes were learned from, so that they can be told, and learned again with others.

use serde::{Deserialize, Serialize};

use super::{Example, LearnOptions, Learned};
use crate::error::{Error, Result};

/// How the classes of a checkpoint were learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lesson {
    /// Pictures of each class, in the order of the classes.
    pub pictures: Vec<usize>,
    /// Which share of each class was told right when it was held out; none where nothing could be.
    pub recalls: Vec<Option<f64>>,
    /// Embeddings of a picture: 2 with its mirror image.
    pub views: usize,
    /// Parts of cross-validation that were asked for.
    pub folds: usize,
    /// What decided which picture was in which part.
    pub seed: u64,
    /// The share of the pictures that was to be rejected.
    pub reject: f64,
    /// Whether every class counted as much as any other.
    pub balance: bool,
    /// What the squared weights cost.
    pub regularisation: f64,
    /// How pictures were told that were held out.
    pub held_out: Option<HeldOutLesson>,
    /// What the network was computed in for the embeddings.
    pub dtype: String,
    /// The version of this crate that learned.
    pub version: String,
    /// Whether the embeddings of all pictures are in the checkpoint.
    pub has_examples: bool,
}

/// Figures of pictures that were held out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldOutLesson {
    /// How many.
    pub pictures: usize,
    /// The share that was told right.
    pub accuracy: f64,
    /// Mean cross entropy, in nats.
    pub log_loss: f64,
    /// The share under the threshold; none without one.
    pub rejected: Option<f64>,
}

impl Lesson {
    /// Of what was learned from examples, each with so many views, in a type of numbers.
    pub fn new(learned: &Learned, options: &LearnOptions, views: usize, dtype: &str) -> Self {
        let report = &learned.report;
        let recall = |class: &super::ClassReport| {
            (class.held_out > 0).then(|| class.correct as f64 / class.held_out as f64)
        };
        let held_out = report.held_out.as_ref();
        Self {
            pictures: report.classes.iter().map(|class| class.examples).collect(),
            recalls: report.classes.iter().map(recall).collect(),
            views,
            folds: options.folds,
            seed: options.seed,
            reject: options.reject,
            balance: options.balance,
            regularisation: report.regularisation,
            held_out: held_out.map(|held_out| HeldOutLesson {
                pictures: held_out.examples,
                accuracy: held_out.accuracy,
                log_loss: held_out.log_loss,
                rejected: held_out.rejected,
            }),
            dtype: dtype.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            has_examples: false,
        }
    }

    /// How many pictures there were.
    pub fn count(&self) -> usize {
        self.pictures.iter().sum()
    }

    /// Refuses what does not fit a network of so many classes.
    pub(crate) fn validate(&self, classes: Option<usize>) -> Result<(), String> {
        let known = self.pictures.len();
        if Some(known) != classes || self.recalls.len() != known {
            return Err(format!(
                "it was learned from {known} classes, and has others"
            ));
        }
        // A tensor of them has to fit into memory, and into a file.
        if !(1..=1 << 10).contains(&self.views) || self.pictures.iter().any(|&n| n > 1 << 40) {
            return Err(
                "what it says of the pictures that it was learned from makes no sense".into(),
            );
        }
        Ok(())
    }

    /// The embeddings `[pictures, views, len]` as examples, which are class by class.
    pub(crate) fn examples(&self, values: &[f32], len: usize) -> Vec<Example> {
        let classes = self.pictures.iter().enumerate();
        let classes = classes.flat_map(|(class, &count)| std::iter::repeat_n(class, count));
        let pictures = values.chunks_exact((self.views * len).max(1));
        let example = |(class, views): (usize, &[f32])| Example {
            class,
            views: views.chunks_exact(len).map(<[f32]>::to_vec).collect(),
        };
        classes.zip(pictures).map(example).collect()
    }

    /// The same the other way round.
    ///
    /// # Errors
    /// Examples that are not class by class, or not those that it is of.
    pub(crate) fn values(&self, examples: &[Example]) -> Result<Vec<f32>> {
        let mut counts = vec![0; self.pictures.len()];
        for example in examples {
            if let Some(count) = counts.get_mut(example.class) {
                *count += 1;
            }
        }
        let in_order = examples.is_sorted_by_key(|example| example.class);
        let all_views = examples.iter().all(|it| it.views.len() == self.views);
        if counts != self.pictures || !in_order || !all_views {
            return Err(Error::input("examples that are not those of the lesson"));
        }
        let views = examples.iter().flat_map(|example| &example.views);
        Ok(views.flatten().copied().collect())
    }

    /// The same for classes in another order: `order` has the number that a class has now, in the place that it gets.
    pub(crate) fn reordered(&self, order: &[usize]) -> Self {
        Self {
            pictures: order.iter().map(|&class| self.pictures[class]).collect(),
            recalls: order.iter().map(|&class| self.recalls[class]).collect(),
            ..self.clone()
        }
    }
}
