//! Networks against pictures whose classes are known.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use candle_core::{DType, Device, Tensor};
use mobilenet::device::{self, DeviceChoice};
use mobilenet::model::{Config, random_tensors};
use mobilenet::pixels::Preprocessing;
use mobilenet::weights::Checkpoint;
use mobilenet::{Embedder, Rejection};
use serde_json::Value;

use crate::support::{Program, Ran, arg, largest_difference, shared, values};

const LABELS: [&str; 7] = ["Cat", "cat, big", "dog", "7", "snow owl", "2", "fox"];

/// What the folders of the album are called, and which class that is.
const FOLDERS: [(&str, Option<usize>); 7] = [
    ("2", Some(5)),
    ("CAT, BIG", Some(1)),
    ("Cat", Some(0)),
    ("dog", Some(2)),
    ("snow_owl", Some(4)),
    ("sub", None),
    ("unknown", None),
];

/// A network of random weights in a file, that takes pictures for many of these classes.
fn checkpoint(program: &Program, threshold: Option<f32>) -> PathBuf {
    let config = Config {
        classes: None,
        ..Config::with_alpha(0.05)
    };
    let width = config.embedding_len();
    let path = program.path("network.safetensors");
    let tensors = random_tensors(&config, 3).expect("tensors");
    let recipe = Preprocessing::center(32);
    let backbone = Checkpoint::from_tensors(&path, config, tensors, recipe, None);
    let backbone = backbone.expect("a network");
    // Weights of the difference from the mean picture, or all would be of the same class.
    let device = device::open(DeviceChoice::Cpu).expect("a CPU");
    let embedder = Embedder::new(&backbone, &device, DType::F32).expect("a network");
    let pictures: Vec<_> = (0..40)
        .map(|number| image::load_from_memory(&picture(number)).expect("a picture"))
        .map(|picture| picture.into_rgb8())
        .collect();
    let embeddings = embedder.embeddings(&pictures).expect("embeddings");
    let mean: Vec<f32> = (0..width)
        .map(|i| embeddings.iter().map(|e| e[i]).sum::<f32>() / 40.0)
        .collect();
    let deviation = |e: &Vec<f32>| largest_difference(e, &mean);
    let deviation = embeddings.iter().map(deviation).fold(0.0, f32::max);
    let weights = values(7 * width, 5).into_iter();
    let weights: Vec<f32> = weights.map(|w| w * 6.0 / deviation).collect();
    let bias: Vec<f32> = weights
        .chunks(width)
        .map(|row| -row.iter().zip(&mean).map(|(w, m)| w * m).sum::<f32>())
        .collect();
    let weight = Tensor::from_vec(weights, (7, width), &Device::Cpu).expect("weights");
    let bias = Tensor::new(bias, &Device::Cpu).expect("a bias");
    let rejection = threshold.map(|threshold| Rejection {
        threshold,
        share: 0.05,
    });
    backbone
        .with_classifier(&weight, &bias, LABELS.map(String::from).to_vec())
        .and_then(|made| made.with_rejection(rejection))
        .and_then(|made| made.save(&path))
        .expect("a checkpoint");
    path
}

/// A network of random weights for ImageNet's classes.
fn imagenet(program: &Program) -> PathBuf {
    let config = Config::with_alpha(0.05);
    let tensors = random_tensors(&config, 3).expect("tensors");
    let path = program.path("imagenet.safetensors");
    Checkpoint::from_tensors(&path, config, tensors, Preprocessing::center(32), None)
        .and_then(|made| made.save(&path))
        .expect("a checkpoint");
    path
}

/// A picture of stripes and noise, each number another.
fn picture(number: u32) -> Vec<u8> {
    let mut state = u64::from(number) * 7919 + 1;
    let mut noise = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 58) as u32
    };
    let colour = |x: u32, y: u32| {
        let wave = if (x / (number % 9 + 1) + y / (number % 5 + 1)).is_multiple_of(2) {
            200
        } else {
            number * 13 % 120
        };
        let channel = |shift: u32| (wave * (number % (shift + 3) + 1) / (shift + 2)) % 192;
        [channel(0), channel(1), channel(2)]
    };
    let image = image::RgbImage::from_fn(40, 36, |x, y| {
        let noise = noise();
        image::Rgb(colour(x, y).map(|c| (c + noise).min(255) as u8))
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    image
        .write_to(&mut bytes, image::ImageFormat::Png)
        .expect("a picture");
    bytes.into_inner()
}

/// An album of `count` pictures, and the class of each in the order of their paths.
fn album(program: &Program, count: usize) -> Vec<(String, Option<usize>)> {
    let mut pictures = Vec::new();
    for number in 0..count {
        let (folder, class) = FOLDERS[number % 7];
        // A folder in a class's folder belongs to the class.
        let (folder, class) = match folder {
            "sub" => ("dog/more", Some(2)),
            folder => (folder, class),
        };
        let path = format!("album/{folder}/{number:03}.png");
        let file = program.path(&path);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(&file, picture(number as u32)).expect("written");
        pictures.push((path, class));
    }
    std::fs::create_dir_all(program.path("album/.hidden")).expect("a folder");
    program.file("album/beside.png", picture(1));
    pictures.sort();
    pictures
}

fn run(program: &Program, weights: &Path, more: &[&str]) -> Ran {
    program.run(&[&["eval", "--weights", arg(weights)], more].concat())
}

fn report(program: &Program, weights: &Path, more: &[&str]) -> Value {
    let ran = run(program, weights, &[&["--json"], more].concat());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let mut json = ran.json();
    let speed = json["images_per_second"].take();
    assert!(speed.as_f64().is_some_and(|speed| speed > 0.0));
    json
}

/// The scores of all classes, as `classify` has them.
fn scores(program: &Program, weights: &Path) -> Vec<Vec<f32>> {
    let ran = program.run(&[
        "classify",
        "--jsonl",
        "-k",
        "7",
        "--threshold",
        "0",
        "--weights",
        arg(weights),
        "album/2",
        "album/CAT, BIG",
        "album/Cat",
        "album/dog",
        "album/snow_owl",
        "album/unknown",
    ]);
    let scores = |row: &Value| {
        let mut scores = vec![f32::NAN; 7];
        for prediction in row["predictions"].as_array().expect("predictions") {
            let index = prediction["index"].as_u64().expect("an index") as usize;
            scores[index] = prediction["score"].as_f64().expect("a score") as f32;
        }
        scores
    };
    ran.rows().iter().map(scores).collect()
}

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
    let n = members.len() as f64;
    assert_eq!((report["pictures"].as_u64(), n), (Some(120), 120.0));
    assert_eq!(report["others"], 20);

    let right: Vec<bool> = members.iter().map(|(c, s)| *c == argmax(s)).collect();
    let count = |yes: &[bool]| yes.iter().filter(|yes| **yes).count() as f64;
    near(&report["accuracy"], count(&right) / n);
    let in_top = members.iter().map(|(class, scores)| {
        scores
            .iter()
            .filter(|&&score| score > scores[*class])
            .count()
            < 5
    });
    near(
        &report["top_k"]["accuracy"],
        count(&in_top.collect::<Vec<_>>()) / n,
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
    for (class, label) in LABELS.iter().enumerate() {
        let support = members.iter().filter(|(c, _)| *c == class).count() as f64;
        let predicted = members.iter().filter(|(_, s)| argmax(s) == class).count() as f64;
        let both = members
            .iter()
            .filter(|(c, s)| *c == class && argmax(s) == class);
        let both = both.count() as f64;
        let ratio = |part: f64, whole: f64| if whole == 0.0 { 0.0 } else { part / whole };
        let (precision, recall) = (ratio(both, predicted), ratio(both, support));
        let f1 = ratio(2.0 * precision * recall, precision + recall);
        let row = &report["per_class"][class];
        assert_eq!(
            (&row["label"], &row["index"]),
            (&(*label).into(), &class.into())
        );
        assert_eq!(row["support"].as_f64(), Some(support));
        assert_eq!(row["predicted"].as_f64(), Some(predicted));
        for (name, value, i) in [
            ("precision", precision, 0),
            ("recall", recall, 1),
            ("f1", f1, 2),
        ] {
            near(&row[name], value);
            averages[0][i] += value;
            averages[1][i] += value * support / n;
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
    for (class, scores) in &members {
        *pairs.entry((*class, argmax(scores))).or_default() += 1;
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
        assert_eq!(told["truth"]["label"], LABELS[class]);
        assert_eq!(told["predicted"]["index"], predicted);
        assert_eq!(told["count"], u64::MAX - rest);
    }

    let rejection = &report["rejection"];
    let gone: Vec<bool> = members.iter().map(|(_, s)| rejected(s)).collect();
    near(&rejection["members_rejected"], count(&gone) / n);
    let others: Vec<bool> = others.map(|(_, scores)| rejected(scores)).collect();
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
        "path,true_index,true,predicted_index,predicted,score,true_score,rejected,error"
    );
    assert_eq!(predictions.len(), 1 + 70 + 1);
    let mut counts: HashMap<(String, String), u64> = HashMap::new();
    let (mut right, mut failed) = (0, 0);
    for row in &predictions[1..] {
        if !row[8].is_empty() {
            assert!(row[8].starts_with("decode: ") && row[4].is_empty());
            failed += 1;
            continue;
        }
        let known = pictures.iter().find(|(path, _)| *path == row[0]);
        let class = known.expect("a picture").1;
        assert_eq!(row[2], class.map_or("unknown", |class| LABELS[class]));
        right += u64::from(class.is_some() && row[1] == row[3]);
        let answer = if row[7] == "true" { "unknown" } else { &row[4] };
        *counts.entry((row[2].clone(), answer.into())).or_default() += 1;
    }
    assert_eq!(failed, 1);
    assert_eq!(report["accuracy"].as_f64(), Some(right as f64 / 60.0));

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
    assert_eq!(lines.len(), 8);
    assert!(lines[2].starts_with("1,,\"cat, big\",10,"), "{}", lines[2]);
}

/// A table for the same pictures, in every form, gives the same figures.
#[test]
fn a_list_is_as_good_as_folders() {
    let program = Program::new();
    let weights = checkpoint(&program, Some(0.4));
    let mut pictures = album(&program, 70);
    let expected = report(&program, &weights, &["album"]);
    // In any order.
    pictures.reverse();
    // `2` is what another class is called, and names go before numbers.
    let label = |class: Option<usize>| match class {
        None => "unknown".to_owned(),
        Some(2) => "DOG".to_owned(),
        Some(class) => class.to_string(),
    };
    let rows = |separator: &str, quote: &str, from: &str| -> String {
        let row = |(path, class): &(String, Option<usize>)| {
            let path = path.strip_prefix(from).expect("a path");
            let class = label(*class);
            format!("{quote}{path}{quote}{separator}{class}\n")
        };
        pictures.iter().map(row).collect()
    };
    program.file("beside.csv", rows(",", "\"", ""));
    program.file(
        "album/inside.tsv",
        format!("path\tlabel\n{}", rows("\t", "", "album/")),
    );
    program.file("spaces.txt", rows(" ", "\"", "album/"));
    std::fs::create_dir(program.path("lists")).expect("a folder");
    program.file("lists/far.csv", rows(",", "\"", ""));
    for arguments in [
        &["--list", "beside.csv"][..],
        &["--list", "album/inside.tsv"],
        &["--list", "spaces.txt", "album"],
        &["--list", "lists/far.csv", "."],
    ] {
        assert_eq!(
            report(&program, &weights, arguments),
            expected,
            "{arguments:?}"
        );
    }
    let piped = |text: String| {
        let mut command = program.command(&["eval", "--json", "--list", "-", "--weights"]);
        command.arg(&weights).write_stdin(text);
        Ran::of(command.output().expect("the program"))
    };
    let mut found = piped(rows(",", "\"", "")).json();
    found["images_per_second"] = Value::Null;
    assert_eq!(found, expected);
    // What a pipe gets wrong ends the run; a file is known to be right before it begins.
    let wrong = rows(",", "\"", "") + "a.png,wolf\n";
    piped(wrong.clone()).refused(&["-: line 71: wolf: no class is called so"]);
    program.file("wrong.csv", wrong);
    run(&program, &weights, &["--list", "wrong.csv"]).refused(&["wrong.csv", "line 71: wolf"]);
    run(&program, &weights, &["--list", "lists/far.csv"])
        .refused(&["no such file", "--list lists/far.csv ."]);
}

#[test]
fn all_wrong_names_are_told_at_once() {
    let program = Program::new();
    let weights = imagenet(&program);
    let folder = |name: &str| {
        std::fs::create_dir_all(program.path("val").join(name)).expect("a folder");
    };
    for name in [
        "crane",
        "tabbi",
        "1000",
        "a\nb",
        "n02123045",
        "tabby_cat",
        "285",
        "Unknown",
    ] {
        folder(name);
    }
    program.file("val/n02123045/1.png", picture(1));
    let ran = run(&program, &weights, &["val"]);
    ran.refused(&[
        "val: a folder has to be named after a class",
        "crane: several classes are called so: crane (n02012849 or 134); crane (n03126707 or 517)",
        "tabbi: no class is called so; near names: tabby",
        "1000: no class is called so; their indices are 0 to 999",
        "a\\nb: no class is called so",
        "WordNet id or its index",
    ]);
    for fine in ["n02123045", "tabby_cat", "285", "Unknown"] {
        assert!(!ran.stderr.contains(fine), "{}", ran.stderr);
    }
    for name in ["crane", "tabbi", "1000", "a\nb"] {
        std::fs::remove_dir(program.path("val").join(name)).expect("removed");
    }
    for (name, number) in [("tabby_cat", 2), ("285", 3), ("Unknown", 4)] {
        program.file(&format!("val/{name}/1.png"), picture(number));
    }
    let json = report(&program, &weights, &["val"]);
    assert_eq!((&json["pictures"], &json["others"]), (&3.into(), &1.into()));
    let tabby = &json["per_class"][281];
    assert_eq!(
        (&tabby["wnid"], &tabby["support"]),
        (&"n02123045".into(), &2.into())
    );
    assert_eq!(json["rejection"], Value::Null);
}

#[test]
fn what_there_is_nothing_of_is_said() {
    let program = Program::new();
    let weights = checkpoint(&program, None);
    let folder = |name: &str| std::fs::create_dir_all(program.path(name)).expect("a folder");
    run(&program, &weights, &[]).refused(&["DIR"]);
    run(&program, &weights, &["absent"]).refused(&["absent: no such folder"]);
    folder("flat");
    program.file("flat/1.png", picture(1));
    run(&program, &weights, &["flat"]).refused(&["flat: it has no folders", "--list"]);
    folder("empty/dog");
    run(&program, &weights, &["empty"]).refused(&["empty: no pictures"]);
    program.file("list.csv", "path,label\n");
    run(&program, &weights, &["--list", "list.csv"]).refused(&["list.csv: no pictures"]);
    run(&program, &weights, &["--list", "absent.csv"]).refused(&["absent.csv: ", "No such file"]);
    program.file("noise.csv", [0x89, b'P', b'N', b'G', 0, 1, 2]);
    run(&program, &weights, &["--list", "noise.csv"]).refused(&["noise.csv: this is no table"]);
    // Nothing but failures, and nothing but others: no figures, but no wrong ones either.
    program.file("bad.csv", "absent.png,dog\n");
    let ran = run(&program, &weights, &["--json", "--list", "bad.csv"]);
    assert_eq!((ran.code, &ran.json()["accuracy"]), (Some(2), &Value::Null));
    program.file("others.csv", "flat/1.png,unknown\n");
    let json = report(&program, &weights, &["--list", "others.csv"]);
    assert_eq!(
        (&json["others"], &json["log_loss"]),
        (&1.into(), &Value::Null)
    );
    for list in ["bad.csv", "others.csv"] {
        let ran = run(
            &program,
            &weights,
            &["--list", list, "--confusion", "m.png"],
        );
        assert!(ran.text().starts_with("0 pictures"), "{}", ran.text());
        assert!(image::open(program.path("m.png")).is_ok());
    }
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
