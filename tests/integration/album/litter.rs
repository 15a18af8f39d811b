//! What folders have beside somebody's pictures, and which of those are asked for.

use super::{paths, picture, run};
use crate::support::{Program, arg, data, shared};

/// What a Mac keeps of another file.
const APPLE_DOUBLE: &[u8] = b"\0\x05\x16\x07\0\x02\0\0Mac OS X        ";

/// Two classes with two pictures each, and what programs leave among them.
fn album(program: &Program) {
    for (number, path) in [
        "cat/0.png",
        "cat/1.png",
        "coffee/0.png",
        "coffee/large/1.png",
        "cat/.ipynb_checkpoints/0-checkpoint.png",
        "coffee/@eaDir/0.png/SYNOPHOTO_THUMB_M.png",
        ".Trash-1000/files/2.png",
        "$RECYCLE.BIN/3.png",
    ]
    .iter()
    .enumerate()
    {
        write(program, path, &picture(number));
    }
    for path in ["cat/._0.png", "__MACOSX/cat/._0.png"] {
        write(program, path, APPLE_DOUBLE);
    }
}

fn write(program: &Program, path: &str, bytes: &[u8]) {
    let path = program.path("album").join(path);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, bytes).expect("written");
}

const PICTURES: [&str; 4] = [
    "album/cat/0.png",
    "album/cat/1.png",
    "album/coffee/0.png",
    "album/coffee/large/1.png",
];

#[test]
fn what_programs_leave_in_folders_is_passed_over() {
    let program = Program::new();
    album(&program);
    let ran = run(&program, &["--jsonl", "album"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(paths(&ran.rows()), PICTURES);

    // What is named itself is looked at; and so is all of it where that is asked for.
    let ran = run(
        &program,
        &["--jsonl", "album/cat/._0.png", "album/__MACOSX"],
    );
    assert_eq!(ran.code, Some(2));
    assert_eq!(paths(&ran.rows()), ["album/cat/._0.png"]);
    assert!(ran.stderr.contains("AppleDouble"), "{}", ran.stderr);
    let ran = run(&program, &["--jsonl", "--hidden", "album"]);
    assert_eq!(ran.rows().len(), 10);
}

#[test]
fn patterns_choose_among_the_files_of_folders() {
    let program = Program::new();
    album(&program);
    let [cat0, cat1, coffee0, coffee1] = PICTURES;
    for (options, expected) in [
        (&["--exclude", "coffee"][..], &[cat0, cat1][..]),
        (&["--exclude", "c*/*.png"], &[coffee1]),
        (&["--include", "0.png"], &[cat0, coffee0]),
        (&["--include", "large/"], &[coffee1]),
        (
            &["--include", "cat/**", "--include", "large"],
            &[cat0, cat1, coffee1],
        ),
        (&["--include", "cat", "--exclude", "1.*"], &[cat0]),
    ] {
        let ran = run(&program, &[&["--jsonl", "album"], options].concat());
        assert_eq!(paths(&ran.rows()), expected, "{options:?}");
    }
    // From a list, too; what it names itself is looked at.
    let list = program.file("list", "\u{feff}album/coffee\r\nalbum/cat/0.png\r\n");
    let options = ["--jsonl", "--exclude", "0.png", "--files-from", arg(&list)];
    assert_eq!(paths(&run(&program, &options).rows()), [coffee1, cat0]);
    run(&program, &["--include", "a[", "album"]).refused(&["--include <GLOB>", "a["]);
}

/// Also where folders are classes, and where pictures are fitted to.
#[test]
fn every_command_passes_it_over() {
    let Some(case) = shared("cases/reports/f08") else {
        return;
    };
    let program = Program::new();
    let (weights, case) = (data(super::TINY), arg(&case));
    let weights = ["--weights", arg(&weights)];
    let ran = program.run(
        &[
            &["learn", "--json", "-o", "two.safetensors", case][..],
            &weights,
        ]
        .concat(),
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(!ran.stderr.contains("failed"), "{}", ran.stderr);
    let learned = ["--weights", "two.safetensors"];
    let ran = program.run(&[&["eval", "--json", case][..], &learned].concat());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(ran.json()["pictures"], 6, "{}", ran.text());
    let ran = program.run(&[
        "train",
        "--epochs",
        "1",
        "--alpha",
        "0.25",
        "--size",
        "32",
        "-o",
        "t.safetensors",
        case,
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(!ran.stderr.contains("left out"), "{}", ran.stderr);
    for command in [
        &["embed", case][..],
        &["similar", "--groups", case],
        &["grep", "", case],
        &["classify", case],
    ] {
        let ran = program.run(&[command, &weights].concat());
        assert!(ran.stderr.is_empty(), "{command:?} {}", ran.stderr);
    }
    let ran = program.run(&[
        "quantize",
        weights[1],
        case,
        "-o",
        "q.safetensors",
        "--verbose",
    ]);
    assert!(
        ran.stderr.contains("fitted to 6 pictures"),
        "{}",
        ran.stderr
    );

    let ran = program.run(
        &[
            &["learn", "--hidden", "-o", "x.safetensors", case][..],
            &weights,
        ]
        .concat(),
    );
    assert_eq!(ran.code, Some(2));
    let list = program.file("list", "a.png,cat\n");
    let options = ["eval", "--list", arg(&list), "--exclude", "x"];
    program
        .run(&[&options[..], &weights].concat())
        .refused(&["--exclude", "--list"]);
}

/// A limit names the option that raises it.
#[test]
fn limits_say_what_raises_them() {
    let program = Program::new();
    album(&program);
    for (option, value) in [("--max-pixels", "1000"), ("--max-file-size", "50")] {
        let ran = run(&program, &["--json", option, value, PICTURES[0]]);
        assert_eq!(ran.code, Some(2));
        let told = format!("{option} raises it");
        assert!(ran.stderr.contains(&told), "{}", ran.stderr);
        assert!(ran.text().contains(&told), "{}", ran.text());
    }
}
