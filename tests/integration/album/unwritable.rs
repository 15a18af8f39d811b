//! Outputs that can't be written, or would not be what their names say.

use std::fs;
use std::process::Command;

use super::{TINY, album, picture, run};
use crate::support::{Program, Ran, arg, data};

/// The program in a shell, as `$0`, where the shell has to prepare something.
#[cfg(unix)]
fn shell(program: &Program, script: &str, arguments: &[&str]) -> Ran {
    let mut shell = Command::new("sh");
    let weights = data(TINY);
    shell
        .args(["-c", script, env!("CARGO_BIN_EXE_mobilenet")])
        .args(arguments)
        .args(["--weights", arg(&weights)])
        .current_dir(program.path(""))
        .env("MOBILENET_CACHE", program.path("cache"));
    Ran::of(shell.output().expect("a shell"))
}

/// A file that may grow no further is as a disk that is full. What is there is whole, and can be gone on with.
#[cfg(unix)]
#[test]
fn a_full_disk_is_told_with_what_is_safe_and_the_way_on() {
    let program = Program::new();
    album(&program, 60, 100);
    // 4 KiB. Blocks are of 512 bytes.
    let script = "ulimit -f 8; \"$0\" \"$@\"";
    for (command, output) in [
        ("classify", "labels.csv"),
        ("classify", "labels.jsonl"),
        ("embed", "vectors.csv"),
    ] {
        let ran = shell(&program, script, &[command, "album", "-o", output]);
        let cannot = format!("{output}: can't be written: file too large; ");
        ran.refused(&[&cannot, "--resume goes on"]);
        assert!(!ran.stderr.contains("os error"), "{}", ran.stderr);
        let safe = ran.stderr.split(&cannot).nth(1).expect("told");
        let safe: usize = safe
            .split(' ')
            .next()
            .and_then(|n| n.parse().ok())
            .expect("a number");
        assert!((1..60).contains(&safe), "{safe}");
        let weights = data(TINY);
        let fixed = ["album", "--weights", arg(&weights), "-o"];
        let ran =
            program.run(&[&[command], &fixed[..], &[output, "--resume", "--verbose"]].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let went_on = format!("earlier: {safe} answered, 0 failed");
        assert!(ran.stderr.contains(&went_on), "{went_on}: {}", ran.stderr);
        let alone = format!("alone.{output}");
        assert_eq!(
            program
                .run(&[&[command], &fixed[..], &[&alone]].concat())
                .code,
            Some(0)
        );
        let rows = |name: &str| crate::support::unpacked(&program.path(name));
        assert!(rows(output) == rows(&alone), "{output}");
    }
    // Rows that are packed wait for others.
    let embed = ["embed", "album", "-o", "vectors.jsonl.gz"];
    let ran = shell(&program, script, &embed);
    ran.refused(&["vectors.jsonl.gz: can't be written: file too large; no row is there; --resume begins again"]);
    assert_eq!(
        fs::metadata(program.path("vectors.jsonl.gz"))
            .expect("begun")
            .len(),
        0
    );
    let again = [&embed[..], &["--resume"]].concat();
    assert_eq!(shell(&program, "\"$0\" \"$@\"", &again).code, Some(0));

    // An array lacks its end, and there is no going on with it.
    let ran = shell(
        &program,
        script,
        &["classify", "album", "-o", "labels.json"],
    );
    ran.refused(&[
        "labels.json: can't be written: file too large",
        "is not whole",
    ]);
    // What appears whole or not at all does not appear.
    for (arguments, named) in [
        (
            &["embed", "album", "-o", "v.safetensors"][..],
            "v.safetensors",
        ),
        (
            &["explain", "album/00/0000.png", "-o", "map.png"],
            "map.png",
        ),
    ] {
        let ran = shell(&program, "ulimit -f 1; \"$0\" \"$@\"", arguments);
        ran.refused(&[&format!("{named}: can't be written: file too large")]);
        assert!(!program.path(named).exists());
        assert!(!ran.stderr.contains(".tmp"), "{}", ran.stderr);
    }
    let left = fs::read_dir(program.path("")).expect("a folder");
    let left = left.map(|entry| entry.expect("an entry").file_name());
    let left: Vec<_> = left
        .filter(|name| arg(name.as_ref()).contains("tmp"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The header of an `.npy`, as far as it says what follows.
fn header(program: &Program, name: &str) -> String {
    let bytes = fs::read(program.path(name)).expect("written");
    assert!(bytes.starts_with(b"\x93NUMPY\x01\x00") && bytes.len() >= 128);
    String::from_utf8_lossy(&bytes[10..128]).into_owned()
}

/// NumPy refuses a header with another key, and names the key.
#[cfg(unix)]
#[test]
fn an_unfinished_npy_is_not_one_that_loads() {
    let program = Program::new();
    album(&program, 60, 100);
    let embed = ["embed", "album", "-o", "v.npy"];
    let ran = shell(&program, "ulimit -f 8; \"$0\" \"$@\"", &embed);
    ran.refused(&["v.npy: can't be written: file too large", "unfinished"]);
    let unfinished = header(&program, "v.npy");
    assert!(unfinished.contains("'unfinished': True"), "{unfinished}");
    let ran = shell(&program, "\"$0\" \"$@\"", &embed);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let finished = header(&program, "v.npy");
    assert!(finished.contains("'shape': (60, ") && !finished.contains("unfinished"));
}

#[cfg(unix)]
#[test]
fn a_stdout_that_is_closed_or_full_is_an_error_where_something_goes_there() {
    let program = Program::new();
    program.file("0.png", picture(0));
    let closed = "\"$0\" \"$@\" >&-";
    for arguments in [
        &["classify", "0.png"][..],
        &["classify", "0.png", "--json"],
        &["embed", "0.png"],
        &["embed", "0.png", "--format", "npy"],
        &["embed", "0.png", "--format", "safetensors"],
        &["grep", "-v", "nothing", "0.png"],
        &["grep", "-c", "nothing", "0.png"],
        &["summary"],
    ] {
        for script in [closed, "\"$0\" \"$@\" >&- <&-"] {
            let ran = shell(&program, script, arguments);
            ran.refused(&["stdout: can't be written: it is closed"]);
        }
    }
    // Nothing goes there.
    let ran = shell(&program, closed, &["classify", "0.png", "-o", "x.csv"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(fs::read(program.path("x.csv")).expect("written").len() > 100);
    if std::path::Path::new("/dev/full").exists() {
        for arguments in [
            &["classify", "0.png"][..],
            &["embed", "0.png", "--format", "npy"],
            &["summary"],
        ] {
            let ran = shell(&program, "\"$0\" \"$@\" > /dev/full", arguments);
            ran.refused(&["stdout: can't be written: no space left on device\n"]);
        }
    }
    let help = program.path("help");
    let script = format!("\"$0\" --help >&- 2> {}; echo $?", arg(&help));
    let ran = Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_mobilenet")])
        .output();
    assert_eq!(ran.expect("a shell").stdout, b"2\n");
    assert!(
        fs::read_to_string(help)
            .expect("told")
            .contains("stdout: can't be written: it is closed")
    );
}

#[test]
fn a_place_that_cant_be_written_to_is_told_once_and_without_temporary_names() {
    let program = Program::new();
    program.file("0.png", picture(0));
    let mut places = vec![(
        "nowhere/x.csv",
        "can't be written: there is no folder nowhere",
    )];
    if std::path::Path::new("/sys/kernel").exists() {
        places.push(("/sys/x.csv", "can't be written: "));
    }
    for (place, reason) in places {
        for more in [&[][..], &["--resume"]] {
            let ran = run(&program, &[&["0.png", "-o", place][..], more].concat());
            ran.refused(&[place, reason]);
            assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
            for other in ["tmp", "os error", ".run", "entity"] {
                assert!(!ran.stderr.contains(other), "{}", ran.stderr);
            }
        }
    }
}

#[test]
fn a_name_that_means_another_format_is_refused() {
    let program = Program::new();
    program.file("0.png", picture(0));
    let weights = data(TINY);
    let go = |arguments: &[&str]| program.run(&[arguments, &["--weights", arg(&weights)]].concat());
    for (command, name) in [
        ("classify", "x.xlsx"),
        ("classify", "x.parquet"),
        ("classify", "x.npy"),
        ("classify", "x.csv.xz"),
        ("classify", "x.PNG"),
        ("embed", "x.txt"),
        ("embed", "x.h5"),
    ] {
        let ran = go(&[command, "0.png", "-o", name]);
        ran.refused(&[name, "doesn't write", "--format"]);
    }
    for (format, name) in [("npy", "x.npy.gz"), ("safetensors", "x.safetensors.zst")] {
        go(&["embed", "0.png", "-o", name]).refused(&[name, format, "leave out the last ending"]);
    }
    for (name, what) in [
        ("x.onnx", ".safetensors"),
        ("x.h5", ".safetensors"),
        ("x.safetensors.gz", ".safetensors"),
    ] {
        program
            .run(&["convert", arg(&weights), "-o", name])
            .refused(&[name, what]);
    }
    go(&["eval", ".", "--predictions", "x.xlsx"]).refused(&["x.xlsx", "what is written is CSV"]);
    go(&["embed", "0.png", "-o", "x.npy", "--paths", "x.csv"]).refused(&["x.csv", ".jsonl"]);
    let left = fs::read_dir(program.path("")).expect("a folder");
    let left: Vec<_> = left
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert!(
        !left.iter().any(|name| arg(name.as_ref()).starts_with('x')),
        "{left:?}"
    );
    // Asked for in so many words it is written, whatever its name.
    assert_eq!(
        go(&["classify", "0.png", "-o", "x.xlsx", "--format", "csv"]).code,
        Some(0)
    );
    assert_eq!(go(&["classify", "0.png", "-o", "x.log"]).code, Some(0));
}
