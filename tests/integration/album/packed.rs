//! Rows that are packed as they are written, and gone on with.

use std::fs;

use super::{album, broken, files, picture, run};
use crate::support::{Program, Ran, arg, data, unpacked};

use super::TINY;

/// What is written row by row and packed, with the name of the same unpacked.
const PACKED: [(&[&str], &str, &str); 4] = [
    (&["classify"], "labels.csv.gz", "labels.csv"),
    (&["classify"], "labels.jsonl.zst", "labels.jsonl"),
    (&["embed"], "vectors.jsonl.gz", "vectors.jsonl"),
    (&["embed"], "vectors.csv.zst", "vectors.csv"),
];

fn go(program: &Program, command: &[&str], output: &str, more: &[&str]) -> Ran {
    let weights = data(TINY);
    let fixed = ["-o", output, "--weights", arg(&weights)];
    program.run(&[command, &fixed, more].concat())
}

fn read(program: &Program, name: &str) -> Vec<u8> {
    unpacked(&program.path(name))
}

#[test]
fn a_packed_file_holds_what_the_plain_one_does() {
    let program = Program::new();
    album(&program, 30, 10);
    for (command, packed, plain) in PACKED {
        assert_eq!(go(&program, command, plain, &["album"]).code, Some(2));
        assert_eq!(go(&program, command, packed, &["album"]).code, Some(2));
        let whole = read(&program, plain);
        assert!(read(&program, packed) == whole, "{packed}");
        let length = |name| fs::metadata(program.path(name)).expect("written").len();
        assert!(length(packed) < length(plain) * 3 / 4, "{packed}");
        // A later run adds parts, and leaves a whole file alone.
        fs::remove_file(program.path(packed)).expect("removed");
        let names = files(&program, "album");
        let (some, rest) = names.split_at(12);
        for names in [some, &[some, rest].concat(), &names] {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let before = fs::read(program.path(packed)).unwrap_or_default();
            let ran = go(
                &program,
                command,
                packed,
                &[&["--resume"][..], &names].concat(),
            );
            assert_eq!(ran.code, Some(2), "{ran:?}");
            assert!(
                fs::read(program.path(packed))
                    .expect("written")
                    .starts_with(&before)
            );
        }
        assert!(read(&program, packed) == whole, "{packed}");
    }
    // Other forms and the tables of other commands are packed just so.
    for (name, start) in [
        ("a.json.gz", "[\n{\"path\""),
        ("a.zst", "album/"),
        ("a.tsv.gz", "path\trank"),
    ] {
        run(&program, &["-o", name, "album"]);
        assert!(read(&program, name).starts_with(start.as_bytes()), "{name}");
    }
    let weights = data(TINY);
    let paths = [
        "-o",
        "v.npy",
        "--paths",
        "v.jsonl.gz",
        "--weights",
        arg(&weights),
        "album",
    ];
    assert_eq!(
        program.run(&[&["embed"][..], &paths].concat()).code,
        Some(2)
    );
    assert_eq!(
        read(&program, "v.jsonl.gz").split(|b| *b == b'\n').count(),
        31
    );
    for (name, class) in [("0", 1), ("1", 2)] {
        fs::create_dir_all(program.path("classes").join(name)).expect("a folder");
        program.file(&format!("classes/{name}/a.png"), picture(class));
    }
    for output in ["p.csv", "p.csv.gz"] {
        let eval = [
            "eval",
            "classes",
            "--weights",
            arg(&weights),
            "--predictions",
            output,
        ];
        assert_eq!(program.run(&eval).code, Some(0));
    }
    assert!(read(&program, "p.csv.gz") == read(&program, "p.csv"));
}

/// What a run that was killed in the middle of a part leaves, and what others leave that looks like it.
#[test]
fn a_part_that_was_cut_off_is_written_again_and_nothing_else_is() {
    let program = Program::new();
    album(&program, 12, 100);
    let names = files(&program, "album");
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for (command, packed, plain) in PACKED {
        assert_eq!(go(&program, command, plain, &["album"]).code, Some(0));
        let whole = read(&program, plain);
        assert_eq!(go(&program, command, packed, &names[..7]).code, Some(0));
        let first = fs::read(program.path(packed)).expect("written");
        let all = [&["--resume"][..], &names].concat();
        assert_eq!(go(&program, command, packed, &all).code, Some(0));
        let both = fs::read(program.path(packed)).expect("written");
        for cut in [first.len() + 1, first.len() + 20, both.len() - 1] {
            program.file(packed, &both[..cut]);
            let ran = go(&program, command, packed, &all);
            assert_eq!(ran.code, Some(0), "{ran:?}");
            assert!(read(&program, packed) == whole, "{packed} {cut}");
        }
        // Without its record nobody knows what was to come.
        program.file(packed, &both[..both.len() - 1]);
        let record = program.path(&format!(".{packed}.run"));
        fs::remove_file(&record).expect("removed");
        go(&program, command, packed, &all).refused(&[packed, "its end is cut off", "unpack it"]);
        assert!(fs::read(program.path(packed)).expect("kept") == both[..both.len() - 1]);
        // Nor is what follows another program's bytes read as rows.
        program.file(packed, [&both[..], b"notes\n"].concat());
        go(&program, command, packed, &all).refused(&[packed, "damaged"]);
        // Moved without its record, a whole one is taken at its word, unless it may lack lines.
        program.file(packed, &both);
        let _ = fs::remove_file(&record);
        let ran = go(&program, command, packed, &all);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(fs::read(program.path(packed)).expect("kept") == both);
    }
    // Packed by hand: a picture whose lines may not be all.
    let few = ["--threshold", "0.15", "0.png"];
    program.file("0.png", picture(0));
    assert_eq!(
        go(&program, &["classify"], "few.csv.gz", &few).code,
        Some(0)
    );
    let lines = read(&program, "few.csv.gz").split(|b| *b == b'\n').count();
    assert!((3..6).contains(&lines), "{lines}");
    let again = [&few[..], &["--resume"]].concat();
    assert_eq!(
        go(&program, &["classify"], "few.csv.gz", &again).code,
        Some(0)
    );
    fs::remove_file(program.path(".few.csv.gz.run")).expect("removed");
    go(&program, &["classify"], "few.csv.gz", &again).refused(&[
        "few.csv.gz",
        "may lack",
        "unpack it",
    ]);
}

#[test]
fn failures_are_answered_again_in_a_packed_file() {
    let program = Program::new();
    for (command, packed, plain) in PACKED {
        for number in 0..4 {
            program.file(&format!("{number}.png"), picture(number));
        }
        program.file("1.png", broken(1));
        let names = ["0.png", "1.png", "2.png"];
        assert_eq!(go(&program, command, packed, &names).code, Some(2));
        program.file("1.png", picture(1));
        let all = ["0.png", "1.png", "2.png", "3.png"];
        let again = [&["--resume", "--retry-failed"][..], &all].concat();
        let ran = go(&program, command, packed, &again);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(go(&program, command, plain, &all).code, Some(0));
        assert!(read(&program, packed) == read(&program, plain), "{packed}");
    }
}
