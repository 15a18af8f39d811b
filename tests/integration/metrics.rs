//! Metrics, against scikit-learn's on the same scores (`tests/data/eval/make_metrics.py`).

use mobilenet::metrics::{Average, ClassMetrics, Evaluation, ExactSum};
use mobilenet::top_outputs;
use proptest::prelude::*;
use serde_json::Value;

use crate::support::{data, tensors};

const CASES: [&str; 6] = ["small", "two", "gaps", "many", "sure", "one"];

/// Scores with the true classes.
type Pictures = Vec<(Vec<f32>, usize)>;

fn pictures(case: &str) -> Pictures {
    let (scores, truth) = scored(case);
    let truth = truth.into_iter().map(|class| class as usize);
    scores.into_iter().zip(truth).collect()
}

fn scored(case: &str) -> (Vec<Vec<f32>>, Vec<i64>) {
    let tensors = tensors(data("eval/metrics.scores.safetensors"));
    let scores = &tensors[&format!("{case}.scores")];
    let truth = &tensors[&format!("{case}.truth")];
    (
        scores.to_vec2().expect("f32"),
        truth.to_vec1().expect("i64"),
    )
}

fn evaluate(pictures: &[(Vec<f32>, usize)]) -> Evaluation {
    let mut evaluation = Evaluation::new(pictures[0].0.len());
    for (scores, truth) in pictures {
        let added = evaluation.add(scores, Some(*truth), false);
        added.expect("scores of its classes");
    }
    evaluation
}

fn golden(case: &str) -> Value {
    let text = std::fs::read_to_string(data("eval/metrics.json")).expect("a fixture");
    let all: Value = serde_json::from_str(&text).expect("JSON");
    all[case].clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    let values = value.as_array().expect("a list").iter();
    values.map(|v| v.as_f64().expect("a number")).collect()
}

fn list(average: Average) -> Vec<f64> {
    vec![average.precision, average.recall, average.f1]
}

/// Numbers between which there are at most `steps` others.
#[track_caller]
fn near(found: f64, expected: f64, steps: u64) {
    let distance = found.to_bits().abs_diff(expected.to_bits());
    assert!(distance <= steps, "{found:?}, not {expected:?}: {distance}");
}

/// Everything that is made of counts, to the last bit.
#[test]
fn counts_and_their_ratios_are_scikit_learns() {
    for case in CASES {
        let (evaluation, golden) = (evaluate(&pictures(case)), golden(case));
        let matrix = evaluation.predictions();
        assert_eq!(matrix.accuracy(), golden["accuracy"].as_f64(), "{case}");
        assert_eq!(
            evaluation.top_k_accuracy(),
            golden["top_k_accuracy"].as_f64(),
            "{case}"
        );
        let classes = matrix.classes();
        let values =
            |value: fn(&ClassMetrics) -> f64| -> Vec<f64> { classes.iter().map(value).collect() };
        assert_eq!(values(|c| c.support as f64), numbers(&golden["support"]));
        assert_eq!(values(|c| c.precision), numbers(&golden["precision"]));
        assert_eq!(values(|c| c.recall), numbers(&golden["recall"]));
        assert_eq!(values(|c| c.f1), numbers(&golden["f1"]));
        if let Some(rows) = golden["confusion"].as_array() {
            for (truth, row) in rows.iter().enumerate() {
                let found = matrix.row(truth).into_iter().map(|n| n as f64);
                assert_eq!(found.collect::<Vec<_>>(), numbers(row), "{case}");
            }
        }
        let confused = matrix.most_confused(usize::MAX).into_iter();
        let mistakes: u64 = confused.map(|pair| pair.count).sum();
        assert_eq!(Some(mistakes), golden["confused"].as_u64());
    }
}

/// Means: to the last bit those of exact sums, and a step or two from scikit-learn's, where
/// numpy rounds sums on the way.
#[test]
fn means_are_scikit_learns() {
    for case in CASES {
        let (evaluation, golden) = (evaluate(&pictures(case)), golden(case));
        let matrix = evaluation.predictions();
        let means = [
            ("macro", matrix.macro_average()),
            ("weighted", matrix.weighted_average()),
        ];
        for (name, average) in means {
            let found = list(average.expect("pictures"));
            assert_eq!(found, numbers(&golden[format!("{name}_exact")]), "{case}");
            for (found, expected) in found.iter().zip(numbers(&golden[name])) {
                near(*found, expected, 2);
            }
        }
        let loss = evaluation.log_loss().mean().expect("pictures");
        // Logarithms may be a step apart from one system to the next.
        near(loss, golden["log_loss_exact"].as_f64().expect("f64"), 1);
        near(loss, golden["log_loss"].as_f64().expect("f64"), 2);
    }
}

#[test]
fn the_calibration_error_is_that_of_its_definition() {
    for case in CASES {
        let evaluation = evaluate(&pictures(case));
        let expected = golden(case)["calibration_error"].as_f64().expect("f64");
        let error = evaluation.calibration().error().expect("pictures");
        near(error, expected, 16);
        let bins = evaluation.calibration().bins();
        let pictures: u64 = bins.iter().map(|bin| bin.pictures).sum();
        assert_eq!(pictures, evaluation.predictions().pictures());
    }
}

/// Answers with `unknown` among them, and pictures of other things.
#[test]
fn unknown_is_an_answer_as_scikit_learn_counts_it() {
    for case in ["some", "none", "only"] {
        let golden = golden("unknown")[case].clone();
        let threshold = golden["threshold"].as_f64().expect("f64") as f32;
        let (scores, truth) = scored(&format!("unknown.{case}"));
        let mut evaluation = Evaluation::new(8);
        for (scores, truth) in scores.iter().zip(truth) {
            let rejected = scores.iter().all(|score| *score < threshold);
            let truth = usize::try_from(truth).ok();
            evaluation.add(scores, truth, rejected).expect("scores");
        }
        let answers = evaluation.answers();
        assert_eq!(answers.accuracy(), golden["accuracy"].as_f64(), "{case}");
        let in_top_k = evaluation.answered_top_k_accuracy();
        assert_eq!(in_top_k, golden["top_k_accuracy"].as_f64(), "{case}");
        let classes = answers.classes();
        let values: [fn(&ClassMetrics) -> f64; 3] = [|c| c.precision, |c| c.recall, |c| c.f1];
        for (value, expected) in values
            .iter()
            .zip(golden["per_class"].as_array().expect("rows"))
        {
            assert_eq!(
                classes.iter().map(value).collect::<Vec<_>>(),
                numbers(expected)
            );
        }
        for (name, average) in [
            ("macro", answers.macro_average_with(8)),
            ("weighted", answers.weighted_average()),
        ] {
            let found = list(average.expect("pictures"));
            for (found, expected) in found.iter().zip(numbers(&golden[name])) {
                near(*found, expected, 2);
            }
        }
    }
}

#[test]
fn nothing_is_known_of_no_pictures() {
    let mut evaluation = Evaluation::new(4);
    let nothing = |evaluation: &Evaluation| {
        let matrix = evaluation.predictions();
        assert_eq!(matrix.accuracy(), None);
        assert_eq!(matrix.macro_average(), None);
        assert_eq!(matrix.weighted_average(), None);
        assert_eq!(evaluation.top_k_accuracy(), None);
        assert_eq!(evaluation.log_loss().mean(), None);
        assert_eq!(evaluation.calibration().error(), None);
        assert_eq!(evaluation.rejections().share_of_members(), None);
        assert_eq!(evaluation.rejections().accuracy_of_accepted(), None);
    };
    nothing(&evaluation);
    assert_eq!(evaluation.rejections().share_of_others(), None);
    // A picture of none of the classes tells nothing of them.
    let added = evaluation.add(&[0.25; 4], None, true);
    added.expect("scores");
    nothing(&evaluation);
    assert_eq!(evaluation.rejections().share_of_others(), Some(1.0));
    assert_eq!(evaluation.answers().count(4, 4), 1);
}

/// What a rejection changes, and what it does not.
#[test]
fn rejection_counts_where_it_is_meant_to() {
    let mut evaluation = Evaluation::new(2);
    for (scores, truth, rejected) in [
        ([0.9, 0.1], Some(0), false),
        ([0.2, 0.8], Some(0), false),
        ([0.6, 0.4], Some(0), true),
        ([0.6, 0.4], Some(1), true),
        ([0.7, 0.3], None, false),
        ([0.5, 0.5], None, true),
        ([0.5, 0.5], None, true),
    ] {
        let added = evaluation.add(&scores, truth, rejected);
        added.expect("scores");
    }
    let rejections = evaluation.rejections();
    assert_eq!(rejections.share_of_members(), Some(0.5));
    assert_eq!(rejections.share_of_others(), Some(2.0 / 3.0));
    assert_eq!(rejections.accuracy_of_accepted(), Some(0.5));
    assert_eq!(evaluation.predictions().accuracy(), Some(0.5));
    assert_eq!(evaluation.predictions().row(0), [2, 1]);
    assert_eq!(evaluation.predictions().row(1), [1, 0]);
    assert_eq!(evaluation.answers().row(0), [1, 1, 1]);
    assert_eq!(evaluation.answers().row(1), [0, 0, 1]);
    assert_eq!(evaluation.answers().row(2), [1, 0, 2]);
}

/// A few classes, with ties and scores of 0 and 1 among them.
fn any_pictures() -> impl Strategy<Value = Pictures> {
    let score = prop_oneof![
        Just(0.0f32),
        Just(1.0),
        Just(0.25),
        0.0f32..=1.0,
        (0.0f32..1e-30)
    ];
    (1usize..8).prop_flat_map(move |classes| {
        let scores = prop::collection::vec(score.clone(), classes);
        prop::collection::vec((scores, 0..classes), 1..60)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// To the last bit, whatever the order.
    #[test]
    fn the_order_of_the_pictures_changes_nothing(
        (pictures, shuffled) in any_pictures()
            .prop_flat_map(|pictures| (Just(pictures.clone()), Just(pictures).prop_shuffle()))
    ) {
        let (a, b) = (evaluate(&pictures), evaluate(&shuffled));
        prop_assert_eq!(a.predictions(), b.predictions());
        prop_assert_eq!(a.predictions().macro_average(), b.predictions().macro_average());
        prop_assert_eq!(a.predictions().weighted_average(), b.predictions().weighted_average());
        prop_assert_eq!(a.top_k_accuracy(), b.top_k_accuracy());
        prop_assert_eq!(a.log_loss().mean(), b.log_loss().mean());
        prop_assert_eq!(a.calibration().error(), b.calibration().error());
        prop_assert_eq!(a.calibration().bins(), b.calibration().bins());
    }

    /// The answers of an evaluation are those of the program.
    #[test]
    fn answers_are_those_of_the_program(pictures in any_pictures()) {
        let evaluation = evaluate(&pictures);
        let among = |k: usize| {
            let right = pictures
                .iter()
                .filter(|(scores, truth)| top_outputs(scores, k, 0.0).contains(truth));
            right.count() as f64 / pictures.len() as f64
        };
        prop_assert_eq!(evaluation.predictions().accuracy(), Some(among(1)));
        prop_assert_eq!(evaluation.top_k_accuracy(), Some(among(evaluation.top_k())));
        // The weighted recall is the accuracy, but for its rounding.
        let weighted = evaluation.predictions().weighted_average();
        prop_assert!((weighted.map_or(2.0, |w| w.recall) - among(1)).abs() < 1e-14);
    }

    /// Against integers, whose sums are exact: multiples of 2^-60 up to 2^40.
    #[test]
    fn exact_sums_are_exact(
        terms in prop::collection::vec((-1i64 << 52..1i64 << 52, 0u32..40), 0..50)
    ) {
        let unit = 2f64.powi(-60);
        let sum: ExactSum = terms.iter().map(|&(n, e)| n as f64 * 2f64.powi(e as i32) * unit).collect();
        let exact: i128 = terms.iter().map(|&(n, e)| i128::from(n) << e).sum();
        // Integers are rounded to the nearest float, of equally near ones to the even one.
        prop_assert_eq!(sum.value(), exact as f64 * unit);
    }
}
