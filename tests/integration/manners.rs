//! What the program says to whoever meant something else, and small things that shells and people ask for.

use std::fs;
use std::time::{Duration, SystemTime};

use crate::support::{Program, Ran, arg, data, repository};

const TINY: &str = "keras/tiny.keras";

/// A colour all over.
fn picture(program: &Program, name: &str, colour: [u8; 3]) {
    let picture = image::RgbImage::from_fn(40, 40, |x, y| {
        image::Rgb(colour.map(|c| c ^ ((x * y) as u8 & 63)))
    });
    picture.save(program.path(name)).expect("saved");
}

fn run(program: &Program, command: &str, more: &[&str]) -> Ran {
    let weights = data(TINY);
    program.run(&[&[command, "--weights", arg(&weights)], more].concat())
}

#[test]
fn a_number_behind_rollup_is_told_from_a_picture() {
    let program = Program::new();
    picture(&program, "x.png", [9, 99, 200]);
    let ran = run(&program, "classify", &["--rollup", "0.9", "x.png"]);
    ran.refused(&["--rollup=0.9 is what is meant"]);
    run(&program, "classify", &["--rollup", "x.png", "1"]).refused(&["--rollup=1"]);
    // One that is there is a picture.
    picture(&program, "y.png", [9, 99, 200]);
    fs::rename(program.path("y.png"), program.path("0.9")).expect("renamed");
    let ran = run(&program, "classify", &["--rollup", "0.9"]);
    ran.refused(&["--rollup needs ImageNet's classes"]);
}

/// On a terminal, or where it is asked for.
#[test]
fn a_pattern_that_no_label_matches_is_told_with_near_names() {
    let program = Program::new();
    picture(&program, "x.png", [9, 99, 200]);
    program.file("labels", "red fox\nsnow owl\nc\nd\ne\nf\ng\n");
    let grep = |more: &[&str]| run(&program, "grep", &[&["--labels", "labels"], more].concat());
    let ran = grep(&["--verbose", "snow ovl", "x.png"]);
    assert_eq!(ran.code, Some(1));
    let said = "no label of this network matches \"snow ovl\"; near names: snow owl";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    let ran = grep(&["--verbose", "-e", "owl", "-e", "dgo|ct", "x.png"]);
    assert!(ran.stderr.contains("matches \"dgo|ct\""), "{}", ran.stderr);
    assert!(!ran.stderr.contains("matches \"owl\""), "{}", ran.stderr);
    for more in [
        &["ovl", "x.png"][..],
        &["--verbose", "unknown", "x.png"],
        &["--verbose", "owl", "x.png"],
    ] {
        let ran = grep(more);
        assert!(!ran.stderr.contains("no label"), "{}", ran.stderr);
    }
    let weights = repository("weights/digits.safetensors");
    let ran = program.run(&[
        "grep",
        "--weights",
        arg(&weights),
        "--verbose",
        "fox",
        "x.png",
    ]);
    assert!(
        ran.stderr
            .contains("no label of this network matches \"fox\""),
        "{}",
        ran.stderr
    );
}

#[test]
fn labels_alone_and_answers_by_their_scores() {
    let program = Program::new();
    for (name, colour) in [
        ("a.png", [250, 10, 30]),
        ("b.png", [0, 0, 0]),
        ("c.png", [20, 240, 90]),
    ] {
        picture(&program, name, colour);
    }
    let names = ["a.png", "absent.png", "b.png", "c.png"];
    let classify = |more: &[&str]| run(&program, "classify", &[&names[..], more].concat());
    let rows = classify(&["--jsonl"]).rows();
    let ran = classify(&["--labels-only", "-k", "2"]);
    assert_eq!(ran.code, Some(2));
    let label = |row: &serde_json::Value, rank: usize| {
        row["predictions"][rank]["label"]
            .as_str()
            .expect("a label")
            .to_owned()
    };
    let line = |row: &serde_json::Value| match row["error"].is_null() {
        true => format!("{}\t{}", label(row, 0), label(row, 1)),
        false => String::new(),
    };
    let lines: Vec<String> = rows.iter().map(line).collect();
    assert_eq!(ran.text(), lines.join("\n") + "\n");
    classify(&["--labels-only", "--json"]).refused(&["--labels-only is for --format text"]);

    let sorted = classify(&["--sort", "score", "--jsonl"]);
    assert_eq!(sorted.code, Some(2));
    let mut expected = rows.clone();
    let score = |row: &serde_json::Value| row["predictions"][0]["score"].as_f64().unwrap_or(-1.0);
    expected.sort_by(|a, b| score(b).total_cmp(&score(a)));
    assert_ne!(expected, rows);
    assert_eq!(sorted.rows(), expected);
    let sorted = classify(&["--sort", "score", "-o", "x.csv"]);
    assert_eq!(sorted.code, Some(2));
    let table = fs::read_to_string(program.path("x.csv")).expect("written");
    assert!(
        table
            .lines()
            .last()
            .expect("rows")
            .starts_with("absent.png,"),
        "{table}"
    );
    classify(&["--sort", "score", "-o", "x.csv", "--resume"]).refused(&["--sort"]);
}

#[test]
fn pictures_that_may_be_on_their_way_are_left_for_the_next_run() {
    let program = Program::new();
    fs::create_dir(program.path("album")).expect("a folder");
    let now = SystemTime::now();
    let hour = Duration::from_secs(3600);
    for (name, written) in [
        ("old", now - hour),
        ("young", now),
        ("clock", now + hour * 24),
    ] {
        let name = format!("album/{name}.png");
        picture(&program, &name, [9, 99, 200]);
        let file = fs::File::options()
            .append(true)
            .open(program.path(&name))
            .expect("a file");
        file.set_modified(written).expect("a time");
    }
    let fixed = ["album", "--min-age", "600"];
    for (command, more) in [
        ("classify", &["--jsonl"][..]),
        ("embed", &[]),
        ("grep", &["-v", "nothing"]),
    ] {
        // Without a pattern's place between.
        let arguments = match command {
            "grep" => [more, &fixed].concat(),
            _ => [&fixed[..], more].concat(),
        };
        let ran = run(&program, command, &arguments);
        assert_eq!(ran.text().lines().count(), 2, "{ran:?}");
        assert!(!ran.text().contains("young"), "{ran:?}");
        assert!(
            ran.stderr
                .contains("younger than 600 s, and left for the next run: 1"),
            "{}",
            ran.stderr
        );
    }
    let out = ["-o", "x.jsonl", "--resume"];
    assert_eq!(
        run(&program, "classify", &[&fixed[..], &out].concat()).code,
        Some(0)
    );
    let file = fs::File::options()
        .append(true)
        .open(program.path("album/young.png"))
        .expect("a file");
    file.set_modified(now - hour).expect("a time");
    let ran = run(&program, "classify", &[&fixed[..], &out].concat());
    assert!(
        (ran.code, ran.stderr.contains("younger")) == (Some(0), false),
        "{ran:?}"
    );
    let rows = fs::read_to_string(program.path("x.jsonl")).expect("written");
    assert_eq!(rows.lines().count(), 3);
    // What is named is always looked at.
    let ran = run(
        &program,
        "classify",
        &["album/old.png", "--min-age", "999999", "--jsonl"],
    );
    assert_eq!(ran.rows().len(), 1);
}

#[test]
fn several_pictures_are_explained_into_a_folder() {
    let program = Program::new();
    fs::create_dir_all(program.path("album/sub")).expect("a folder");
    for name in ["album/a.png", "album/sub/a.png", "b.png"] {
        picture(&program, name, [9, 99, 200]);
    }
    let explain = |more: &[&str]| run(&program, "explain", more);
    let ran = explain(&["album", "absent.png", "b.png", "-o", "maps/"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.contains("absent.png: no such file"),
        "{}",
        ran.stderr
    );
    let entries = fs::read_dir(program.path("maps")).expect("a folder");
    let mut drawn: Vec<_> = entries
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    drawn.sort();
    assert_eq!(drawn, ["a.png", "a.png.png", "b.png"]);
    assert_eq!(explain(&["b.png", "-o", "one.png"]).code, Some(0));
    let same = |a: &str, b: &str| {
        fs::read(program.path(a)).expect("drawn") == fs::read(program.path(b)).expect("drawn")
    };
    assert!(same("one.png", "maps/b.png"));
    // Again in their places, and beside what is not theirs.
    assert_eq!(explain(&["album", "b.png", "-o", "maps"]).code, Some(0));
    program.file("maps/b.png", "mine");
    explain(&["album", "b.png", "-o", "maps"]).refused(&["maps/b.png: is there already"]);
    explain(&["album", "b.png", "-o", "new.png"]).refused(&["new.png", "is a folder", "new.png/"]);
    explain(&["album", "b.png", "-o", "-"]).refused(&["one picture"]);
    explain(&["album/a.png", "-o", "album"]).refused(&["album/a.png: it would replace"]);
    let ran = explain(&["album", "b.png", "--json"]);
    assert_eq!((ran.code, ran.rows().len()), (Some(0), 3));
}

/// A bundle is called what its maker has called it, in what it says and advises.
#[cfg(unix)]
#[test]
fn a_program_of_another_name_calls_itself_by_it() {
    let program = Program::new();
    picture(&program, "x.png", [9, 99, 200]);
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_mobilenet"), program.path("birds"))
        .expect("a link");
    let birds = |arguments: &[&str]| {
        let mut command = std::process::Command::new(program.path("birds"));
        Ran::of(
            command
                .current_dir(program.path(""))
                .args(arguments)
                .output()
                .expect("a run"),
        )
    };
    let weights = data(TINY);
    birds(&["x.png"]).refused(&["try: birds classify x.png"]);
    program.file("list", "x.png\n");
    birds(&["grep", "--weights", arg(&weights), "--files-from", "list"])
        .refused(&["birds: no pattern: birds grep PATTERN"]);
    let help = birds(&["similar", "--help"]);
    assert!(
        help.text().contains("Usage: birds similar [OPTIONS] QUERY"),
        "{}",
        help.text()
    );
    assert!(
        !help.text().contains("mobilenet similar"),
        "{}",
        help.text()
    );
    let ran = birds(&["classify", "absent.png", "--weights", arg(&weights)]);
    assert!(
        ran.stderr.contains("birds: absent.png: no such file"),
        "{}",
        ran.stderr
    );
}

/// The network that made an album is found again, where it lies beside it.
#[test]
fn a_query_is_seen_by_the_network_that_made_the_album() {
    let program = Program::new();
    fs::create_dir_all(program.path("album")).expect("a folder");
    for (name, colour) in [
        ("album/a.png", [250, 10, 30]),
        ("album/b.png", [0, 0, 0]),
        ("q.png", [0, 9, 0]),
    ] {
        picture(&program, name, colour);
    }
    fs::copy(data(TINY), program.path("own.keras")).expect("copied");
    let embed = [
        "embed",
        "album",
        "--weights",
        "own.keras",
        "--crop",
        "squash",
        "-o",
        "made.safetensors",
    ];
    assert_eq!(program.run(&embed).code, Some(0));
    let similar = |more: &[&str]| {
        program.run(&[&["similar", "q.png", "made.safetensors", "--offline"], more].concat())
    };
    let named = similar(&["--weights", "own.keras", "--crop", "squash"]);
    assert_eq!(
        (named.code, named.text().lines().count()),
        (Some(0), 2),
        "{named:?}"
    );
    for more in [&[][..], &["--weights", "own.keras"]] {
        let found = similar(more);
        assert_eq!(
            (found.code, found.text()),
            (Some(0), named.text()),
            "{found:?}"
        );
    }
    similar(&["--crop", "center"]).refused(&["seen in another way", "own.keras"]);
    // Another file of its name is not taken for it.
    fs::copy(data("keras/tiny_model.h5"), program.path("own.keras")).expect("copied");
    assert_eq!(similar(&[]).code, Some(2));
    similar(&["--weights", "own.keras"]).refused(&["other weights", "(own.keras)"]);
}
