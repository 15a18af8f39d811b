//! Which picture is of which class.

use mobilenet::model::{Config, random_tensors};
use mobilenet::pixels::Preprocessing;
use mobilenet::weights::Checkpoint;
use serde_json::Value;

use super::{album, checkpoint, imagenet, picture, report, run};
use crate::support::{Program, Ran, arg};

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
    run(&program, &weights, &["--list", "absent.csv"]).refused(&["absent.csv: ", "no such file"]);
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

/// Folders `0` to `10` of a network whose classes have no names: its outputs may go by their numbers, or by
/// their order as names, in which `10` comes before `2`.
#[test]
fn folders_of_numbers_go_by_them_unless_their_order_is_asked_for() {
    let program = Program::new();
    let config = Config {
        classes: Some(11),
        ..Config::with_alpha(0.05)
    };
    let tensors = random_tensors(&config, 3).expect("tensors");
    let path = program.path("eleven.safetensors");
    Checkpoint::from_tensors(&path, config, tensors, Preprocessing::center(32), None)
        .and_then(|made| made.save(&path))
        .expect("a checkpoint");
    for number in 0..11 {
        let folder = program.path(&format!("album/{number}"));
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("0.png"), picture(number)).expect("a picture");
    }
    let truths = |more: &[&str]| {
        let common = [
            "eval",
            "album",
            "--weights",
            arg(&path),
            "--predictions",
            "p.csv",
        ];
        let ran = program.run(&[&common[..], more].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let table = std::fs::read_to_string(program.path("p.csv")).expect("a table");
        let ten = table.lines().find(|line| line.contains("/10/"));
        (ten.expect("a row").to_owned(), ran.stderr)
    };
    let (by_number, said) = truths(&[]);
    assert!(by_number.contains("class 10"), "{by_number}");
    assert!(said.contains("--folders name"), "{said}");
    let (asked, silent) = truths(&["--folders", "number"]);
    assert_eq!(asked, by_number);
    assert!(!silent.contains("--folders"), "{silent}");
    let (by_name, silent) = truths(&["--folders", "name"]);
    assert!(
        by_name.contains("class 2") && by_name != by_number,
        "{by_name}"
    );
    assert!(!silent.contains("--folders"), "{silent}");
    std::fs::remove_dir_all(program.path("album/10")).expect("removed");
    let ran = program.run(&[
        "eval",
        "album",
        "--weights",
        arg(&path),
        "--folders",
        "name",
    ]);
    ran.refused(&["10 folders for 11 classes"]);
}
