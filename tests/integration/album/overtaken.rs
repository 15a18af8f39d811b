//! Two runs on one output: the second one waits its turn, and goes on only with what it would have written.

use std::io::Write;
use std::process::{Child, ChildStdin, Stdio};
use std::time::{Duration, Instant};

use super::{TINY, album, files, run};
use crate::support::{Program, Ran, arg, data, unpacked, values};

/// Commands that write as they go, and where to.
const WRITERS: [(&[&str], &str); 10] = [
    (&["classify"], "labels.jsonl"),
    (&["classify"], "labels.csv"),
    (&["classify"], "labels.tsv"),
    (&["classify"], "labels.json"),
    (&["embed"], "vectors.jsonl"),
    (&["embed"], "vectors.csv"),
    (&["embed"], "vectors.npy"),
    (&["classify"], "labels.csv.gz"),
    (&["classify"], "labels.jsonl.zst"),
    (&["embed"], "vectors.csv.gz"),
];

/// Starts a run that is given its list bit by bit.
fn started(
    program: &Program,
    command: &[&str],
    output: &str,
    more: &[&str],
) -> (Child, ChildStdin) {
    let weights = data(TINY);
    let fixed = [
        "-o",
        output,
        "--weights",
        arg(&weights),
        "--files-from",
        "-",
    ];
    let mut process = program.process(&[command, &fixed, more].concat());
    process.stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = process.spawn().expect("the program");
    let list = child.stdin.take().expect("a pipe");
    (child, list)
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The record beside an output.
fn record(output: &str) -> String {
    format!(".{output}.run")
}

#[test]
fn a_file_that_is_being_written_is_left_to_its_run() {
    let program = Program::new();
    album(&program, 6, 100);
    let names = files(&program, "album");
    for (command, output) in WRITERS {
        let (child, mut list) = started(&program, command, output, &[]);
        list.write_all((names[..3].join("\n") + "\n").as_bytes())
            .expect("written");
        until("a record", || program.path(&record(output)).exists());
        let weights = data(TINY);
        let mut second = vec![command[0], "-o", output, "--weights", arg(&weights)];
        second.push("album");
        // Once the record says who it is.
        let who = format!("another run is writing it (process {} on ", child.id());
        until("a name", || program.run(&second).stderr.contains(&who));
        program
            .run(&second)
            .refused(&[output, &who, "wait for its end"]);
        let resumable = !output.ends_with("json") && !output.ends_with("npy");
        if resumable {
            second.push("--resume");
            program.run(&second).refused(&[output, &who]);
        }
        list.write_all(names[3..].join("\n").as_bytes())
            .expect("written");
        drop(list);
        let ended = Ran::of(child.wait_with_output().expect("an end"));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let whole = std::fs::read(program.path(output)).expect("written");
        // What rows depend on is kept where they can be gone on with, and nowhere else.
        assert_eq!(program.path(&record(output)).exists(), resumable);
        if resumable {
            assert_eq!(program.run(&second).code, Some(0));
            assert!(std::fs::read(program.path(output)).expect("kept") == whole);
        }
    }
}

/// Runs that are stopped, held, overtaken and killed at any time: no row is lost, doubled or torn.
/// `OVERTAKEN=100` makes as many trials of each kind.
#[cfg(unix)]
#[test]
fn no_row_is_lost_doubled_or_torn_whatever_happens() {
    let trials = std::env::var("OVERTAKEN").ok();
    let trials: Option<usize> = trials.map(|trials| trials.parse().expect("a number"));
    for (number, (command, output)) in WRITERS.into_iter().enumerate() {
        if output.ends_with("json") || output.ends_with("npy") {
            continue;
        }
        // Rows that are packed wait for others, up to a second.
        let is_packed = output.ends_with("gz") || output.ends_with("zst");
        for trial in 0..trials.unwrap_or(if is_packed { 1 } else { 2 }) {
            let program = Program::new();
            album(&program, 40, 100);
            let names = files(&program, "album");
            let chance = values(64, (number * 1000 + trial) as u64);
            let mut chance = chance.iter().map(|x| x.abs() as f64);
            let mut pause = || {
                let share = chance.next().unwrap_or_default().fract();
                std::thread::sleep(Duration::from_secs_f64(share * 0.06));
            };
            let send = |child: &Child, signal: &str| {
                let mut kill = std::process::Command::new("kill");
                let sent = kill.args([signal, &child.id().to_string()]).status();
                assert!(sent.expect("kill").success());
            };
            let all = names.join("\n");
            let begin = |names: &str| {
                let (child, mut list) = started(&program, command, output, &["--resume"]);
                // It may be refused before it reads its list.
                let _ = list.write_all(names.as_bytes());
                (child, list)
            };
            // One that is held when it has some rows and wants more, others that find all pictures meanwhile.
            let (mut held, mut list) = begin(&(names[..10].join("\n") + "\n"));
            until("rows", || {
                let rows = unpacked(&program.path(output));
                rows.iter().filter(|byte| **byte == b'\n').count() > 1
            });
            pause();
            send(&held, "-STOP");
            for _ in 0..2 {
                let (mut other, list) = begin(&all);
                drop(list);
                pause();
                if trial % 2 == 0 {
                    let _ = other.kill();
                }
                other.wait().expect("an end");
            }
            if trial % 3 == 2 {
                held.kill().expect("killed");
            } else {
                send(&held, "-CONT");
                // Others than those whose rows it would write over.
                let _ = list.write_all(names[25..].join("\n").as_bytes());
            }
            drop(list);
            held.wait().expect("an end");
            let (last, list) = begin(&all);
            drop(list);
            let last = last.wait_with_output().expect("an end");
            assert_eq!(Ran::of(last).code, Some(0));
            let text = |name| String::from_utf8(unpacked(&program.path(name))).expect("UTF-8");
            // As one run writes them, but for their order.
            let alone = format!("alone.{}", output.split_once('.').expect("an end").1);
            let weights = data(TINY);
            let fixed = ["-o", &alone, "--weights", arg(&weights), "album"];
            let ran = program.run(&[command, &fixed].concat());
            assert_eq!(ran.code, Some(0), "{ran:?}");
            let sorted = |text: &str| {
                let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
                lines.sort();
                lines
            };
            assert_eq!(
                sorted(&text(output)),
                sorted(&text(&alone)),
                "{output}, trial {trial}"
            );
        }
    }
}

/// Tables too, which have no room to say what wrote them.
#[test]
fn rows_of_another_network_or_other_options_are_not_mixed_in() {
    let program = Program::new();
    album(&program, 3, 100);
    let other = data("keras/tiny_model.h5");
    for (command, output) in WRITERS {
        if output.ends_with("json") || output.ends_with("npy") {
            continue;
        }
        let weights = data(TINY);
        let go = |weights: &std::path::Path, more: &[&str]| {
            let fixed = ["-o", output, "--weights", arg(weights), "album"];
            program.run(&[command, &fixed, more].concat())
        };
        assert_eq!(go(&weights, &[]).code, Some(0));
        let before = std::fs::read(program.path(output)).expect("written");
        let refused = |weights: &std::path::Path, more: &[&str], parts: &[&str]| {
            let ran = go(weights, &[more, &["--resume"]].concat());
            ran.refused(&[&[output, "can't resume", "the options of the run"], parts].concat());
            assert!(std::fs::read(program.path(output)).expect("kept") == before);
        };
        refused(&other, &[], &["weights: other contents"]);
        refused(&weights, &["--crop", "squash"], &["recipe crop"]);
        refused(&weights, &["--no-exif"], &["exif: false, and it was true"]);
        refused(&weights, &["--dtype", "int8"], &["dtype: \"int8\""]);
        if command[0] == "classify" {
            let said = "--threshold: 0.1";
            refused(&weights, &["--threshold", "0.1"], &[said, "it was nothing"]);
            refused(&weights, &["-k", "7"], &["--top-k: 7, and it was 5"]);
        }
        // What changes no answer may change.
        let same = go(&weights, &["-j", "1", "-b", "2", "--resume"]);
        assert_eq!(
            (same.code, same.stderr.contains("nothing says")),
            (Some(0), false)
        );

        // Moved without its record, a file is taken at its word.
        std::fs::remove_file(program.path(&record(output))).expect("removed");
        let moved = go(&weights, &["--resume"]);
        assert_eq!(moved.code, Some(0), "{moved:?}");
        let said = "nothing says which network and options";
        assert!(moved.stderr.contains(said), "{}", moved.stderr);
        assert!(program.path(&record(output)).exists());

        // Another version goes on, and says so.
        let now = std::fs::read_to_string(program.path(&record(output))).expect("a record");
        let version = format!("\"version\":\"{}\"", env!("CARGO_PKG_VERSION"));
        assert!(now.contains(&version), "{now}");
        program.file(
            &record(output),
            now.replace(&version, "\"version\":\"0.0.9\""),
        );
        let newer = go(&weights, &["--resume"]);
        assert_eq!(newer.code, Some(0));
        assert!(newer.stderr.contains("version \"0.0.9\" wrote it"));

        // A file of somebody else's in its place, and one that a kill cut short.
        program.file(&record(output), "my notes\n");
        go(&weights, &["--resume"]).refused(&[&record(output), "is there already"]);
        go(&weights, &[]).refused(&[&record(output), "is there already"]);
        let notes = std::fs::read(program.path(&record(output))).expect("kept");
        assert_eq!(notes, b"my notes\n");
        program.file(&record(output), "{\"writer\":{\"pi");
        assert_eq!(go(&weights, &["--resume"]).code, Some(0));
    }
    // A report that is not gone on with, in the place of rows that were.
    run(&program, &["-o", "x.jsonl", "album"]);
    assert!(program.path(&record("x.jsonl")).exists());
    run(&program, &["-o", "x.jsonl", "--json", "album"]);
    assert!(!program.path(&record("x.jsonl")).exists());
}
