//! Classes that are added to learned ones and removed from them, and what `learn` says of its pictures.

use std::collections::BTreeMap;

use image::{Rgb, RgbImage};
use serde_json::Value;

use crate::learn::{backbone, picture};
use crate::support::{Program, Ran, arg};

/// Writes pictures of a kind into a class's folder.
fn pictures(program: &Program, folder: &str, kind: usize, numbers: std::ops::Range<usize>) {
    let folder = program.path(folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    for number in numbers {
        let path = folder.join(format!("{number:03}.png"));
        picture(kind, number).save(path).expect("saved");
    }
}

/// Three classes, together and apart.
fn album(program: &Program) {
    for (kind, (class, part)) in [("ape", "two"), ("bee", "one"), ("cow", "two")]
        .iter()
        .enumerate()
    {
        for folder in [*part, "all"] {
            pictures(program, &format!("{folder}/{class}"), kind, 0..9 + kind);
        }
    }
}

fn learn(program: &Program, weights: &str, more: &[&str]) -> Ran {
    let fixed = ["learn", "--device", "cpu", "--weights", weights];
    program.run(&[&fixed, more].concat())
}

/// From nothing but a backbone.
fn learn_anew(program: &Program, folder: &str, output: &str, more: &[&str]) -> Ran {
    let backbone = backbone(program);
    let fixed = [folder, "--size", "64", "-o", output];
    let ran = learn(program, arg(&backbone), &[&fixed, more].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran
}

fn bytes(program: &Program, name: &str) -> Vec<u8> {
    std::fs::read(program.path(name)).expect("a file")
}

#[test]
fn adding_and_removing_is_learning_all_at_once() {
    let program = Program::new();
    album(&program);
    for more in [
        &[][..],
        &["--no-mirror"],
        &[
            "--reject",
            "0.2",
            "--folds",
            "3",
            "--seed",
            "7",
            "--no-balance",
        ],
    ] {
        learn_anew(&program, "all", "all.safetensors", more);
        learn_anew(&program, "two", "two.safetensors", more);
        // What is not said is as it was; the new class comes between the others.
        let ran = learn(
            &program,
            "two.safetensors",
            &["--add", "one", "-o", "sum.safetensors"],
        );
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{more:?}");
        assert!(
            bytes(&program, "sum.safetensors") == bytes(&program, "all.safetensors"),
            "{more:?}"
        );
        let remove = ["--remove", "bee", "-o", "rest.safetensors"];
        let ran = learn(&program, "sum.safetensors", &remove);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{more:?}");
        assert!(
            bytes(&program, "rest.safetensors") == bytes(&program, "two.safetensors"),
            "{more:?}"
        );
    }
    // One out, another in.
    let swap = ["--remove", "ape", "--add", "one", "-o", "swap.safetensors"];
    assert_eq!(learn(&program, "two.safetensors", &swap).code, Some(0));
    let ran = learn(
        &program,
        "sum.safetensors",
        &["--remove", "ape", "-o", "other.safetensors"],
    );
    assert_eq!(ran.code, Some(0));
    assert!(bytes(&program, "swap.safetensors") == bytes(&program, "other.safetensors"));
    // A converted checkpoint is the same one.
    for more in [&[][..], &["--fold-batch-norm"]] {
        let convert = ["convert", "two.safetensors", "-o", "again.safetensors"];
        assert_eq!(program.run(&[&convert[..], more].concat()).code, Some(0));
        let ran = learn(
            &program,
            "again.safetensors",
            &["--add", "one", "-o", "sum.safetensors"],
        );
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let bias = |name: &str| {
            let all = crate::support::tensors(program.path(name));
            crate::support::floats(&all["conv_preds.bias"])
        };
        assert_eq!(bias("sum.safetensors"), bias("all.safetensors"), "{more:?}");
    }
}

#[test]
fn pictures_are_added_to_a_class_that_is_there() {
    let program = Program::new();
    album(&program);
    learn_anew(&program, "two", "two.safetensors", &[]);
    // All of them again are nothing new.
    let ran = learn(
        &program,
        "two.safetensors",
        &["--add", "two", "-o", "same.safetensors"],
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("count once: 20"), "{}", ran.stderr);
    assert!(bytes(&program, "same.safetensors") == bytes(&program, "two.safetensors"));
    pictures(&program, "more/ape", 0, 20..25);
    let add = ["--add", "more", "-o", "more.safetensors", "--json"];
    let report = learn(&program, "two.safetensors", &add).json();
    let counts = |row: &Value| (row["label"].clone(), row["pictures"].clone());
    let rows: Vec<_> = report["classes"]
        .as_array()
        .expect("rows")
        .iter()
        .map(counts)
        .collect();
    assert_eq!(rows, [("ape".into(), 14.into()), ("cow".into(), 11.into())]);
}

/// In an order that the user gave them classes stay, and others come behind.
#[test]
fn classes_in_an_order_of_their_own_stay_in_it() {
    let program = Program::new();
    album(&program);
    learn_anew(&program, "two", "two.safetensors", &[]);
    program.file("order.txt", "cow\nape\n");
    let convert = ["convert", "two.safetensors", "-o", "turned.safetensors"];
    let order = ["--labels", "order.txt", "--order", "labels"];
    assert_eq!(program.run(&[&convert[..], &order].concat()).code, Some(0));
    let add = ["--add", "one", "-o", "sum.safetensors", "--json"];
    let report = learn(&program, "turned.safetensors", &add).json();
    let rows = report["classes"].as_array().expect("rows").iter();
    let rows: Vec<_> = rows
        .map(|row| (row["label"].clone(), row["pictures"].clone()))
        .collect();
    let expected = [("cow", 11), ("ape", 9), ("bee", 10)];
    assert_eq!(
        rows,
        expected.map(|(label, count)| (label.into(), count.into()))
    );
    // And are told as those of the checkpoint in the usual order.
    let answers = |weights: &str| {
        let ran = program.run(&[
            "classify",
            "--jsonl",
            "-k",
            "1",
            "--weights",
            weights,
            "all",
        ]);
        let rows = ran.rows().into_iter();
        rows.map(|row| row["predictions"][0]["label"].clone())
            .collect::<Vec<_>>()
    };
    learn_anew(&program, "all", "all.safetensors", &[]);
    assert_eq!(answers("sum.safetensors"), answers("all.safetensors"));
}

#[test]
fn what_cant_be_done_exactly_is_refused() {
    let program = Program::new();
    album(&program);
    let backbone = backbone(&program);
    let output = ["-o", "new.safetensors"];
    let add = |weights: &str, more: &[&str]| {
        learn(
            &program,
            weights,
            &[&output[..], &["--add", "one"], more].concat(),
        )
    };
    add(arg(&backbone), &["--size", "64"])
        .refused(&["backbone.safetensors", "from their pictures"]);
    learn_anew(&program, "two", "two.safetensors", &[]);
    learn_anew(&program, "two", "bare.safetensors", &["--examples", "19"]);
    assert!(bytes(&program, "bare.safetensors").len() < bytes(&program, "two.safetensors").len());
    add("bare.safetensors", &[]).refused(&["bare.safetensors", "of the 20 pictures", "--examples"]);
    let convert = |output: &str, more: &[&str]| {
        let fixed = ["convert", "two.safetensors", "-o", output];
        assert_eq!(program.run(&[&fixed, more].concat()).code, Some(0));
    };
    convert("half.safetensors", &["--dtype", "f16"]);
    convert("light.safetensors", &["--without-examples"]);
    let quantize = ["quantize", "two.safetensors", "-o", "int8.safetensors"];
    assert_eq!(program.run(&quantize).code, Some(0));
    for weights in ["half.safetensors", "light.safetensors"] {
        add(weights, &[]).refused(&[weights, "no embeddings of the 20 pictures"]);
    }
    add("int8.safetensors", &[]).refused(&["int8.safetensors", "--dtype f32"]);
    // They answer as before all the same.
    let classify = |weights: &str| {
        let ran = program.run(&["classify", "--jsonl", "--weights", weights, "all"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.stdout
    };
    let answers = classify("two.safetensors");
    assert!(answers == classify("light.safetensors") && answers == classify("bare.safetensors"));
    add("two.safetensors", &["--size", "96"]).refused(&["two.safetensors", "another size"]);
    add("two.safetensors", &["--crop", "squash"]).refused(&["two.safetensors", "seen otherwise"]);
    add("two.safetensors", &["--no-mirror"]).refused(&["--no-mirror"]);
    let refused = |more: &[&str], parts: &[&str]| {
        learn(&program, "two.safetensors", &[&output[..], more].concat()).refused(parts);
    };
    refused(&["--remove", "cat"], &["--remove cat", "ape, cow"]);
    refused(&["--remove", "ape"], &["one class alone"]);
    refused(&["--remove", "ape", "one"], &["--add"]);
    refused(&["--add"], &["DIR"]);
    refused(&[], &["DIR"]);
    refused(&["all", "--predictions", "all/ape/000.png"], &["000.png"]);
    refused(&["all", "--predictions", "new.safetensors"], &["twice"]);
    assert!(!program.path("new.safetensors").exists());
    // A damaged file is one.
    let whole = bytes(&program, "two.safetensors");
    let at = |part: &[u8]| {
        whole
            .windows(part.len())
            .position(|w| w == part)
            .expect("there")
    };
    let mut damaged = whole.clone();
    damaged[at(b"learned.examples")] = b'L';
    program.file("damaged.safetensors", damaged);
    add("damaged.safetensors", &[]).refused(&["damaged.safetensors", "learned.examples"]);
}

#[test]
fn the_table_has_what_each_held_out_picture_was_told_to_be() {
    let program = Program::new();
    album(&program);
    // Some that are told wrongly.
    pictures(&program, "all/ape", 1, 40..43);
    let report = learn_anew(
        &program,
        "all",
        "all.safetensors",
        &["--predictions", "p.csv", "--json"],
    );
    let report = report.json();
    let mut table = csv::Reader::from_path(program.path("p.csv")).expect("a table");
    let header = "path,true,predicted,score,true_score,rejected,highest";
    assert_eq!(
        table
            .headers()
            .expect("a header")
            .iter()
            .collect::<Vec<_>>()
            .join(","),
        header
    );
    let (mut confused, mut rejected, mut right) = (BTreeMap::new(), 0, 0);
    let threshold = report["rejection"]["threshold"]
        .as_f64()
        .expect("a threshold");
    let rows: Vec<csv::StringRecord> = table.records().map(|row| row.expect("a row")).collect();
    assert_eq!(Some(rows.len() as u64), report["held_out"].as_u64());
    for row in &rows {
        assert!(row[0].starts_with(&format!("all/{}/", &row[1])), "{row:?}");
        let number = |i: usize| row[i].parse::<f64>().expect("a number");
        assert!(number(3) >= number(4));
        assert_eq!(&row[5] == "true", number(3) < threshold, "{row:?}");
        assert_eq!(
            &row[2],
            if &row[5] == "true" {
                "unknown"
            } else {
                &row[6]
            }
        );
        rejected += u64::from(&row[5] == "true");
        right += u64::from(row[1] == row[6]);
        if row[1] != row[6] {
            *confused
                .entry((row[1].to_owned(), row[6].to_owned()))
                .or_insert(0) += 1;
        }
    }
    let pairs = report["most_confused"].as_array().expect("pairs");
    assert!(!pairs.is_empty() && pairs.len() == confused.len());
    for pair in pairs {
        let key = |name: &str| pair[name].as_str().expect("a label").to_owned();
        assert_eq!(
            Some(confused[&(key("truth"), key("predicted"))]),
            pair["count"].as_u64()
        );
    }
    let share = |count: u64| count as f64 / rows.len() as f64;
    assert_eq!(report["accuracy"].as_f64(), Some(share(right)));
    assert_eq!(
        report["rejection"]["rejected"].as_f64(),
        Some(share(rejected))
    );
    // Of an earlier run's pictures nobody knows the names.
    learn_anew(&program, "two", "two.safetensors", &[]);
    let add = [
        "--add",
        "one",
        "-o",
        "sum.safetensors",
        "--predictions",
        "p.csv",
    ];
    let ran = learn(&program, "two.safetensors", &add);
    assert!(ran.stderr.contains("no row: 20"), "{}", ran.stderr);
    let text = String::from_utf8(bytes(&program, "p.csv")).expect("UTF-8");
    assert!(
        text.lines().count() == 11
            && text
                .lines()
                .skip(1)
                .all(|line| line.starts_with("one/bee/"))
    );
}

#[test]
fn one_picture_in_two_classes_is_noticed() {
    let program = Program::new();
    album(&program);
    let ran = learn_anew(&program, "all", "all.safetensors", &[]);
    assert!(!ran.stderr.contains("two classes"), "{}", ran.stderr);
    // The same bytes; the same pixels in another file; nearly the same.
    std::fs::copy(
        program.path("all/ape/001.png"),
        program.path("all/cow/x.png"),
    )
    .expect("copied");
    let raw = |picture: &RgbImage| {
        let (width, height) = picture.dimensions();
        [
            format!("P6 {width} {height} 255\n").as_bytes(),
            picture.as_raw(),
        ]
        .concat()
    };
    program.file("all/ape/y.ppm", raw(&picture(1, 2)));
    let mut changed = picture(2, 3);
    changed.put_pixel(5, 5, Rgb([0, 0, 0]));
    program.file("all/bee/z.ppm", raw(&changed));
    // In one class it is no mistake.
    std::fs::copy(
        program.path("all/cow/004.png"),
        program.path("all/cow/copy.png"),
    )
    .expect("copied");
    let ran = learn_anew(&program, "all", "all.safetensors", &[]);
    assert!(
        ran.stderr
            .contains("two classes, so that one of them is wrong: 3\n"),
        "{}",
        ran.stderr
    );
    for part in [
        "all/ape/001.png and all/cow/x.png (the same)",
        "all/ape/y.ppm and all/bee/002.png (the same)",
        "all/bee/z.ppm and all/cow/003.png (similarity ",
    ] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("copy.png"), "{}", ran.stderr);
    let ran = learn_anew(&program, "all", "all.safetensors", &["--quiet"]);
    assert_eq!(ran.stderr, "");
    // Beside a class that was learned earlier.
    learn_anew(&program, "two", "two.safetensors", &[]);
    std::fs::copy(
        program.path("two/ape/001.png"),
        program.path("one/bee/x.png"),
    )
    .expect("copied");
    let ran = learn(
        &program,
        "two.safetensors",
        &["--add", "one", "-o", "sum.safetensors"],
    );
    let part = "an earlier picture of ape and one/bee/x.png (the same)";
    assert!(ran.stderr.contains(part), "{}", ran.stderr);
}

#[test]
fn classes_of_very_different_size_count_alike_or_it_is_said() {
    let program = Program::new();
    pictures(&program, "all/few", 0, 0..4);
    pictures(&program, "all/many", 1, 0..40);
    let ran = learn_anew(&program, "all", "all.safetensors", &["--no-balance"]);
    let said = "many has 40 pictures and few has 4";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    assert!(ran.stderr.contains("--no-balance"), "{}", ran.stderr);
    let ran = learn_anew(&program, "all", "balanced.safetensors", &[]);
    assert!(!ran.stderr.contains(said), "{}", ran.stderr);
    // The prior that the smaller class has in the bias, for the same direction of the weights.
    let leaning = |name: &str| {
        let bias = crate::support::tensors(program.path(name))["conv_preds.bias"].clone();
        let bias = crate::support::floats(&bias);
        bias[0] - bias[1]
    };
    assert_ne!(leaning("balanced.safetensors"), leaning("all.safetensors"));
    let recall = |options: &[&str]| {
        let fixed = ["--json", "--reject", "0"];
        let report = learn_anew(
            &program,
            "all",
            "x.safetensors",
            &[&fixed, options].concat(),
        )
        .json();
        report["classes"][0]["recall"].as_f64().expect("a recall")
    };
    assert!(recall(&[]) >= recall(&["--no-balance"]));
}

#[test]
fn a_learned_checkpoint_says_what_was_learned() {
    let program = Program::new();
    album(&program);
    let report = learn_anew(&program, "all", "all.safetensors", &["--json"]).json();
    let summary = ["summary", "--weights", "all.safetensors"];
    let text = program.run(&summary);
    let accuracy = report["accuracy"].as_f64().expect("a number");
    let told = [
        "embeddings of 30 pictures of 3 classes, each with its mirror image".to_owned(),
        format!(
            "of 30 pictures told rightly in 5-fold cross-validation ({:.1} %)",
            100.0 * accuracy
        ),
        format!(
            "score under {:.4}",
            report["rejection"]["threshold"].as_f64().expect("a number")
        ),
    ];
    for part in &told {
        assert!(text.text().contains(part), "{part}: {}", text.text());
    }
    let json = program.run(&[&summary[..], &["--json"]].concat()).json();
    assert_eq!(json["learned"]["pictures"], serde_json::json!([9, 10, 11]));
    assert_eq!(json["learned"]["held_out"]["accuracy"], report["accuracy"]);

    // The card, also of classes under other names and in another order.
    program.file("labels.txt", "Affe\nZebra|1\nKuh\n");
    let convert = [
        "convert",
        "all.safetensors",
        "-o",
        "hub/",
        "--labels",
        "labels.txt",
        "--order",
        "name",
    ];
    assert_eq!(program.run(&convert).code, Some(0));
    let card = String::from_utf8(bytes(&program, "hub/README.md")).expect("UTF-8");
    for part in &told {
        assert!(card.contains(part), "{part}: {card}");
    }
    let recall =
        |row: &Value| format!("{:.1} %", 100.0 * row["recall"].as_f64().expect("a number"));
    let rows = report["classes"].as_array().expect("rows");
    let expected = format!(
        "| --- | --- | --- |\n| Affe | 9 | {} |\n| Kuh | 11 | {} |\n| Zebra\\|1 | 10 | {} |\n",
        recall(&rows[0]),
        recall(&rows[2]),
        recall(&rows[1])
    );
    assert!(card.contains(&expected), "{card}");
    assert!(card.contains("in the checkpoint"), "{card}");
    let half = [
        "convert",
        "all.safetensors",
        "-o",
        "half/",
        "--dtype",
        "f16",
    ];
    assert_eq!(program.run(&half).code, Some(0));
    let card = String::from_utf8(bytes(&program, "half/README.md")).expect("UTF-8");
    assert!(
        card.contains("30 pictures") && !card.contains("in the checkpoint"),
        "{card}"
    );
    // What was not learned says nothing of it.
    let backbone = backbone(&program);
    let ran = program.run(&["summary", "--json", "--weights", arg(&backbone)]);
    assert!(ran.json().get("learned").is_none());
}
