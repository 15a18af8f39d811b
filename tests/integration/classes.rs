//! The names of a checkpoint's classes: printed, changed, and put in another order.

use std::path::PathBuf;

use candle_core::{Device, Tensor};
use mobilenet::Rejection;
use mobilenet::model::{Config, random_tensors};
use mobilenet::pixels::Preprocessing;
use mobilenet::weights::Checkpoint;
use serde_json::{Value, json};

use crate::support::{Program, Ran, arg, repository, values};

const LABELS: [&str; 4] = ["tea pot", "Mug", "cup", "10 \"inch\" plate"];

/// A network that gives four classes different scores.
fn checkpoint(program: &Program) -> PathBuf {
    let config = Config {
        classes: None,
        ..Config::with_alpha(0.05)
    };
    let tensors = random_tensors(&config, 7).expect("tensors");
    let path = program.path("four.safetensors");
    let len = config.embedding_len();
    let weight = Tensor::from_vec(values(4 * len, 3), (4, len), &Device::Cpu);
    let bias = Tensor::new(&[0.5f32, 0.1, -0.4, 0.2], &Device::Cpu).expect("a bias");
    let rejection = Rejection {
        threshold: 0.01,
        share: 0.05,
    };
    Checkpoint::from_tensors(&path, config, tensors, Preprocessing::center(32), None)
        .and_then(|made| {
            let labels = LABELS.map(String::from).to_vec();
            made.with_classifier(&weight.expect("weights"), &bias, labels)
        })
        .and_then(|made| made.with_rejection(Some(rejection)))
        .and_then(|made| made.save(&path))
        .expect("a checkpoint");
    path
}

/// The scores of a picture in the order of the outputs, each with its label.
fn scores(program: &Program, weights: &str) -> Vec<(String, f64)> {
    let picture = repository("samples/cat.jpg");
    let ran = program.run(&["classify", "--jsonl", "--weights", weights, arg(&picture)]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let mut found = ran.rows()[0]["predictions"]
        .as_array()
        .expect("some")
        .clone();
    found.sort_by_key(|p| p["index"].as_i64());
    let pair = |p: &Value| {
        let label = p["label"].as_str().expect("a label").to_owned();
        (label, p["score"].as_f64().expect("a score"))
    };
    found.iter().map(pair).collect()
}

fn convert(program: &Program, more: &[&str]) -> Ran {
    program.run(
        &[
            &["convert", "four.safetensors", "-o", "new.safetensors"],
            more,
        ]
        .concat(),
    )
}

#[test]
fn classes_are_printed_as_labels_are_read() {
    let program = Program::new();
    checkpoint(&program);
    let classes = |more: &[&str]| {
        let fixed = ["summary", "--class-names", "--weights", "four.safetensors"];
        program.run(&[&fixed[..], more].concat())
    };
    let ran = classes(&[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(
        ran.text(),
        LABELS.map(|label| format!("{label}\n")).concat()
    );
    let listed = classes(&["--json"]);
    let expected = json!({"0": LABELS[0], "1": LABELS[1], "2": LABELS[2], "3": LABELS[3]});
    assert_eq!(listed.json(), expected);
    // Either is a file of labels, which changes nothing.
    let before = scores(&program, "four.safetensors");
    for text in [ran.stdout, listed.stdout] {
        program.file("labels", text);
        let ran = convert(&program, &["--labels", "labels"]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
        assert_eq!(scores(&program, "new.safetensors"), before);
    }
    let summary = ["summary", "--weights", "four.safetensors"];
    let ran = program.run(&summary);
    let end = "\nclasses\n     0  tea pot\n     1  Mug\n     2  cup\n     3  10 \"inch\" plate\n";
    assert!(ran.text().ends_with(end), "{}", ran.text());
    let json = program.run(&[&summary[..], &["--json"]].concat()).json();
    assert_eq!(
        json["labels"][1],
        json!({"index": 1, "wnid": null, "label": "Mug"})
    );

    let config = Config::with_alpha(0.05);
    let tensors = random_tensors(&config, 3).expect("tensors");
    let path = program.path("thousand.safetensors");
    Checkpoint::from_tensors(&path, config, tensors, Preprocessing::center(32), None)
        .and_then(|made| made.save(&path))
        .expect("a checkpoint");
    let text = program.run(&["summary", "--weights", "thousand.safetensors"]);
    assert!(text.text().contains("and 990 more"), "{}", text.text());
    let ids = program.run(&[
        "summary",
        "--class-names",
        "--json",
        "--weights",
        "thousand.safetensors",
    ]);
    assert_eq!(ids.json()["281"], json!(["n02123045", "tabby, tabby cat"]));
    let backbone = Config {
        classes: None,
        ..Config::with_alpha(0.05)
    };
    let tensors = random_tensors(&backbone, 3).expect("tensors");
    let path = program.path("bare.safetensors");
    Checkpoint::from_tensors(&path, backbone, tensors, Preprocessing::center(32), None)
        .and_then(|made| made.save(&path))
        .expect("a checkpoint");
    program
        .run(&["summary", "--class-names", "--weights", "bare.safetensors"])
        .refused(&["bare.safetensors", "no classes"]);
    program.file("labels", "a\n");
    program
        .run(&[
            "convert",
            "bare.safetensors",
            "-o",
            "x.safetensors",
            "--labels",
            "labels",
        ])
        .refused(&["bare.safetensors", "no classes"]);
}

#[test]
fn a_class_that_is_named_anew_keeps_its_scores() {
    let program = Program::new();
    checkpoint(&program);
    let before = scores(&program, "four.safetensors");
    program.file("labels.txt", "Kanne\nBecher\nTasse\nTeller\n");
    assert_eq!(convert(&program, &["--labels", "labels.txt"]).code, Some(0));
    let after = scores(&program, "new.safetensors");
    assert_eq!(after.len(), 4);
    for ((name, score), (new, (_, old))) in after
        .iter()
        .zip(["Kanne", "Becher", "Tasse", "Teller"].iter().zip(&before))
    {
        assert_eq!((name.as_str(), score), (*new, old));
    }
    // What rejects goes on to do so.
    let own = Checkpoint::open(program.path("new.safetensors"), &Default::default());
    assert!(own.expect("a checkpoint").rejection().is_some());
    // Named and put in order at once; written as half as many bits, too.
    for more in [&[][..], &["--dtype", "f16"], &["--fold-batch-norm"]] {
        let fixed = ["--labels", "labels.txt", "--order", "name"];
        assert_eq!(
            convert(&program, &[&fixed[..], more].concat()).code,
            Some(0)
        );
        let sorted = scores(&program, "new.safetensors");
        let names: Vec<&str> = sorted.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["Becher", "Kanne", "Tasse", "Teller"]);
        for (name, score) in sorted {
            let (_, old) = after
                .iter()
                .find(|(label, _)| *label == name)
                .expect("a class");
            assert!((score - old).abs() < 2e-3, "{name}: {score}, not {old}");
        }
    }
}

#[test]
fn a_class_that_moves_takes_its_scores_with_it() {
    let program = Program::new();
    checkpoint(&program);
    let mut before = scores(&program, "four.safetensors");
    // Byte by byte, as folders are ordered: digits, capitals, the rest.
    assert_eq!(convert(&program, &["--order", "name"]).code, Some(0));
    before.sort_by(|a, b| a.0.cmp(&b.0));
    let after = scores(&program, "new.safetensors");
    let names: Vec<&str> = after.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["10 \"inch\" plate", "Mug", "cup", "tea pot"]);
    for ((name, score), (old_name, old)) in after.iter().zip(&before) {
        assert_eq!(name, old_name);
        assert!((score - old).abs() < 1e-6, "{name}: {score}, not {old}");
    }
    let order = ["Mug", "10 \"inch\" plate", "tea pot", "cup"];
    program.file("order.txt", order.map(|name| format!("{name}\n")).concat());
    assert_eq!(
        convert(&program, &["--labels", "order.txt", "--order", "labels"]).code,
        Some(0)
    );
    for ((name, score), wanted) in scores(&program, "new.safetensors").iter().zip(order) {
        let (_, old) = before
            .iter()
            .find(|(label, _)| label == name)
            .expect("a class");
        assert_eq!(name, wanted);
        assert!((score - old).abs() < 1e-6, "{name}: {score}, not {old}");
    }
    // Which of the two is meant has to be said.
    convert(&program, &["--labels", "order.txt"]).refused(&[
        "order.txt",
        "another order",
        "--order labels",
    ]);
    convert(&program, &["--order", "labels"]).refused(&["--labels FILE"]);
    program.file("order.txt", "Mug\ncup\ntea pot\nplate\n");
    convert(&program, &["--labels", "order.txt", "--order", "labels"])
        .refused(&["order.txt: plate: no class is called so", "--class-names"]);
    program.file("order.txt", "Mug\ncup\ntea pot\nMug\n");
    convert(&program, &["--labels", "order.txt", "--order", "labels"])
        .refused(&["order.txt: Mug", "twice"]);
    program.file("order.txt", "Mug\ncup\n");
    convert(&program, &["--labels", "order.txt"]).refused(&["2 labels for 4 classes"]);
    let named = [
        "convert",
        "four.safetensors",
        "--labels",
        "order.txt",
        "-o",
        "order.txt",
    ];
    program.run(&named).refused(&["order.txt"]);
}

#[test]
fn imagenets_classes_under_other_names_have_no_ids_and_that_is_said() {
    let program = Program::new();
    let config = Config::with_alpha(0.05);
    let tensors = random_tensors(&config, 3).expect("tensors");
    let path = program.path("four.safetensors");
    Checkpoint::from_tensors(&path, config, tensors, Preprocessing::center(32), None)
        .and_then(|made| made.save(&path))
        .expect("a checkpoint");
    let ran = convert(&program, &["--order", "name"]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.stderr.contains("WordNet"), "{}", ran.stderr);
    let network = Checkpoint::open(program.path("new.safetensors"), &Default::default());
    let labels = network.expect("a checkpoint").labels().expect("labels");
    let names: Vec<&str> = labels.classes().iter().map(|c| c.label.as_str()).collect();
    assert!(
        names.is_sorted() && names[0].starts_with("Afghan hound"),
        "{}",
        names[0]
    );
}
