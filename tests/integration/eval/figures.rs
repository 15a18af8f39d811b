//! Every figure, from the answers and the definitions.

use std::collections::HashMap;

use serde_json::Value;

use super::{LABELS, album, checkpoint, report, run, scores};
use crate::support::{Program, arg, shared};

#[track_caller]
fn near(found: &Value, expected: f64) {
    let found = found.as_f64().expect("a number");
    assert!((found - expected).abs() < 1e-12, "{found}, not {expected}");
}

/// Every figure again, from the scores of `classify` and the definitions, without a thought.
#[test]
fn the_figures_are_those_of_the_answers() {
    let program = Program::new();
    let threshold = 0.5;
    let weights = checkpoint(&program, Some(threshold));
    let all: Vec<_> = {
        let truths = album(&program, 140);
        let scores = scores(&program, &weights);
        assert_eq!(truths.len(), scores.len());
        truths.into_iter().zip(scores).collect()
    };
    let report = report(&program, &weights, &["album"]);

    let argmax = |scores: &[f32]| {
        let best = |best: usize, i: usize| if scores[i] > scores[best] { i } else { best };
        (0..7).fold(0, best)
    };
    let rejected = |scores: &[f32]| scores[argmax(scores)] < threshold;
    let members: Vec<(usize, &Vec<f32>)> = all
        .iter()
        .filter_map(|((_, class), scores)| Some(((*class)?, scores)))
        .collect();
    let others = all.iter().filter(|((_, class), _)| class.is_none());
    let others: Vec<bool> = others.map(|(_, scores)| rejected(scores)).collect();
    let n = members.len() as f64;
    assert_eq!((report["pictures"].as_u64(), n), (Some(120), 120.0));
    assert_eq!(report["others"], 20);

    let right: Vec<bool> = members.iter().map(|(c, s)| *c == argmax(s)).collect();
    let count = |yes: &[bool]| yes.iter().filter(|yes| **yes).count() as f64;
    near(&report["rejection"]["accuracy_without"], count(&right) / n);
    // What is answered, and what would be right; 7 is `unknown`.
    let answer = |scores: &[f32]| if rejected(scores) { 7 } else { argmax(scores) };
    let all: Vec<(usize, &Vec<f32>)> = all
        .iter()
        .map(|((_, class), scores)| (class.unwrap_or(7), scores))
        .collect();
    let told: Vec<bool> = all.iter().map(|(c, s)| *c == answer(s)).collect();
    near(&report["accuracy"], count(&told) / 140.0);
    let in_top = all.iter().map(|(class, scores)| match class {
        7 => rejected(scores),
        _ if rejected(scores) => false,
        class => {
            scores
                .iter()
                .filter(|&&score| score > scores[*class])
                .count()
                < 5
        }
    });
    near(
        &report["top_k"]["accuracy"],
        count(&in_top.collect::<Vec<_>>()) / 140.0,
    );
    assert_eq!(report["top_k"]["k"], 5);
    let loss = members.iter().map(|(c, s)| -f64::from(s[*c]).ln());
    near(&report["log_loss"], loss.sum::<f64>() / n);

    let mut gap = 0.0;
    for bin in 0..15 {
        let (low, high) = (f64::from(bin) / 15.0, f64::from(bin + 1) / 15.0);
        let mut inside = (0.0, 0.0, 0.0);
        for ((_, scores), right) in members.iter().zip(&right) {
            let top = f64::from(scores[argmax(scores)]);
            if top > low && top <= high {
                inside.0 += 1.0;
                inside.1 += top;
                inside.2 += f64::from(u8::from(*right));
            }
        }
        let (pictures, confidence, correct) = inside;
        if pictures > 0.0 {
            gap += pictures / n * (confidence / pictures - correct / pictures).abs();
        }
    }
    near(&report["calibration_error"], gap);

    let (mut averages, mut occurring) = ([[0.0; 3]; 2], 0.0);
    let mut predicted_classes = 0;
    let indexed = LABELS.iter().enumerate();
    let indexed = indexed.map(|(class, label)| (*label, Value::from(class)));
    let answers = indexed.chain([("unknown", Value::Null)]);
    for (class, (label, index)) in answers.enumerate() {
        let support = all.iter().filter(|(c, _)| *c == class).count() as f64;
        let predicted = all.iter().filter(|(_, s)| answer(s) == class).count() as f64;
        let both = all
            .iter()
            .filter(|(c, s)| *c == class && answer(s) == class);
        let both = both.count() as f64;
        let ratio = |part: f64, whole: f64| if whole == 0.0 { 0.0 } else { part / whole };
        let (precision, recall) = (ratio(both, predicted), ratio(both, support));
        let f1 = ratio(2.0 * precision * recall, precision + recall);
        let row = &report["per_class"][class];
        assert_eq!((&row["label"], &row["index"]), (&label.into(), &index));
        assert_eq!(row["support"].as_f64(), Some(support));
        assert_eq!(row["predicted"].as_f64(), Some(predicted));
        for (name, value, i) in [
            ("precision", precision, 0),
            ("recall", recall, 1),
            ("f1", f1, 2),
        ] {
            near(&row[name], value);
            averages[0][i] += value;
            averages[1][i] += value * support / 140.0;
        }
        occurring += f64::from(u8::from(support + predicted > 0.0));
        predicted_classes += u8::from(predicted > 0.0);
    }
    assert!(
        predicted_classes > 3,
        "{predicted_classes} are too few for a test"
    );
    for (i, name) in ["precision", "recall", "f1"].into_iter().enumerate() {
        near(&report["macro_average"][name], averages[0][i] / occurring);
        near(&report["weighted_average"][name], averages[1][i]);
    }

    let mut pairs: HashMap<(usize, usize), u64> = HashMap::new();
    for (class, scores) in &all {
        *pairs.entry((*class, answer(scores))).or_default() += 1;
    }
    pairs.retain(|(class, predicted), _| class != predicted);
    let mut pairs: Vec<_> = pairs
        .into_iter()
        .map(|(pair, n)| (u64::MAX - n, pair))
        .collect();
    pairs.sort_unstable();
    let told = report["most_confused"].as_array().expect("pairs");
    assert_eq!(told.len(), pairs.len().min(20));
    for (told, (rest, (class, predicted))) in told.iter().zip(pairs) {
        let label = |answer: usize| *LABELS.get(answer).unwrap_or(&"unknown");
        assert_eq!(told["truth"]["label"], label(class));
        assert_eq!(told["predicted"]["label"], label(predicted));
        assert_eq!(told["count"], u64::MAX - rest);
    }

    let rejection = &report["rejection"];
    let gone: Vec<bool> = members.iter().map(|(_, s)| rejected(s)).collect();
    near(&rejection["members_rejected"], count(&gone) / n);
    near(&rejection["others_rejected"], count(&others) / 20.0);
    let both = |list: &[bool]| list.contains(&true) && list.contains(&false);
    assert!(both(&gone) && both(&right), "{gone:?} {right:?}");
    let kept = gone.iter().zip(&right).filter(|(gone, _)| !**gone);
    let kept: Vec<bool> = kept.map(|(_, right)| *right).collect();
    near(
        &rejection["accuracy_of_accepted"],
        count(&kept) / kept.len() as f64,
    );
}

/// Row by row: what `classify` prints first, `unknown` among it.
#[test]
fn what_is_counted_is_what_classify_answers() {
    let program = Program::new();
    for threshold in [None, Some(0.5)] {
        let weights = checkpoint(&program, threshold);
        let truths = album(&program, 70);
        let report = report(&program, &weights, &["album", "--predictions", "p.csv"]);
        let paths: Vec<&str> = truths.iter().map(|(path, _)| path.as_str()).collect();
        let fixed = ["classify", "--jsonl", "--weights", arg(&weights)];
        let ran = program.run(&[&fixed[..], &paths].concat());
        let answers = ran.rows().into_iter();
        let answers: Vec<Value> = answers.map(|row| row["predictions"][0].clone()).collect();
        let (mut right, mut counted) = (0, 0);
        for ((_, class), answer) in truths.iter().zip(&answers) {
            let label = class.map_or("unknown", |class| LABELS[class]);
            // A checkpoint that can't say `unknown` is not blamed for it.
            if class.is_some() || threshold.is_some() {
                counted += 1;
                right += usize::from(answer["label"] == label);
            }
        }
        near(&report["accuracy"], right as f64 / counted as f64);
        let mut table = csv::Reader::from_path(program.path("p.csv")).expect("a table");
        let mut unknown = 0;
        for (row, ((path, _), answer)) in table.records().zip(truths.iter().zip(&answers)) {
            let row = row.expect("a row");
            assert_eq!(
                (&row[0], &row[4]),
                (path.as_str(), answer["label"].as_str().expect("text"))
            );
            assert_eq!(row[3].parse::<u64>().ok(), answer["index"].as_u64());
            assert!(LABELS.contains(&&row[8]), "{row:?}");
            unknown += usize::from(&row[4] == "unknown");
        }
        assert_eq!(unknown > 0, threshold.is_some());
    }
}

#[test]
fn threads_and_batches_change_no_digit_and_no_byte() {
    let program = Program::new();
    let weights = checkpoint(&program, Some(0.4));
    album(&program, 70);
    program.file("album/dog/broken.png", "this is none");
    let mut first = None;
    for way in [
        ["-j", "1", "-b", "1"],
        ["-j", "3", "-b", "1"],
        ["-j", "2", "-b", "7"],
    ] {
        let files = [
            "--confusion",
            "m.csv",
            "--confusion",
            "m.png",
            "--predictions",
            "p.csv",
        ];
        let ran = run(
            &program,
            &weights,
            &[&["--json"], &way[..], &files, &["album"]].concat(),
        );
        assert_eq!(ran.code, Some(2));
        assert!(ran.stderr.contains("broken.png: "), "{}", ran.stderr);
        let mut json = ran.json();
        assert_eq!(
            (&json["failed"], &json["pictures"]),
            (&1.into(), &60.into())
        );
        json["images_per_second"] = Value::Null;
        let read = |name: &str| std::fs::read(program.path(name)).expect("written");
        let found = (json, read("m.csv"), read("m.png"), read("p.csv"));
        assert!(
            first.get_or_insert_with(|| found.clone()) == &found,
            "{way:?}"
        );
    }
}

/// The photographs of the folder beside the checkout, by names of every kind.
#[test]
fn photographs_are_evaluated() {
    let weights = "pretrained/keras/mobilenet_2_5_224_tf.h5";
    let (Some(weights), Some(images)) = (shared(weights), shared("images")) else {
        return;
    };
    let program = Program::new();
    let list = "burger.jpg,cheeseburger\ncat_720p.jpg,n02124075\nhot_dog.jpg,hot_dog\n\
                parrot.jpg,88\nsunflower.bmp,daisy\nsparrow.png,unknown\nmissing.jpg,daisy\n";
    program.file("list.csv", list);
    let ran = run(
        &program,
        &weights,
        &["--json", "--list", "list.csv", arg(&images)],
    );
    let json = ran.json();
    assert_eq!(ran.code, Some(2));
    assert_eq!((&json["pictures"], &json["failed"]), (&5.into(), &1.into()));
    assert_eq!(json["accuracy"], 1.0);
    assert_eq!(json["others"], 1);
}
