//! What an earlier run answered is in its file at any time, also where a run that goes on with it
//! is killed.

use std::fs;
use std::io::Write;
use std::process::{Child, ChildStdin, Command, Stdio};

use super::{TINY, broken, picture, run, wait_for_lines};
use crate::support::{Program, arg, data};

/// The first line of a table.
const HEADER: &str = "path,rank,index,wnid,label,score,error\n";

/// The lines of a table that are of a picture.
fn lines_of<'a>(table: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!("{name},");
    table.lines().filter(|l| l.starts_with(&start)).collect()
}

/// A run that goes on with a table, over a list that does not end before it is closed.
fn resuming(program: &Program) -> (Child, ChildStdin) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mobilenet"));
    command
        .args(["classify", "-o", "labels.csv", "--resume"])
        .args(["--files-from", "-", "-j", "1"])
        .args(["--weights", arg(&data(TINY))])
        .current_dir(program.path(""))
        .stdin(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().expect("the program");
    let list = child.stdin.take().expect("a pipe");
    (child, list)
}

/// A table whose last picture has fewer lines than a picture may have: whether that is all of it
/// can't be known.
fn unsure_table(program: &Program) -> String {
    for number in 0..4 {
        program.file(&format!("{number}.png"), picture(number));
    }
    let inputs = ["0.png", "1.png"];
    let ran = run(program, &[&["-o", "labels.csv"], &inputs[..]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let whole = cut_last_line(program);
    assert_eq!(lines_of(&read(program), "1.png").len(), 4);
    whole
}

fn read(program: &Program) -> String {
    fs::read_to_string(program.path("labels.csv")).expect("written")
}

fn kill(mut child: Child, list: ChildStdin) {
    child.kill().expect("killed");
    child.wait().expect("an end");
    drop(list);
}

/// Takes the last line from the table, as a kill in the middle of a row does. Returns what it was.
fn cut_last_line(program: &Program) -> String {
    let whole = read(program);
    let end = whole.trim_end().rfind('\n').expect("lines") + 1;
    program.file("labels.csv", &whole[..end]);
    whole
}

/// A run that goes on with an unsure table is killed in the middle of the row of another picture.
/// Returns the table with all of that row.
fn killed_in_a_row(program: &Program) -> String {
    let (child, mut list) = resuming(program);
    list.write_all(b"2.png\n").expect("written");
    wait_for_lines(&program.path("labels.csv"), 1 + 5 + 4 + 5);
    kill(child, list);
    cut_last_line(program)
}

/// Nothing but the table, what is known of its run and the pictures is left.
fn assert_tidy(program: &Program) {
    let entries = fs::read_dir(program.path("")).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let others: Vec<_> = names
        .filter(|name| !arg(name.as_ref()).ends_with(".png"))
        .filter(|name| name != "labels.csv" && name != ".labels.csv.run")
        .collect();

    assert!(others.is_empty(), "{others:?}");
}

/// Killed before the last picture is answered again, and after another one was.
#[test]
fn a_kill_before_the_last_picture_is_answered_again_leaves_its_lines() {
    let program = Program::new();
    let whole = unsure_table(&program);
    let before = read(&program);
    // Nothing is answered at all.
    let (child, list) = resuming(&program);
    std::thread::sleep(std::time::Duration::from_millis(500));
    kill(child, list);
    assert_eq!(read(&program), before);

    // Another picture comes first.
    let (child, mut list) = resuming(&program);
    list.write_all(b"2.png\n").expect("written");
    wait_for_lines(&program.path("labels.csv"), 1 + 5 + 4 + 5);
    kill(child, list);
    let killed = read(&program);
    assert_eq!(lines_of(&killed, "0.png"), lines_of(&whole, "0.png"));
    assert_eq!(lines_of(&killed, "1.png"), lines_of(&before, "1.png"));
    assert_eq!(lines_of(&killed, "2.png").len(), 5);

    // That it may lack lines is still known, whichever picture is answered next.
    let others = ["-o", "labels.csv", "--resume", "3.png"];
    assert_eq!(run(&program, &others).code, Some(0));
    assert_eq!(
        lines_of(&read(&program), "1.png"),
        lines_of(&before, "1.png")
    );
    assert_tidy(&program);
    let all = ["0.png", "1.png", "2.png", "3.png"];
    let ran = run(
        &program,
        &[&["-o", "labels.csv", "--resume"], &all[..]].concat(),
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let after = read(&program);
    assert_eq!(after.lines().count(), 1 + 4 * 5);
    assert_eq!(lines_of(&after, "1.png"), lines_of(&whole, "1.png"));
    assert_tidy(&program);
}

/// Two runs were killed, each behind a picture that may lack lines.
#[test]
fn each_picture_that_may_lack_lines_is_remembered() {
    let program = Program::new();
    let whole = unsure_table(&program);
    let killed = killed_in_a_row(&program);
    let resume = |more: &[&str]| {
        let ran = run(
            &program,
            &[&["-o", "labels.csv", "--resume"], more].concat(),
        );
        assert_eq!(ran.code, Some(0), "{ran:?}");
        read(&program)
    };
    let others = resume(&["3.png"]);
    assert_eq!(lines_of(&others, "1.png").len(), 4);
    assert_eq!(lines_of(&others, "2.png").len(), 4);
    let after = resume(&["2.png", "1.png", "0.png", "3.png"]);
    assert_eq!(after.lines().count(), 1 + 4 * 5);
    assert_eq!(lines_of(&after, "1.png"), lines_of(&whole, "1.png"));
    assert_eq!(lines_of(&after, "2.png"), lines_of(&killed, "2.png"));
    assert_tidy(&program);
}

/// It is answered, and killed before the end, when the row gets its place.
#[test]
fn a_row_that_waits_for_its_place_leaves_the_old_one_in_doubt() {
    let program = Program::new();
    let whole = unsure_table(&program);
    let killed = killed_in_a_row(&program);
    // Behind the second picture in doubt there is a third one now.
    let (child, mut list) = resuming(&program);
    list.write_all(b"1.png\n3.png\n").expect("written");
    wait_for_lines(&program.path("labels.csv"), 1 + 5 + 4 + 4 + 5);
    kill(child, list);
    let all = ["0.png", "1.png", "2.png", "3.png"];
    let resume = [&["-o", "labels.csv", "--resume"], &all[..]].concat();
    assert_eq!(run(&program, &resume).code, Some(0));
    let after = read(&program);
    assert_eq!(lines_of(&after, "1.png"), lines_of(&whole, "1.png"));
    assert_eq!(lines_of(&after, "2.png"), lines_of(&killed, "2.png"));
    assert_eq!(after.lines().count(), 1 + 4 * 5);
    assert_tidy(&program);
}

/// Its new row differs from the start on.
#[test]
fn lines_of_other_scores_are_replaced_as_a_whole() {
    let program = Program::new();
    unsure_table(&program);
    program.file("1.png", picture(9));
    let inputs = ["-o", "labels.csv", "--resume", "1.png", "2.png"];
    assert_eq!(run(&program, &inputs).code, Some(0));
    let fresh = run(&program, &["--format", "csv", "1.png"]).stdout;
    let fresh = String::from_utf8(fresh).expect("UTF-8");
    let after = read(&program);
    let lines: Vec<&str> = fresh.lines().skip(1).collect();
    assert_eq!(lines_of(&after, "1.png"), lines);
    assert_eq!(after.lines().count(), 1 + 3 * 5);
    assert_tidy(&program);
}

/// It was answered twice, and the second row came last and may lack lines.
#[test]
fn a_picture_that_was_listed_twice_and_is_once_keeps_both_rows() {
    let program = Program::new();
    let threshold = ["-o", "labels.csv", "-k", "4", "--threshold", "0.001"];
    for number in 0..3 {
        program.file(&format!("{number}.png"), picture(number));
    }
    let earlier = ["0.png", "1.png", "0.png"];
    let ran = run(&program, &[&threshold[..], &earlier[..]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    // One line fewer: it looks as if one were missing.
    cut_last_line(&program);
    let now = ["--resume", "0.png", "2.png"];
    let ran = run(&program, &[&threshold[..], &now[..]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let after = read(&program);
    assert_eq!(lines_of(&after, "0.png").len(), 4 + 3);
    assert_eq!(lines_of(&after, "2.png").len(), 4);
}

/// A last line that lacks nothing but its end is an answer.
#[test]
fn a_json_row_without_its_line_end_is_kept() {
    let program = Program::new();
    program.file("0.png", picture(0));
    program.file("1.png", picture(1));
    program.file("broken.png", broken(1));
    let first = ["-o", "labels.jsonl", "--resume", "0.png"];
    assert_eq!(run(&program, &first).code, Some(0));
    let path = program.path("labels.jsonl");
    let row = fs::read_to_string(&path).expect("written");
    program.file("labels.jsonl", row.trim_end());
    let ran = run(&program, &["-o", "labels.jsonl", "--resume", "1.png"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let after = fs::read_to_string(&path).expect("written");
    assert!(after.starts_with(&row), "{after}");
    assert_eq!(after.lines().count(), 2);
    assert!(!after.contains(HEADER));
}

/// A failure whose line lacks its end is replaced whole: the file stays one that a run goes on with.
#[test]
fn a_failure_without_a_line_end_is_replaced() {
    let program = Program::new();
    program.file("0.png", picture(0));
    program.file("1.png", broken(0));
    let go = |more: &[&str]| {
        let fixed = ["-o", "labels.jsonl", "0.png", "1.png"];
        run(&program, &[&fixed, more].concat())
    };
    assert_eq!(go(&[]).code, Some(2));
    let rows = fs::read_to_string(program.path("labels.jsonl")).expect("written");
    program.file("labels.jsonl", rows.trim_end());
    program.file("1.png", picture(1));
    assert_eq!(go(&["--resume", "--retry-failed"]).code, Some(0));
    let rows = fs::read_to_string(program.path("labels.jsonl")).expect("written");
    assert_eq!(rows.lines().count(), 2);
    assert!(
        rows.lines().all(|row| row.ends_with("\"error\":null}")),
        "{rows}"
    );
    let ran = go(&["--resume"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}
