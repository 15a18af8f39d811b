//! `mobilenet classify`, as a shell uses it.

use std::ffi::OsString;
use std::path::PathBuf;

use mobilenet::model::{Config, random_tensors};
use serde_json::Value;

use crate::support::{Program, arg, data, floats, image, repository, tensors};

const TINY: &str = "keras/tiny.keras";

/// A golden input of the tiny network as a PNG, and the scores that Keras gives it.
fn golden(program: &Program, name: &str) -> (PathBuf, Vec<f64>) {
    let golden = tensors(data("keras/tiny.golden.safetensors"));
    let path = program.path(&format!("{name}.png"));
    let picture = image(&golden[&format!("{name}.input")]);
    picture.save(&path).expect("saved");
    let logits = floats(&golden[&format!("{name}.logits")]);
    let powers: Vec<f64> = logits.iter().map(|&x| f64::from(x).exp()).collect();
    let sum: f64 = powers.iter().sum();
    (path, powers.iter().map(|p| p / sum).collect())
}

/// A checkpoint of random weights in our naming, without metadata, as somebody else may write.
fn random_checkpoint(program: &Program, classes: usize) -> PathBuf {
    let config = Config {
        classes: Some(classes),
        ..Config::with_alpha(0.05)
    };
    let tensors = random_tensors(&config, 7).expect("tensors");
    let path = program.path(&format!("{classes}.safetensors"));
    candle_core::safetensors::save(&tensors, &path).expect("saved");
    path
}

fn photograph(name: &str) -> String {
    arg(&repository("samples").join(name)).to_owned()
}

#[test]
fn scores_are_those_of_keras() {
    let program = Program::new();
    let weights = data(TINY);
    for name in ["a", "b"] {
        let (picture, want) = golden(&program, name);
        let ran = program.run(&[
            "classify",
            arg(&picture),
            "--weights",
            arg(&weights),
            "--crop",
            "squash",
            "--jsonl",
            "-k",
            "7",
        ]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
        let row = &ran.rows()[0];
        assert_eq!(row["path"], arg(&picture));
        assert_eq!(row["error"], Value::Null);
        let predictions = row["predictions"].as_array().expect("predictions");
        assert_eq!(predictions.len(), 7);
        let mut last = 1.0;
        for prediction in predictions {
            let index = prediction["index"].as_u64().expect("an index") as usize;
            let score = prediction["score"].as_f64().expect("a score");
            assert!(
                (score - want[index]).abs() < 1e-4,
                "{prediction}, not {}",
                want[index]
            );
            assert!(score <= last);
            last = score;
            assert_eq!(prediction["label"], format!("class {index}"));
            assert_eq!(prediction["wnid"], Value::Null);
        }
    }
}

#[test]
fn a_failed_input_keeps_its_place_and_the_others_are_answered() {
    let program = Program::new();
    let weights = data(TINY);
    let text = program.file("notes.txt", "not a picture");
    let inputs = [
        photograph("cat.jpg"),
        "missing.jpg".to_owned(),
        arg(&text).to_owned(),
        photograph("coffee.jpg"),
    ];
    for batch in ["1", "3", "8"] {
        let mut arguments = vec![
            "classify",
            "--jsonl",
            "-b",
            batch,
            "--weights",
            arg(&weights),
        ];
        arguments.extend(inputs.iter().map(String::as_str));
        let ran = program.run(&arguments);
        assert_eq!(ran.code, Some(2));
        let rows = ran.rows();
        let paths: Vec<&str> = rows.iter().filter_map(|r| r["path"].as_str()).collect();
        assert_eq!(paths, inputs);
        let kinds: Vec<&Value> = rows.iter().map(|r| &r["error"]["kind"]).collect();
        assert_eq!(
            kinds,
            [
                &Value::Null,
                &"not_found".into(),
                &"decode".into(),
                &Value::Null
            ]
        );
        for row in &rows {
            let answered = row["error"].is_null();
            assert_eq!(
                row["predictions"].as_array().map(Vec::len),
                Some(if answered { 5 } else { 0 })
            );
        }
        assert!(
            ran.stderr.contains("missing.jpg: no such file"),
            "{}",
            ran.stderr
        );
        let last = ran.stderr.lines().nth(2).expect("a summary");
        assert!(last.contains("2 answered, 2 failed"), "{last}");
        assert_eq!(ran.stderr.lines().count(), 3);
    }
}

#[test]
fn neither_batch_nor_threads_change_a_byte() {
    let program = Program::new();
    let weights = data(TINY);
    let names = [
        "cat.jpg",
        "coffee.jpg",
        "rocket.jpg",
        "photographer.png",
        "cat.jpg",
    ];
    let inputs = names.map(photograph);
    let run = |batch: &str, threads: &str| {
        let mut arguments = vec![
            "classify",
            "--jsonl",
            "-b",
            batch,
            "-j",
            threads,
            "--weights",
            arg(&weights),
        ];
        arguments.extend(inputs.iter().map(String::as_str));
        program.run(&arguments).stdout
    };
    let one = run("1", "1");
    assert_eq!(one.iter().filter(|b| **b == b'\n').count(), 5);
    for (batch, threads) in [("1", "4"), ("2", "1"), ("5", "3"), ("16", "2")] {
        assert!(
            run(batch, threads) == one,
            "batch {batch}, {threads} threads"
        );
    }
}

#[test]
fn json_is_one_array_whatever_happens() {
    let program = Program::new();
    let weights = data(TINY);
    let cat = photograph("cat.jpg");
    for (inputs, code) in [
        (vec![cat.as_str()], 0),
        (vec!["missing.jpg"], 2),
        (vec![cat.as_str(), "missing.jpg", cat.as_str()], 2),
    ] {
        let mut arguments = vec!["classify", "--json", "--weights", arg(&weights)];
        arguments.extend(&inputs);
        let ran = program.run(&arguments);
        assert_eq!(ran.code, Some(code));
        assert_eq!(ran.json().as_array().map(Vec::len), Some(inputs.len()));
    }
}

#[test]
fn tables_have_a_line_a_prediction_and_one_for_none() {
    let program = Program::new();
    let weights = random_checkpoint(&program, 1000);
    let odd = program.path("with, comma.jpg");
    std::fs::copy(photograph("cat.jpg"), &odd).expect("copied");
    for (format, delimiter) in [("csv", b','), ("tsv", b'\t')] {
        let ran = program.run(&[
            "classify",
            "--format",
            format,
            "-k",
            "2",
            "--weights",
            arg(&weights),
            "with, comma.jpg",
            "missing.jpg",
        ]);
        assert_eq!(ran.code, Some(2));
        let mut reader = csv::ReaderBuilder::new();
        let mut reader = reader
            .delimiter(delimiter)
            .from_reader(ran.stdout.as_slice());
        let header = ["path", "rank", "index", "wnid", "label", "score", "error"];
        assert_eq!(reader.headers().expect("a header"), &header[..]);
        let rows: Vec<csv::StringRecord> = reader.records().map(|r| r.expect("a row")).collect();
        assert_eq!(rows.len(), 3);
        for (rank, row) in (1..).zip(&rows[..2]) {
            assert_eq!(&row[0], "with, comma.jpg");
            assert_eq!(row[1], format!("{rank}"));
            assert!(row[3].starts_with('n') && row[5].parse::<f32>().is_ok() && row[6].is_empty());
        }
        assert_eq!(
            &rows[2],
            &["missing.jpg", "", "", "", "", "", "not_found: no such file"][..]
        );
    }
}

#[test]
fn text_in_a_pipe_is_plain() {
    let program = Program::new();
    let weights = random_checkpoint(&program, 1000);
    let cat = photograph("cat.jpg");
    let ran = program.run(&["classify", "--weights", arg(&weights), &cat]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let lines: Vec<&str> = ran.text().lines().collect();
    assert_eq!(lines.len(), 6);
    assert_eq!(lines[0], cat);
    for line in &lines[1..] {
        let (score, label) = line.trim_start().split_once("  ").expect("two columns");
        assert!(score.len() == 6 && score.parse::<f32>().is_ok() && !label.is_empty());
        assert!(!line.contains(['\x1b', '█']));
    }
}

#[test]
fn top_k_and_threshold_leave_out() {
    let program = Program::new();
    let weights = data(TINY);
    let cat = photograph("cat.jpg");
    let count = |arguments: &[&str]| {
        let fixed = ["classify", "--jsonl", "--weights", arg(&weights), &cat];
        let ran = program.run(&[&fixed, arguments].concat());
        assert_eq!(ran.code, Some(0));
        ran.rows()[0]["predictions"]
            .as_array()
            .expect("predictions")
            .len()
    };
    assert_eq!(count(&["-k", "1"]), 1);
    assert_eq!(count(&["-k", "100"]), 7);
    assert_eq!(count(&["-k", "0"]), 0);
    assert_eq!(count(&["--threshold", "1"]), 0);
    let ran = program.run(&["classify", "--threshold", "1.5", &cat]);
    ran.refused(&["--threshold", "probability"]);
}

#[test]
fn a_dash_is_a_picture_on_stdin() {
    let program = Program::new();
    let weights = data(TINY);
    let cat = photograph("cat.jpg");
    let by_name = program.run(&["classify", "--jsonl", "--weights", arg(&weights), &cat]);
    let mut command = program.command(&["classify", "--jsonl", "--weights", arg(&weights), "-"]);
    let output = command
        .write_stdin(std::fs::read(&cat).expect("a picture"))
        .output();
    let output = output.expect("the program");
    assert_eq!(output.status.code(), Some(0));
    let row: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(row["path"], "-");
    assert_eq!(row["predictions"], by_name.rows()[0]["predictions"]);
}

#[test]
fn labels_are_imagenets_or_the_users() {
    let program = Program::new();
    let cat = photograph("cat.jpg");
    let row = |classes, extra: &[&str]| {
        let weights = random_checkpoint(&program, classes);
        let fixed = [
            "classify",
            "--jsonl",
            "-k",
            "2000",
            "--weights",
            arg(&weights),
            &cat,
        ];
        let ran = program.run(&[&fixed, extra].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let mut predictions = ran.rows()[0]["predictions"]
            .as_array()
            .expect("some")
            .clone();
        predictions.sort_by_key(|p| p["index"].as_i64());
        predictions
    };
    let thousand = row(1000, &[]);
    assert_eq!(thousand.len(), 1000);
    assert_eq!(thousand[281]["wnid"], "n02123045");
    assert_eq!(thousand[281]["label"], "tabby, tabby cat");
    let more = row(1001, &[]);
    assert_eq!(
        (&more[0]["index"], &more[0]["label"]),
        (&(-1).into(), &"background".into())
    );
    assert_eq!(
        (&more[282]["index"], &more[282]["label"]),
        (&281.into(), &"tabby, tabby cat".into())
    );

    let labels = program.file("labels.txt", "eins\nzwei\ndrei\n");
    let three = row(3, &["--labels", arg(&labels)]);
    let names: Vec<&Value> = three.iter().map(|p| &p["label"]).collect();
    assert_eq!(names, ["eins", "zwei", "drei"]);

    let weights = random_checkpoint(&program, 4);
    let ran = program.run(&[
        "classify",
        "--weights",
        arg(&weights),
        "--labels",
        arg(&labels),
        &cat,
    ]);
    ran.refused(&["labels.txt", "3 labels for 4 classes"]);
}

#[test]
fn what_the_checkpoint_contradicts_is_refused() {
    let program = Program::new();
    let weights = data(TINY);
    let cat = photograph("cat.jpg");
    let refused = |extra: &[&str], parts: &[&str]| {
        let fixed = ["classify", "--weights", arg(&weights), &cat];
        program.run(&[&fixed, extra].concat()).refused(parts);
    };
    refused(&["--alpha", "0.5"], &["tiny.keras", "0.05", "0.5"]);
    refused(&["--classes", "1000"], &["tiny.keras", "7 classes"]);
    refused(&["--activation", "relu"], &["tiny.keras", "relu6"]);
    refused(&["--size", "31"], &["31", "32"]);
    refused(&["--device", "cpu", "--dtype", "f16"], &["cpu", "f16"]);
    refused(&["--dtype", "int4"], &["int4", "int8"]);
    refused(&["--repo", "a/b"], &["--repo"]);
    let ran = program.run(&["classify", &cat, "--alpha", "0.35"]);
    ran.refused(&["0.35", "1.0, 0.75, 0.5, 0.25"]);
    let no_top = data("keras/tiny_no_top_tf.h5");
    let ran = program.run(&["classify", "--weights", arg(&no_top), &cat]);
    ran.refused(&["tiny_no_top_tf.h5", "no classifier"]);
}

#[test]
fn exif_orientation_is_applied_unless_told_otherwise() {
    let program = Program::new();
    let weights = data(TINY);
    let scores = |picture: &str, extra: &[&str]| {
        let picture = data("pixels/decode").join(picture);
        let fixed = [
            "classify",
            "--jsonl",
            "--weights",
            arg(&weights),
            arg(&picture),
        ];
        program.run(&[&fixed, extra].concat()).rows()[0]["predictions"].clone()
    };
    // The same picture, stored upright and turned on its side.
    let (upright, turned) = ("exif_1.jpg", "exif_6.jpg");
    assert_eq!(scores(upright, &[]), scores(upright, &["--no-exif"]));
    assert_ne!(scores(turned, &[]), scores(turned, &["--no-exif"]));
}

/// A size that the checkpoint was not trained at is another question, and may be asked.
#[test]
fn another_size_is_another_answer() {
    let program = Program::new();
    let weights = data(TINY);
    let cat = photograph("cat.jpg");
    let at = |size: &str| {
        let ran = program.run(&[
            "classify",
            "--jsonl",
            "--weights",
            arg(&weights),
            "--size",
            size,
            &cat,
        ]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.stdout
    };
    assert_ne!(at("65"), at("33"));
}

#[cfg(not(any(feature = "cuda", feature = "metal")))]
#[test]
fn a_device_that_was_asked_for_is_that_one_or_an_error() {
    let program = Program::new();
    for device in ["cuda", "cuda:1", "metal"] {
        let ran = program.run(&[
            "bench",
            "--random-weights",
            "--alpha",
            "0.25",
            "--device",
            device,
        ]);
        ran.refused(&[device, "features", "--device cpu"]);
    }
    let ran = program.run(&["bench", "--device", "tpu"]);
    ran.refused(&["tpu", "cuda:N"]);
}

/// `| head` has seen enough: no message, no failure.
#[test]
fn a_closed_pipe_ends_the_program_quietly() {
    use std::process::{Command, Stdio};
    for format in ["text", "json", "jsonl", "csv"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mobilenet"));
        command.args([
            "classify",
            "--format",
            format,
            "--weights",
            arg(&data(TINY)),
        ]);
        command.args(vec![photograph("cat.jpg"); 20]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        // Longer than any buffer on the way, so that the end of the pipe shows at once.
        command.args(["-k", "1000"]);
        let mut child = command.spawn().expect("the program");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("an end");
        assert_eq!(output.status.code(), Some(0), "{format}");
        assert_eq!(crate::support::Ran::of(output).stderr, "", "{format}");
    }
}

#[cfg(unix)]
#[test]
fn names_are_bytes() {
    use base64::Engine;
    use std::os::unix::ffi::OsStringExt;
    let program = Program::new();
    let bytes = b"caf\xe9\n.jpg".to_vec();
    let name = OsString::from_vec(bytes.clone());
    std::fs::copy(photograph("cat.jpg"), program.path("").join(&name)).expect("copied");
    let weights = data(TINY);
    let run = |format: &str| {
        let mut command =
            program.command(&["classify", "--format", format, "--weights", arg(&weights)]);
        let output = command.arg(&name).output().expect("the program");
        assert_eq!(output.status.code(), Some(0));
        output.stdout
    };
    let row: Value = serde_json::from_slice(&run("jsonl")).expect("JSON");
    assert_eq!(row["path"], Value::Null);
    let encoded = base64::engine::general_purpose::STANDARD.encode(&bytes);
    assert_eq!(row["path_base64"], encoded);
    assert!(
        run("csv")
            .windows(bytes.len())
            .any(|window| window == bytes)
    );
    let text = String::from_utf8(run("text")).expect("UTF-8");
    assert!(text.starts_with("caf\u{fffd}\\n.jpg\n"), "{text}");
}

/// Keras's file of ImageNet's classes, and what Windows writes.
#[test]
fn labels_of_others_are_read() {
    let Some(folder) = crate::support::shared("cases/reports/f11") else {
        return;
    };
    let bytes = std::fs::read(folder.join("bom.txt")).expect("labels");
    let count = String::from_utf8_lossy(&bytes).trim_end().lines().count();
    let labels = mobilenet::labels::Labels::open(folder.join("bom.txt"), count).expect("labels");
    let first = &labels.classes()[0].label;
    assert!(
        first.chars().all(|c| c.is_ascii_alphanumeric()),
        "{first:?}"
    );
    let keras = folder.join("imagenet_class_index.json");
    let labels = mobilenet::labels::Labels::open(keras, 2).expect("labels");
    let tench = &labels.classes()[0];
    assert_eq!(
        (tench.label.as_str(), tench.wnid.as_deref()),
        ("tench", Some("n01440764"))
    );
    assert_eq!(labels.lookup().find("n01443537"), Ok(1));
}
