//! Runs that are stopped and gone on with, and what they leave.

use std::time::{Duration, Instant};

use super::{SMALL, bytes, squares, train};
use crate::support::{Program, arg};

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let program = Program::new();
    let folder = squares(&program, "squares", 6);
    let run = |name: &str, more: &[&str]| {
        let ran = train(
            &program,
            &folder,
            name,
            &[&["--epochs", "2"], more].concat(),
        );
        assert_eq!(ran.code, Some(0), "{ran:?}");
        bytes(&program, name)
    };
    let first = run("a", &[]);
    assert!(
        first == run("b", &["-j", "1"]),
        "other threads, other bytes"
    );
    assert!(
        first != run("c", &["--seed", "1"]),
        "another seed, the same bytes"
    );
    assert!(
        first != run("d", &["--colour", "0"]),
        "other pictures, the same bytes"
    );
}

/// Starts a run, and waits for as many epochs as it takes lines.
pub fn started(program: &Program, arguments: &[&str], lines: usize) -> std::process::Child {
    use std::io::{BufRead, BufReader};
    let mut process = program.process(arguments);
    process.stdout(std::process::Stdio::piped());
    process.stderr(std::process::Stdio::null());
    let mut child = process.spawn().expect("the program");
    let out = BufReader::new(child.stdout.take().expect("stdout"));
    assert_eq!(out.lines().take(lines).count(), lines);
    child
}

/// The lines of a log, but for the time that each epoch took.
pub fn without_seconds(program: &Program, name: &str) -> Vec<String> {
    let log = String::from_utf8(bytes(program, name)).expect("UTF-8");
    let lines = log.lines().map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        [&fields[..6], &fields[7..]].concat().join(",")
    });
    lines.collect()
}

#[test]
fn a_run_that_was_killed_goes_on_to_the_same_bytes() {
    let program = Program::new();
    let folder = squares(&program, "squares", 6);
    let epochs = ["--epochs", "60", "--quiet"];
    let whole = train(&program, &folder, "whole.safetensors", &epochs);
    assert_eq!(whole.code, Some(0));
    let fixed = [
        "train",
        arg(&folder),
        "-o",
        "killed.safetensors",
        "--resume",
    ];
    let arguments = [&fixed, &SMALL[..], &epochs].concat();
    // Killed twice, and then let go on.
    for _ in 0..2 {
        let mut child = started(&program, &arguments, 2);
        child.kill().expect("killed");
        child.wait().expect("ended");
        assert!(
            !program.path("killed.safetensors").exists(),
            "it was over too soon"
        );
        assert!(program.path("killed.safetensors.state").exists());
    }
    let ran = program.run(&arguments);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.text().lines().count() < 60);
    assert!(bytes(&program, "whole.safetensors") == bytes(&program, "killed.safetensors"));
    assert!(!program.path("killed.safetensors.state").exists());
    // The log has all epochs, with the same numbers but for the time.
    let log = |name: &str| without_seconds(&program, name);
    assert_eq!(log("killed.csv"), log("whole.csv"));
}

#[test]
fn two_runs_do_not_share_an_output() {
    let program = Program::new();
    let folder = squares(&program, "squares", 6);
    let fixed = ["train", arg(&folder), "-o", "model.safetensors"];
    let arguments = [&fixed, &SMALL[..], &["--epochs", "500", "--quiet"]].concat();
    let mut child = started(&program, &arguments, 2);
    let who = format!("another run is writing it (process {} on ", child.id());
    for more in [&[][..], &["--resume"]] {
        let second = program.run(&[&arguments, more].concat());
        second.refused(&["model.safetensors", &who]);
    }
    child.kill().expect("killed");
    child.wait().expect("ended");
    // What it left keeps nobody away.
    let arguments = [&fixed, &SMALL[..], &["--epochs", "2", "--resume"]].concat();
    program
        .run(&arguments)
        .refused(&["the state of another run"]);
    std::fs::remove_file(program.path("model.safetensors.state")).expect("removed");
    assert_eq!(program.run(&arguments).code, Some(0));
    assert!(!program.path(".model.safetensors.run").exists());
}

#[cfg(unix)]
#[test]
fn a_run_that_is_interrupted_stops_and_goes_on() {
    use std::os::unix::process::ExitStatusExt;
    let program = Program::new();
    let folder = squares(&program, "squares", 6);
    let fixed = [
        "train",
        arg(&folder),
        "-o",
        "model.safetensors",
        "--epochs",
        "500",
    ];
    let arguments = [&fixed, &SMALL[..]].concat();
    let mut child = started(&program, &arguments, 1);
    let id = child.id().to_string();
    let killed = std::process::Command::new("kill")
        .args(["-INT", &id])
        .status();
    assert!(killed.is_ok_and(|status| status.success()));
    let begin = Instant::now();
    let status = child.wait().expect("ended");
    assert!(begin.elapsed() < Duration::from_secs(10));
    assert_eq!(status.signal(), Some(2));
    assert!(program.path("model.safetensors.state").exists());
    // A new run would lose what was learned.
    let refused = program.run(&arguments);
    refused.refused(&["model.safetensors.state", "--resume"]);
    // And another run is not gone on with: of other settings,
    let other = [
        &arguments[..],
        &["--resume", "--seed", "3", "--weight-decay", "0.1"],
    ]
    .concat();
    let seed = "seed: 3, and it was 0";
    let decay = "weight decay: 0.1, and it was 0.05";
    program.run(&other).refused(&["another run", seed, decay]);
    // or of other pictures.
    let picture = folder.join("red/00.png");
    let original = std::fs::read(&picture).expect("a picture");
    std::fs::copy(folder.join("red/01.png"), &picture).expect("copied");
    let same = [&arguments[..], &["--resume"]].concat();
    program
        .run(&same)
        .refused(&["class \"red\": other contents"]);
    std::fs::write(&picture, original).expect("written");
    std::fs::remove_file(folder.join("green/00.png")).expect("removed");
    program
        .run(&same)
        .refused(&["class \"green\" pictures: 5, and it was 6"]);
    // One that is damaged would lead to another network.
    let state = program.path("model.safetensors.state");
    let mut damaged = std::fs::read(&state).expect("a state");
    *damaged.last_mut().expect("bytes") ^= 1;
    std::fs::write(&state, damaged).expect("written");
    let damaged = ["damaged", "digest", "without the file"];
    program.run(&same).refused(&damaged);
    // What is no state is said to be none.
    program.file("model.safetensors.state", "nonsense");
    program.run(&same).refused(&["not a state of training"]);
}

/// Whose names would be beside it in `/dev`, or of no use.
#[cfg(unix)]
#[test]
fn nothing_is_left_beside_a_device_or_a_pipe() {
    let program = Program::new();
    let folder = squares(&program, "squares", 4);
    let left = || -> Vec<_> {
        let entries = std::fs::read_dir(program.path("")).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<_> = names.map(|n| n.into_string().expect("UTF-8")).collect();
        names.sort();
        names
    };
    std::os::unix::fs::symlink("/dev/null", program.path("device.safetensors")).expect("a link");
    let before = left();
    let more = ["--epochs", "1", "--verbose"];
    let ran = train(&program, &folder, "device.safetensors", &more);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.text().lines().count(), 1, "{}", ran.text());
    assert!(ran.stderr.contains("no state and no log"), "{}", ran.stderr);
    assert_eq!(left(), before);
    train(&program, &folder, "device.safetensors", &["--resume"]).refused(&[
        "device.safetensors",
        "no regular file",
        "--resume",
    ]);
    // A pipe has all of the checkpoint; curves were asked for by their name.
    let pipe = program.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo").success());
    let reader = std::thread::spawn(move || std::fs::read(pipe).expect("read"));
    let more = ["--epochs", "1", "--curves", "curves.png"];
    let ran = train(&program, &folder, "pipe", &more);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let piped = reader.join().expect("a reader");
    let mut all = before;
    all.extend(["curves.png".into(), "pipe".into()]);
    all.sort();
    assert_eq!(left(), all);
    train(&program, &folder, "file.safetensors", &["--epochs", "1"]);
    assert!(piped == bytes(&program, "file.safetensors"));
}

#[test]
fn a_closed_pipe_does_not_end_a_run() {
    let program = Program::new();
    let folder = squares(&program, "squares", 4);
    let fixed = ["train", arg(&folder), "-o", "x.safetensors"];
    let arguments = [&fixed[..], &["--epochs", "9"], &SMALL[..]].concat();
    let mut child = started(&program, &arguments, 1);
    assert!(child.wait().expect("ended").success());
    assert!(program.path("x.safetensors").exists());
    assert!(!program.path("x.safetensors.state").exists());
}
