//! What it learns, tells and refuses.

use std::path::Path;

use super::{bytes, f32s, open, our_tensors, squares, train};
use crate::support::{Program, arg, data, largest_difference, repository};

#[test]
fn it_learns_and_tells_how_it_went() {
    let program = Program::new();
    let folder = squares(&program, "squares", 20);
    let fixed = [
        "train",
        arg(&folder),
        "-o",
        "model.safetensors",
        "--curves",
        "curves.png",
    ];
    let network = [
        "--alpha",
        "0.25",
        "--shallow",
        "--size",
        "32",
        "--least-area",
        "0.7",
    ];
    let learning = [
        "--epochs",
        "40",
        "--batch-size",
        "20",
        "--learning-rate",
        "0.01",
    ];
    let more = ["--label-smoothing", "0", "--colour", "0.1", "--seed", "1"];
    let ran = program.run(&[&fixed[..], &network, &learning, &more].concat());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(ran.text().lines().count(), 40);
    assert!(
        ran.text().starts_with("epoch  1/40  loss "),
        "{}",
        ran.text()
    );
    // The log.
    let log = String::from_utf8(bytes(&program, "model.csv")).expect("UTF-8");
    let mut lines = log.lines();
    let header = "epoch,learning_rate,train_loss,train_accuracy,validation_loss,validation_accuracy,seconds,trial";
    assert_eq!(lines.next(), Some(header));
    let rows: Vec<Vec<f64>> = lines
        .map(|line| {
            line.trim_end_matches(',')
                .split(',')
                .map(|field| field.parse().expect("a number"))
                .collect()
        })
        .collect();
    assert!(rows.len() == 40 && rows.iter().all(|row| row.len() == 7));
    assert!(
        rows.iter()
            .zip(1..)
            .all(|(row, number)| row[0] == f64::from(number))
    );
    let (first, last) = (&rows[0], &rows[39]);
    assert!(last[2] < 0.5 * first[2], "{log}");
    assert_eq!(last[5], 1.0, "{log}");
    assert!(rows[1][1] == 0.01 || rows[0][1] == 0.01, "{log}");
    assert!(rows[38][1] > last[1] && last[1] < 0.001);
    // The curves.
    assert!(bytes(&program, "curves.png").starts_with(b"\x89PNG"));
    // Nothing else is left.
    let mut left: Vec<_> = std::fs::read_dir(program.path(""))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    left.sort();
    assert_eq!(
        left,
        ["curves.png", "model.csv", "model.safetensors", "squares"]
    );
    // And it answers like any other checkpoint.
    let others = squares(&program, "others", 23);
    let ran = program.run(&[
        "classify",
        "--weights",
        "model.safetensors",
        "--jsonl",
        "-k",
        "1",
        arg(&others),
    ]);
    let rows = ran.rows();
    assert_eq!(rows.len(), 69);
    let right = rows.iter().filter(|row| {
        let label = row["predictions"][0]["label"].as_str().expect("a label");
        row["path"]
            .as_str()
            .expect("a path")
            .contains(&format!("/{label}/"))
    });
    assert_eq!(right.count(), 69);
}

#[test]
fn what_is_frozen_stays_and_what_begins_with_a_checkpoint_goes_on_from_it() {
    let program = Program::new();
    let folder = squares(&program, "squares", 4);
    let weights = data("keras/tiny.keras");
    let before = our_tensors(&open(&weights));
    let run = |output: &str, frozen: &str| {
        let fixed = [
            "train",
            arg(&folder),
            "-o",
            output,
            "--epochs",
            "2",
            "--size",
            "32",
        ];
        let from = [
            "--weights",
            arg(&weights),
            "--freeze",
            frozen,
            "--validation",
            "0",
            "--norms",
            "batch",
        ];
        let ran = program.run(&[&fixed[..], &from].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let checkpoint = open(&program.path(output));
        assert_eq!(checkpoint.config().classes, Some(3));
        assert_eq!(checkpoint.preprocessing().size, 32);
        let labels = checkpoint.labels().expect("labels");
        let labels = labels.classes().iter().map(|class| class.label.clone());
        assert_eq!(labels.collect::<Vec<_>>(), ["blue", "green", "red"]);
        our_tensors(&checkpoint)
    };
    let frozen = run("frozen.safetensors", "11");
    for (name, tensor) in &before {
        if name.starts_with("conv_preds") {
            assert_eq!(frozen[name].dims()[0], 3);
            continue;
        }
        let same = f32s(tensor) == f32s(&frozen[name]);
        let trained = ["_12", "_13"].iter().any(|block| name.contains(block));
        assert_eq!(same, !trained, "{name}");
    }
    let all = run("all.safetensors", "0");
    // A little way from where it began, all of it.
    for name in [
        "conv1.weight",
        "conv_pw_6.weight",
        "conv_dw_9_bn.running_mean",
    ] {
        let (from, to) = (f32s(&before[name]), f32s(&all[name]));
        assert!(from != to, "{name}");
    }
    let off = largest_difference(&f32s(&before["conv1.weight"]), &f32s(&all["conv1.weight"]));
    assert!(off < 0.05, "{off}");
    let too_many = ["--weights", arg(&weights), "--freeze", "14"];
    let ran = program.run(
        &[
            &["train", arg(&folder), "-o", "x", "--size", "32"],
            &too_many[..],
        ]
        .concat(),
    );
    ran.refused(&["14 blocks can't be frozen: there are 13"]);
    let folded = [
        "convert",
        arg(&weights),
        "-o",
        "folded.safetensors",
        "--fold-batch-norm",
    ];
    assert_eq!(program.run(&folded).code, Some(0));
    let ran = program.run(&[
        "train",
        arg(&folder),
        "-o",
        "x",
        "--weights",
        "folded.safetensors",
    ]);
    ran.refused(&["folded.safetensors", "batch norm is folded"]);
}

#[test]
fn a_picture_that_can_t_be_read_is_told_and_left_out() {
    let program = Program::new();
    let folder = squares(&program, "squares", 6);
    let epochs = ["--epochs", "1"];
    let ran = train(&program, &folder, "whole.safetensors", &epochs);
    assert_eq!(ran.code, Some(0));
    std::fs::write(folder.join("red/03x.png"), "not a picture").expect("written");
    let ran = train(&program, &folder, "damaged.safetensors", &epochs);
    assert_eq!(ran.code, Some(2));
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("03x.png: ") && ran.stderr.contains("left out"),
        "{}",
        ran.stderr
    );
    assert!(bytes(&program, "whole.safetensors") == bytes(&program, "damaged.safetensors"));
}

/// `eval` decodes at a reduced scale only where that doesn't matter.
#[test]
fn large_jpegs_are_tested_with_at_their_full_size() {
    let program = Program::new();
    let folder = squares(&program, "squares", 4);
    for (class, name) in [("green", "cat"), ("red", "coffee"), ("red", "rocket")] {
        let jpeg = repository(&format!("samples/{name}.jpg"));
        let jpeg = std::fs::read(jpeg).expect("a sample");
        let class_folder = program.path("others").join(class);
        std::fs::create_dir_all(class_folder).expect("a folder");
        program.file(&format!("others/{class}/{name}.jpg"), jpeg);
    }
    let loss = |more: &[&str]| {
        let json = ["--epochs", "1", "--json", "--validation-dir", "others"];
        let ran = train(&program, &folder, "x.safetensors", &[&json, more].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.rows().remove(0)["validation_loss"].clone()
    };
    assert_eq!(loss(&[]), loss(&["--full-decode"]));
}

#[test]
fn another_folder_may_be_tested_with_or_none() {
    let program = Program::new();
    let folder = squares(&program, "squares", 6);
    let others = squares(&program, "others", 3);
    std::fs::remove_dir_all(others.join("green")).expect("removed");
    let json = ["--epochs", "1", "--jsonl"];
    let with = |more: &[&str]| {
        let ran = train(&program, &folder, "x.safetensors", &[&json, more].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.rows().remove(0)
    };
    let row = with(&["--validation-dir", arg(&others)]);
    let sixths = row["validation_accuracy"].as_f64().expect("a share") * 6.0;
    assert!((sixths - sixths.round()).abs() < 1e-9, "{row}");
    let row = with(&["--validation", "0"]);
    assert!(
        row["validation_loss"].is_null() && row["train_loss"].is_number(),
        "{row}"
    );
    std::fs::rename(others.join("red"), others.join("pink")).expect("renamed");
    let ran = train(
        &program,
        &folder,
        "x.safetensors",
        &["--validation-dir", arg(&others)],
    );
    ran.refused(&["others", "\"pink\" is none of the classes"]);
}

#[test]
fn what_can_t_be_done_is_said_before_the_work() {
    let program = Program::new();
    let folder = squares(&program, "squares", 2);
    let train = |folder: &Path, more: &[&str]| {
        let fixed = [
            "train",
            arg(folder),
            "--epochs",
            "1",
            "--alpha",
            "0.1",
            "--size",
            "32",
        ];
        program.run(&[&fixed, more].concat())
    };
    let to = ["-o", "x.safetensors"];
    train(&program.path("nowhere"), &to).refused(&["nowhere: no such folder"]);
    train(&folder.join("red"), &to).refused(&["it has no folders"]);
    train(&folder, &["-o", "nowhere/x"]).refused(&["there is no folder nowhere"]);
    train(&folder, &["-o", arg(&folder)]).refused(&["is a folder"]);
    train(&folder, &["-o", "-"]).refused(&["has to be a file"]);
    let curves = ["-o", "x", "--curves", "nowhere/y.png"];
    train(&folder, &curves).refused(&["there is no folder nowhere"]);
    for (option, value, reason) in [
        ("--epochs", "0", "at least 1 epoch"),
        ("--batch-size", "1", "at least 2 pictures"),
        ("--learning-rate", "0", "learning rate"),
        ("--learning-rate", "NaN", "learning rate"),
        ("--weight-decay", "-1", "weight decay"),
        ("--label-smoothing", "1", "label smoothing"),
        ("--validation", "1", "--validation"),
        ("--least-area", "0", "least area"),
        ("--colour", "1", "colours"),
        ("--size", "31", "31 is out of range"),
        ("--alpha", "0.01", "alpha 0.01 is out of range"),
    ] {
        let option = format!("{option}={value}");
        train(&folder, &[&to[..], &[&option]].concat()).refused(&[reason]);
    }
    std::fs::create_dir(folder.join("empty")).expect("a folder");
    train(&folder, &to).refused(&["no pictures in empty"]);
    std::fs::remove_dir(folder.join("empty")).expect("removed");
    train(&folder, &["-o", "x", "--curves", "x"]).refused(&["a file of its own"]);
    // Nothing that is read is replaced.
    let picture = folder.join("red/00.png");
    let before = std::fs::read(&picture).expect("a picture");
    train(&folder, &["-o", arg(&picture)]).refused(&["is a picture"]);
    let new = folder.join("red/curves.png");
    for curves in [&picture, &new] {
        let curves = ["-o", "x", "--curves", arg(curves)];
        train(&folder, &curves).refused(&["among the pictures of a class"]);
    }
    assert!(std::fs::read(&picture).is_ok_and(|bytes| bytes == before));
    program.file("w.png", "a checkpoint");
    let curves = ["-o", "x", "--curves", "w.png", "--weights", "w.png"];
    train(&folder, &curves).refused(&["it would replace w.png"]);
    train(&folder, &["-o", "x", "--curves", "y.jpg"]).refused(&["has to end in .png"]);
    train(&folder, &["-o", "x", "--curves", "-"]).refused(&["--curves has to be a file"]);
    train(&folder, &["-o", "x", "--freeze", "2"]).refused(&["--weights or --pretrained"]);
    std::fs::create_dir(program.path("y.csv")).expect("a folder");
    train(&folder, &["-o", "y.safetensors"]).refused(&["y.csv: is a folder"]);
    program.file("labels.csv", "cat,dog\n");
    train(&folder, &["-o", "labels.safetensors"]).refused(&["labels.csv", "no such log"]);
    let one = program.path("one");
    std::fs::create_dir_all(one.join("all")).expect("a folder");
    std::fs::copy(folder.join("red/00.png"), one.join("all/0.png")).expect("copied");
    train(&one, &to).refused(&["one class", "at least two"]);
    assert!(!program.path("x.safetensors").exists());
    assert!(!program.path("x.csv").exists());
}
