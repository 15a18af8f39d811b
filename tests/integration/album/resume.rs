//! Runs that were stopped, and are gone on with.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{TINY, album, broken, files, paths, picture, run, wait_for_lines};
use crate::support::{Program, arg, data};

/// Every length that an output can have been cut to by a kill.
#[test]
fn a_run_that_was_cut_short_is_resumed_wherever_it_stopped() {
    let program = Program::new();
    album(&program, 12, 4);
    // A name that CSV has to quote, twice among the pictures.
    program.file("album/a\n\"b\",c.png", picture(77));
    let inputs = ["album", "album/a\n\"b\",c.png"];
    for format in ["jsonl", "csv", "tsv"] {
        let name = format!("labels.{format}");
        let all = |more: &[&str]| run(&program, &[&["-o", &name], more, &inputs].concat());
        assert_eq!(all(&[]).code, Some(2));
        let whole = std::fs::read(program.path(&name)).expect("written");
        let step = whole.len() / 60 + 1;
        for kept in (0..=whole.len()).step_by(step).chain([whole.len()]) {
            std::fs::write(program.path(&name), &whole[..kept]).expect("cut");
            let ran = all(&["--resume"]);
            // Failures of the earlier run are still in the file.
            assert_eq!(ran.code, Some(2), "{ran:?}");
            let resumed = std::fs::read(program.path(&name)).expect("written");
            assert!(resumed == whole, "{format} cut to {kept} bytes");
        }
    }
}

#[test]
fn only_what_a_run_of_ours_wrote_is_resumed() {
    let program = Program::new();
    let cat = program.file("cat.png", picture(3));
    for (name, content) in [
        ("notes.jsonl", "my notes\nmore of them\n"),
        ("notes.csv", "path,label\ncat.png,cat\n"),
        ("notes.tsv", "my notes\n"),
        ("rows.jsonl", "{\"path\": \"x\", \"predictions\": []}\n{}\n"),
        ("one.jsonl", "{\"my\": \"notes\"}"),
    ] {
        let path = program.file(name, content);
        run(&program, &["-o", name, "--resume", arg(&cat)]).refused(&[name, "line"]);
        assert_eq!(std::fs::read_to_string(path).expect("kept"), content);
    }
    std::fs::create_dir(program.path("folder.csv")).expect("a folder");
    run(&program, &["-o", "folder.csv", "--resume", arg(&cat)]).refused(&["regular file"]);
    run(&program, &["-o", "rows.json", "--resume", arg(&cat)]).refused(&["jsonl, csv and tsv"]);
    run(&program, &["--resume", arg(&cat)]).refused(&["--output"]);
    // Nothing to go on with is a beginning.
    let ran = run(&program, &["-o", "new.jsonl", "--resume", arg(&cat)]);
    assert_eq!(ran.code, Some(0));
}

/// What was answered stays, whichever pictures the next run is about.
#[test]
fn resuming_with_other_pictures_keeps_what_is_there() {
    let program = Program::new();
    for number in 0..3 {
        program.file(&format!("{number}.png"), picture(number));
    }
    program.file("broken.png", broken(1));
    for format in ["jsonl", "csv", "tsv"] {
        let name = format!("labels.{format}");
        let go = |more: &[&str]| run(&program, &[&["-o", &name, "--resume"], more].concat());
        let names = || {
            let text = std::fs::read_to_string(program.path(&name)).expect("written");
            let mut names: Vec<String> = ["0.png", "1.png", "2.png", "broken.png"]
                .iter()
                .filter(|name| text.contains(**name))
                .map(|name| (*name).to_owned())
                .collect();
            names.sort();
            names
        };
        assert_eq!(go(&["0.png", "1.png"]).code, Some(0));
        assert_eq!(go(&["0.png", "2.png"]).code, Some(0));
        assert_eq!(names(), ["0.png", "1.png", "2.png"]);
        assert_eq!(go(&["broken.png"]).code, Some(2));
        let again = go(&["1.png"]);
        assert_eq!(again.code, Some(2), "an earlier failure is still there");
        assert!(
            again.stderr.contains("earlier: 3 answered, 1 failed"),
            "{}",
            again.stderr
        );
        // Fewer lines than asked for may be all there are, or not.
        std::fs::remove_file(program.path(&name)).expect("removed");
        assert_eq!(go(&["-k", "2", "0.png"]).code, Some(0));
        // Which can't be told without the record of the run.
        std::fs::remove_file(program.path(&format!(".{name}.run"))).expect("removed");
        let before = std::fs::read(program.path(&name)).expect("written");
        assert_eq!(go(&["1.png"]).code, Some(0));
        assert_eq!(names(), ["0.png", "1.png"]);
        let after = std::fs::read(program.path(&name)).expect("written");
        let lines = |bytes: &[u8]| bytes.iter().filter(|b| **b == b'\n').count();
        let more = if format == "jsonl" { 1 } else { 5 };
        assert_eq!(lines(&after), lines(&before) + more);
    }
}

#[test]
fn a_table_with_other_line_ends_is_resumed() {
    let program = Program::new();
    for number in 0..3 {
        program.file(&format!("{number}.png"), picture(number));
    }
    run(&program, &["-o", "labels.csv", "0.png", "1.png"]);
    let text = std::fs::read_to_string(program.path("labels.csv")).expect("written");
    program.file("labels.csv", text.replace('\n', "\r\n"));
    let ran = run(
        &program,
        &["-o", "labels.csv", "--resume", "0.png", "1.png", "2.png"],
    );
    assert_eq!(ran.code, Some(0));
    let text = std::fs::read_to_string(program.path("labels.csv")).expect("written");
    let paths: Vec<&str> = text.lines().filter_map(|l| l.split(',').next()).collect();
    let expected = [
        vec!["path"],
        vec!["0.png"; 5],
        vec!["1.png"; 5],
        vec!["2.png"; 5],
    ];
    assert_eq!(paths, expected.concat());
}

/// A file that was on its way when it was first looked at: its row stays where it is.
#[test]
fn what_failed_is_answered_again_in_its_place() {
    let program = Program::new();
    for number in 0..6 {
        program.file(&format!("{number}.png"), picture(number));
    }
    // A name that CSV has to quote, twice among the pictures.
    let odd = "a\n\"b\",c.png";
    let inputs = [
        "0.png", odd, "1.png", "2.png", odd, "3.png", "4.png", "5.png",
    ];
    for format in ["jsonl", "csv", "tsv"] {
        let name = format!("labels.{format}");
        let read = |name: &str| std::fs::read_to_string(program.path(name)).expect("written");
        let go = |inputs: &[&str], more: &[&str]| {
            run(&program, &[&["-o", &name], more, inputs].concat())
        };
        program.file(odd, picture(9));
        program.file("3.png", picture(3));
        assert_eq!(go(&inputs, &[]).code, Some(0));
        let whole = read(&name);
        for (at, bad) in [(odd, 2), ("3.png", 0)] {
            program.file(at, broken(bad));
        }
        // It ended before the last two.
        std::fs::remove_file(program.path(&name)).expect("removed");
        assert_eq!(go(&inputs[..6], &[]).code, Some(2));
        let before = read(&name);
        let told = go(&inputs[..6], &["--resume"]);
        assert_eq!(told.code, Some(2));
        assert!(
            told.stderr.contains("3 failed (--retry-failed"),
            "{}",
            told.stderr
        );
        assert_eq!(read(&name), before);
        // Some are as broken as before.
        program.file("3.png", picture(3));
        let ran = go(&inputs[..6], &["--resume", "--retry-failed"]);
        assert_eq!(ran.code, Some(2));
        assert!(
            ran.stderr.contains("1 answered, 2 failed"),
            "{}",
            ran.stderr
        );
        assert!(
            ran.stderr.ends_with("earlier: 3 answered, 0 failed\n"),
            "{}",
            ran.stderr
        );
        assert_eq!(read(&name).lines().next(), before.lines().next());
        // Those that are no input now stay failed, and are told of.
        program.file(odd, picture(9));
        let ran = go(&["5.png"], &["--resume", "--retry-failed"]);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(
            ran.stderr.ends_with("earlier: 4 answered, 2 failed\n"),
            "{}",
            ran.stderr
        );
        std::fs::remove_file(program.path(&name)).expect("removed");
        program.file(&name, before);
        let ran = go(&inputs, &["--resume", "--retry-failed"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(read(&name) == whole, "{format}: {}", read(&name));
        // Nothing is left to be done.
        assert_eq!(go(&inputs, &["--resume", "--retry-failed"]).code, Some(0));
        assert!(read(&name) == whole);
    }
    run(&program, &["-o", "labels.csv", "--retry-failed", "0.png"]).refused(&["--resume"]);
}

/// Rows that this run would not write: they stay as they are.
#[test]
fn an_output_of_other_options_is_not_gone_on_with() {
    let program = Program::new();
    program.file("0.png", picture(0));
    program.file("1.png", picture(1));
    let labels = (0..7).map(|i| format!("other {i}\n")).collect::<String>();
    program.file("labels.txt", labels);
    let go = |more: &[&str]| run(&program, &[more, &["0.png", "1.png"]].concat());
    for format in ["jsonl", "csv", "tsv"] {
        let name = format!("labels.{format}");
        assert_eq!(go(&["-o", &name]).code, Some(0));
        // The last line was on its way.
        let whole = std::fs::read(program.path(&name)).expect("written");
        std::fs::write(program.path(&name), &whole[..whole.len() - 9]).expect("cut");
        let resumed = |more: &[&str], parts: &[&str]| {
            let ran = go(&[&["-o", &name, "--resume"], more].concat());
            ran.refused(&[&[&name, "can't resume", "the options of"], parts].concat());
            let now = std::fs::read(program.path(&name)).expect("kept");
            assert!(now == whole[..whole.len() - 9]);
        };
        resumed(&["-k", "2"], &["5 predictions", "2 at most"]);
        resumed(
            &["--labels", "labels.txt"],
            &["was \"class ", "is \"other "],
        );
        if format == "jsonl" {
            resumed(&["--provenance"], &["--provenance"]);
        }
    }
    let said = ["-o", "said.jsonl", "--provenance"];
    assert_eq!(go(&said).code, Some(0));
    let resumed = |more: &[&str]| go(&[&said[..], &["--resume"], more].concat());
    assert_eq!(resumed(&[]).code, Some(0));
    // Other crop, same weights; the file alone tells.
    resumed(&["--crop", "squash"]).refused(&["preprocessing was"]);
    resumed(&["--full-decode"]).refused(&["reduced_decoding was true, and is false"]);
    go(&["-o", "said.jsonl", "--resume"]).refused(&["without --provenance"]);
}

/// A list that never ends keeps the program waiting while signals come.
#[cfg(unix)]
fn waiting(program: &Program, output: &str) -> (std::process::Child, std::process::ChildStdin) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mobilenet"));
    command
        .args(["classify", "-o", output, "--resume", "--files-from", "-"])
        .args(["--weights", arg(&data(TINY))])
        .current_dir(program.path(""))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program");
    let list = child.stdin.take().expect("a pipe");
    (child, list)
}

#[cfg(unix)]
fn signal(child: &std::process::Child, name: &str) {
    let kill = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status();
    assert!(kill.expect("kill").success());
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_it_with_what_is_done_and_a_kill_loses_nothing() {
    use std::os::unix::process::ExitStatusExt;
    for (name, number) in [("-INT", 2), ("-TERM", 15), ("-KILL", 9)] {
        let program = Program::new();
        album(&program, 300, 50);
        let names = files(&program, "album");
        let output = program.path("labels.jsonl");
        let (mut child, mut list) = waiting(&program, "labels.jsonl");
        list.write_all((names[..100].join("\n") + "\n").as_bytes())
            .expect("written");
        wait_for_lines(&output, 100);
        signal(&child, name);
        let status = child.wait().expect("an end");
        assert_eq!(status.signal(), Some(number), "{status:?}");
        drop(list);

        let all = program.file("all", names.join("\n"));
        let arguments = ["-o", "labels.jsonl", "--resume", "--files-from", arg(&all)];
        assert_eq!(run(&program, &arguments).code, Some(2));
        let text = std::fs::read_to_string(&output).expect("written");
        let rows: Vec<Value> = text
            .lines()
            .map(|l| serde_json::from_str(l).expect("a row"))
            .collect();
        assert_eq!(paths(&rows), names);
    }
}
