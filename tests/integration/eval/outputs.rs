//! Tables, pictures and text of them.

use std::collections::HashMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::{LABELS, album, checkpoint, picture, report, run};
use crate::support::{Program, Ran, arg};

/// What the other outputs have is what the figures are of.
#[test]
fn the_tables_agree_with_each_other() {
    let program = Program::new();
    let weights = checkpoint(&program, Some(0.4));
    let pictures = album(&program, 70);
    program.file("album/dog/broken.png", "this is none");
    let files = [
        "--confusion",
        "m.csv",
        "--confusion",
        "m.PNG",
        "--predictions",
        "p.csv",
    ];
    let ran = run(
        &program,
        &weights,
        &[&["--json", "album"], &files[..]].concat(),
    );
    let report = ran.json();
    let table = |name: &str| -> Vec<Vec<String>> {
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_path(program.path(name));
        let rows = reader.expect("a table").into_records();
        rows.map(|row| row.expect("a row").iter().map(String::from).collect())
            .collect()
    };
    let predictions = table("p.csv");
    assert_eq!(
        predictions[0].join(","),
        "path,true_index,true,predicted_index,predicted,score,true_score,rejected,highest,error"
    );
    assert_eq!(predictions.len(), 1 + 70 + 1);
    let mut counts: HashMap<(String, String), u64> = HashMap::new();
    let (mut right, mut failed) = (0, 0);
    for row in &predictions[1..] {
        if !row[9].is_empty() {
            assert!(row[9].starts_with("decode: ") && row[4].is_empty());
            failed += 1;
            continue;
        }
        let known = pictures.iter().find(|(path, _)| *path == row[0]);
        let class = known.expect("a picture").1;
        assert_eq!(row[2], class.map_or("unknown", |class| LABELS[class]));
        right += u64::from(row[2] == row[4] && row[1] == row[3]);
        let answer = if row[7] == "true" { "unknown" } else { &row[8] };
        assert_eq!(row[4], answer);
        *counts.entry((row[2].clone(), answer.into())).or_default() += 1;
    }
    assert_eq!(failed, 1);
    assert_eq!(report["accuracy"].as_f64(), Some(right as f64 / 70.0));

    let matrix = table("m.csv");
    let names: Vec<&str> = LABELS.into_iter().chain(["unknown"]).collect();
    assert_eq!((matrix[0][0].as_str(), matrix[0].len()), ("true", 9));
    assert_eq!(matrix[0][1..], names);
    assert_eq!(matrix.len(), 9);
    for (row, truth) in matrix[1..].iter().zip(&names) {
        assert_eq!(row[0], *truth);
        for (cell, predicted) in row[1..].iter().zip(&names) {
            let pair = ((*truth).to_owned(), (*predicted).to_owned());
            let count = counts.get(&pair).copied().unwrap_or(0);
            assert_eq!(*cell, count.to_string(), "{pair:?}");
        }
    }
    let picture = image::open(program.path("m.PNG")).expect("a picture");
    assert!(picture.width() > 300 && picture.height() > 300);

    let ran = run(&program, &weights, &["--format", "csv", "album"]);
    let lines: Vec<&str> = ran.text().lines().collect();
    assert_eq!(
        lines[0],
        "index,wnid,label,support,predicted,correct,precision,recall,f1"
    );
    assert_eq!(lines.len(), 9);
    assert!(lines[8].starts_with(",,unknown,10,"), "{}", lines[8]);
    assert!(lines[2].starts_with("1,,\"cat, big\",10,"), "{}", lines[2]);
}

#[test]
fn outputs_never_replace_what_is_read() {
    let program = Program::new();
    let weights = checkpoint(&program, None);
    album(&program, 14);
    program.file("list.csv", "album/dog/003.png,dog\n");
    program.file("picture.csv", picture(1));
    let confusion = |more: &[&str]| run(&program, &weights, &[&["--confusion"], more].concat());
    confusion(&["m.txt", "album"]).refused(&["m.txt", ".csv or .png"]);
    confusion(&["absent/m.csv", "album"]).refused(&["absent/m.csv: can't be written"]);
    confusion(&["album/dog/m.png", "album"]).refused(&["among the pictures"]);
    confusion(&["picture.csv", "album"]).refused(&["is a picture"]);
    confusion(&["m.csv", "--predictions", "-", "album"]).refused(&["stdout", "name a file"]);
    confusion(&["list.csv", "--list", "list.csv"]).refused(&["replace list.csv"]);
    confusion(&["album/dog/003.png", "--list", "list.csv"]).refused(&["003.png: is there"]);
    confusion(&["m.csv", "--predictions", "m.csv", "album"]).refused(&["twice"]);
    // Beside the classes' folders nothing is a picture of any.
    let ran = confusion(&["album/m.png", "album"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(
        run(&program, &weights, &["album"]).text().lines().next(),
        ran.text().lines().next()
    );
    program.file("drawn.csv", "album/m.png,dog\n");
    confusion(&["album/m.png", "--list", "drawn.csv"]).refused(&["one of the pictures"]);
}

/// Half of a folder in the order of its classes says nothing of the network.
#[cfg(unix)]
#[test]
fn a_run_that_is_stopped_prints_and_writes_nothing() {
    use std::os::unix::process::ExitStatusExt;
    let program = Program::new();
    let weights = checkpoint(&program, None);
    album(&program, 14);
    std::fs::create_dir(program.path("out")).expect("a folder");
    let files = ["--predictions", "out/p.csv", "--confusion", "out/m.csv"];
    let mut process = program.process(&["eval", "--list", "-", "--weights", arg(&weights)]);
    process.args(files).stdin(Stdio::piped());
    let mut child = process
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut list = child.stdin.take().expect("a pipe");
    // More than its buffer holds, so that it shows that the run is under way.
    list.write_all("album/dog/003.png,dog\n".repeat(500).as_bytes())
        .expect("written");
    let outputs = || std::fs::read_dir(program.path("out")).expect("a folder");
    let begun = || outputs().any(|e| e.is_ok_and(|e| e.metadata().is_ok_and(|m| m.len() > 0)));
    for _ in 0..600 {
        if begun() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(begun(), "it never began");
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.expect("kill").success());
    let output = child.wait_with_output().expect("an end");
    assert_eq!(output.status.signal(), Some(2));
    let ran = Ran::of(output);
    assert_eq!(ran.text(), "");
    assert!(ran.stderr.contains("stopped: "), "{}", ran.stderr);
    assert_eq!(outputs().count(), 0);
}

/// Text says what the figures are, in as many columns as there are.
#[test]
fn the_text_is_for_people() {
    let program = Program::new();
    let weights = checkpoint(&program, Some(0.4));
    album(&program, 70);
    let json = report(&program, &weights, &["album"]);
    let ran = run(&program, &weights, &["album"]);
    let lines: Vec<&str> = ran.text().lines().collect();
    assert_eq!(lines[0], "60 pictures of 5 classes (of 7), 10 of others");
    let percent = |value: &Value| format!("{:.2} %", 100.0 * value.as_f64().expect("a share"));
    let rejection = &json["rejection"];
    for (name, value) in [
        ("top-1 accuracy", percent(&json["accuracy"])),
        ("top-5 accuracy", percent(&json["top_k"]["accuracy"])),
        (
            "if none is rejected",
            percent(&rejection["accuracy_without"]),
        ),
        ("rejected members", percent(&rejection["members_rejected"])),
        ("rejected others", percent(&rejection["others_rejected"])),
        (
            "accuracy of accepted",
            percent(&rejection["accuracy_of_accepted"]),
        ),
    ] {
        let line = format!("{name:<22}{value}");
        assert!(
            lines.contains(&line.as_str()),
            "{line} is not in {}",
            ran.text()
        );
    }
    // Classes without pictures are only told when all are asked for.
    let fox = |ran: &Ran| ran.text().lines().any(|line| line.starts_with("fox "));
    assert!(!fox(&ran));
    assert!(fox(&run(&program, &weights, &["--all", "album"])));
}
