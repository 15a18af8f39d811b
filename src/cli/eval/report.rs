//! What is told of an evaluation.

use mobilenet::labels::Class;
use mobilenet::metrics::{Average, Bin, ClassMetrics, Evaluation};
use mobilenet::{Classifier, UNKNOWN};
use serde::Serialize;

use crate::cli::options::Provenance;

/// Pairs of classes that are told.
const CONFUSED: usize = 20;

/// All figures. Those of no pictures are null.
#[derive(Serialize)]
pub struct EvalReport<'a> {
    /// Pictures of the network's classes that were answered.
    pub pictures: u64,
    /// Pictures of anything else that were.
    pub others: u64,
    pub failed: u64,
    pub classes: usize,
    /// The share that `classify` answers rightly: with `unknown` where a picture is of anything else, and where the
    /// checkpoint rejects nothing, of the pictures of its classes. So is all down to `weighted_average`, and the classes.
    pub accuracy: Option<f64>,
    pub top_k: TopK,
    pub macro_average: Option<Average>,
    pub weighted_average: Option<Average>,
    pub log_loss: Option<f64>,
    pub calibration_error: Option<f64>,
    pub calibration: Vec<Bin>,
    /// Null where the checkpoint rejects nothing.
    pub rejection: Option<Rejection>,
    pub most_confused: Vec<Confused<'a>>,
    pub per_class: Vec<PerClass<'a>>,
    pub images_per_second: f64,
    pub model: Provenance,
}

#[derive(Serialize)]
pub struct TopK {
    pub k: usize,
    pub accuracy: Option<f64>,
}

/// How a checkpoint's threshold does.
#[derive(Serialize)]
pub struct Rejection {
    /// Of the pictures of the classes, if nothing were rejected.
    pub accuracy_without: Option<f64>,
    pub threshold: f32,
    /// The share of members that it was to reject.
    pub share: f32,
    pub members_rejected: Option<f64>,
    pub others_rejected: Option<f64>,
    pub accuracy_of_accepted: Option<f64>,
}

/// A class, as answers name it; `unknown` has no index.
#[derive(Serialize)]
pub struct Named<'a> {
    index: Option<i32>,
    wnid: Option<&'a str>,
    label: &'a str,
}

impl<'a> From<&'a Class> for Named<'a> {
    fn from(class: &'a Class) -> Self {
        Self {
            index: Some(class.index),
            wnid: class.wnid.as_deref(),
            label: &class.label,
        }
    }
}

impl<'a> Named<'a> {
    /// An answer by its number, behind those of the classes `unknown`.
    fn of(answer: usize, classes: &'a [Class]) -> Self {
        let unknown = Self {
            index: None,
            wnid: None,
            label: UNKNOWN,
        };
        classes.get(answer).map_or(unknown, Self::from)
    }
}

#[derive(Serialize)]
pub struct Confused<'a> {
    truth: Named<'a>,
    predicted: Named<'a>,
    pub count: u64,
    /// Pictures of the true class.
    pub support: u64,
    /// The outputs of both.
    #[serde(skip)]
    pub outputs: (usize, usize),
}

#[derive(Serialize)]
pub struct PerClass<'a> {
    #[serde(flatten)]
    pub class: Named<'a>,
    #[serde(flatten)]
    pub metrics: ClassMetrics,
}

impl<'a> EvalReport<'a> {
    pub fn new(
        evaluation: &Evaluation,
        classifier: &'a Classifier,
        failed: u64,
        images_per_second: f64,
        model: Provenance,
    ) -> Self {
        let rejections = evaluation.rejections();
        let classes = classifier.labels().classes();
        let (matrix, in_top_k) = match classifier.rejection() {
            Some(_) => (evaluation.answers(), evaluation.answered_top_k_accuracy()),
            None => (evaluation.predictions(), evaluation.top_k_accuracy()),
        };
        let metrics = matrix.classes();
        let confused = matrix.most_confused(CONFUSED).into_iter();
        let confused = confused.map(|pair| Confused {
            truth: Named::of(pair.truth, classes),
            predicted: Named::of(pair.predicted, classes),
            count: pair.count,
            support: metrics[pair.truth].support,
            outputs: (pair.truth, pair.predicted),
        });
        Self {
            pictures: rejections.members,
            others: rejections.others,
            failed,
            classes: classes.len(),
            accuracy: matrix.accuracy(),
            top_k: TopK {
                k: evaluation.top_k(),
                accuracy: in_top_k,
            },
            macro_average: matrix.macro_average_with(classes.len()),
            weighted_average: matrix.weighted_average(),
            log_loss: evaluation.log_loss().mean(),
            calibration_error: evaluation.calibration().error(),
            calibration: evaluation.calibration().bins(),
            rejection: classifier.rejection().map(|rejection| Rejection {
                accuracy_without: evaluation.predictions().accuracy(),
                threshold: rejection.threshold,
                share: rejection.share,
                members_rejected: rejections.share_of_members(),
                others_rejected: rejections.share_of_others(),
                accuracy_of_accepted: rejections.accuracy_of_accepted(),
            }),
            most_confused: confused.collect(),
            per_class: metrics
                .iter()
                .enumerate()
                .map(|(answer, &metrics)| PerClass {
                    class: Named::of(answer, classes),
                    metrics,
                })
                .collect(),
            images_per_second,
            model,
        }
    }
}

impl Named<'_> {
    /// The fields of a table.
    pub fn fields(&self) -> [String; 3] {
        [
            self.index
                .map_or_else(String::new, |index| index.to_string()),
            self.wnid.unwrap_or_default().to_owned(),
            self.label.to_owned(),
        ]
    }
}
