//! What commands write, and what they must not replace by it.

use std::path::Path;

use image::RgbImage;

use crate::support::{Program, arg, data};

/// A checkpoint in a folder, and pictures of two classes.
fn program() -> Program {
    let program = Program::new();
    let ran = program.run(&[
        "convert",
        arg(&data("keras/tiny.keras")),
        "-o",
        "weights/",
        "--size",
        "32",
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for class in ["0", "1"] {
        let folder = program.path("album").join(class);
        std::fs::create_dir_all(&folder).expect("a folder");
        for i in 0..3u8 {
            let picture = RgbImage::from_pixel(40, 40, image::Rgb([i * 80, 99, 7]));
            picture
                .save(folder.join(format!("{i}.png")))
                .expect("saved");
        }
    }
    program
}

fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("still there")
}

/// The file is found in the folder, not named.
#[test]
fn no_command_replaces_the_weights_that_it_reads() {
    let program = program();
    let weights = program.path("weights/model.safetensors");
    let before = bytes(&weights);
    let labels = program.file("labels.txt", "a\n".repeat(10));
    let to = "weights/model.safetensors";
    let picture = "album/0/0.png";
    let runs: [&[&str]; 5] = [
        &["classify", picture, "-o", to, "--format", "csv"],
        &["embed", picture, "-o", to],
        &["learn", "album", "-o", to],
        &["train", "album", "-o", to, "--epochs", "1"],
        &["bundle", "-o", to],
    ];
    for run in runs {
        let ran = program.run(&[run, &["--weights", "weights"]].concat());
        ran.refused(&[to, "it would replace"]);
        assert_eq!(bytes(&weights), before, "{run:?}");
    }
    // What is written there is no table.
    let others: [&[&str]; 3] = [
        &["classify", picture, "-o", to],
        &["embed", picture, "-o", "x.npy", "--paths", to],
        &["eval", "album", "--predictions", to],
    ];
    for run in others {
        program
            .run(&[run, &["--weights", "weights"]].concat())
            .refused(&[to]);
        assert_eq!(bytes(&weights), before, "{run:?}");
    }
    assert!(!program.path("x.npy").exists());
    let ran = program.run(&["explain", picture, "-o", to, "--weights", "weights"]);
    ran.refused(&[to, "what is written is a PNG"]);
    assert_eq!(bytes(&weights), before);
    let labels = ["--labels", arg(&labels), "-o", arg(&labels)];
    for command in ["classify", "explain"] {
        let run = [command, picture, "--weights", "weights"];
        let ran = program.run(&[&run[..], &labels].concat());
        ran.refused(&["labels.txt", "it would replace"]);
    }
    let left: Vec<_> = std::fs::read_dir(program.path("weights"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .filter(|name| name.to_string_lossy().starts_with('.'))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn no_command_replaces_a_picture_by_something_else() {
    let program = program();
    let picture = "album/0/0.png";
    let before = bytes(&program.path(picture));
    let other = "album/1/1.png";
    let runs: [&[&str]; 7] = [
        &["classify", other, "-o", picture],
        &["embed", other, "-o", picture, "--format", "npy"],
        &["eval", "album", "--predictions", picture],
        &["learn", "album", "-o", picture],
        &["train", "album", "-o", picture],
        &["train", "album", "-o", "x.safetensors", "--curves", picture],
        &["bundle", "-o", picture],
    ];
    for run in runs {
        let ran = program.run(&[run, &["--weights", "weights"]].concat());
        ran.refused(&[picture]);
        assert_eq!(bytes(&program.path(picture)), before, "{run:?}");
    }
    program
        .run(&["convert", "weights", "-o", picture])
        .refused(&[picture, "is a picture"]);
    assert_eq!(bytes(&program.path(picture)), before);
}

/// A picture is drawn in the place of an earlier one, and of nothing else.
#[test]
fn only_what_was_drawn_is_replaced_by_a_drawing() {
    let program = program();
    let picture = "album/0/0.png";
    let photograph = bytes(&program.path(picture));
    let drawn = program.run(&["explain", picture, "--weights", "weights", "-o", "-"]);
    assert_eq!(drawn.code, Some(0), "{}", drawn.stderr);
    let start = &drawn.stdout[..64];
    let says = |text: &[u8]| start.windows(text.len()).any(|part| part == text);
    assert!(says(b"tEXtSoftware\0mobilenet"), "{start:?}");
    let small: [&str; 8] = [
        "--epochs",
        "1",
        "--alpha",
        "0.1",
        "--shallow",
        "--size",
        "32",
        "--quiet",
    ];
    let trained = ["train", "album", "-o", "x.safetensors", "--curves", "x.png"];
    let runs: [&[&str]; 3] = [
        &["explain", picture, "-o", "x.png", "--weights", "weights"],
        &[
            "eval",
            "album",
            "--confusion",
            "x.png",
            "--weights",
            "weights",
        ],
        &[&trained[..], &small].concat(),
    ];
    for run in runs {
        for other in [&photograph[..], b"notes", b"\x89PNG\r\n\x1a\n"] {
            program.file("x.png", other);
            program.run(run).refused(&["x.png: is there already"]);
            assert_eq!(bytes(&program.path("x.png")), other, "{run:?}");
        }
        for replaced in [&drawn.stdout[..], b""] {
            program.file("x.png", replaced);
            let ran = program.run(run);
            assert_eq!(ran.code, Some(0), "{run:?}: {}", ran.stderr);
            let png = bytes(&program.path("x.png"));
            assert!(image::load_from_memory(&png).is_ok(), "{run:?}");
        }
    }
}

#[test]
fn a_conversion_to_a_folder_replaces_only_an_earlier_one() {
    let program = program();
    for name in [
        "README.md",
        "config.json",
        "labels.json",
        "model.safetensors",
    ] {
        std::fs::create_dir_all(program.path("mine")).expect("a folder");
        let mine = program.file(&format!("mine/{name}"), "mine\n");
        let ran = program.run(&["convert", "weights", "-o", "mine"]);
        ran.refused(&[&format!("mine/{name}: is there already")]);
        assert_eq!(bytes(&mine), b"mine\n");
        let left = std::fs::read_dir(program.path("mine")).expect("a folder");
        assert_eq!(left.count(), 1, "{name}");
        std::fs::remove_dir_all(program.path("mine")).expect("removed");
    }
    // What else is there is no matter.
    std::fs::create_dir(program.path("mine")).expect("a folder");
    program.file("mine/notes.txt", "mine");
    for _ in 0..2 {
        let ran = program.run(&["convert", "weights", "-o", "mine"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
}

/// Found out before the work: nothing else is written, and no temporary file stays.
#[test]
fn what_cant_be_written_is_refused_at_once() {
    let program = program();
    let picture = "album/0/0.png";
    for (to, reason) in [
        ("nowhere/x.png", "there is no folder nowhere"),
        ("album", "is a folder"),
        ("x.png/", "is a folder"),
    ] {
        let runs: [&[&str]; 4] = [
            &["learn", "album", "-o", to],
            &["train", "album", "-o", to],
            &["bundle", "-o", to],
            &["explain", picture, "-o", to],
        ];
        // Drawings go into a folder where one is named.
        let drawn = usize::from(reason == "is a folder");
        for run in &runs[..runs.len() - drawn] {
            let ran = program.run(&[*run, &["--weights", "weights"]].concat());
            ran.refused(&[to, reason]);
        }
    }
    assert!(!program.path("x.png").exists());
}
