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
    let runs: [&[&str]; 9] = [
        &["classify", picture, "-o", to],
        &["classify", picture, "-o", to, "--format", "csv"],
        &["embed", picture, "-o", to],
        &["embed", picture, "-o", "x.npy", "--paths", to],
        &["explain", picture, "-o", to],
        &["eval", "album", "--predictions", to],
        &["learn", "album", "-o", to],
        &["train", "album", "-o", to, "--epochs", "1"],
        &["bundle", "-o", to],
    ];
    for run in runs {
        let ran = program.run(&[run, &["--weights", "weights"]].concat());
        ran.refused(&[to, "it would replace"]);
        assert_eq!(bytes(&weights), before, "{run:?}");
    }
    assert!(!program.path("x.npy").exists());
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
            &["explain", picture, "-o", to],
            &["learn", "album", "-o", to],
            &["train", "album", "-o", to],
            &["bundle", "-o", to],
        ];
        for run in runs {
            let ran = program.run(&[run, &["--weights", "weights"]].concat());
            ran.refused(&[to, reason]);
        }
    }
    assert!(!program.path("x.png").exists());
}
