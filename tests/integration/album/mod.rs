//! Folders, lists and streams of pictures.
//!
//! - `resume`: runs that were stopped, and are gone on with
//! - `kept`: what such runs never lose
//! - `overtaken`: two runs on one output
//! - `embeddings`: such runs of `embed`
//! - `packed`: rows that are packed as they are written
//! - `unwritable`: outputs that can't be written, or would not be what their names say
//! - `litter`: what folders have beside pictures, and which of those are asked for

mod embeddings;
mod kept;
mod litter;
mod overtaken;
mod packed;
mod resume;
mod unwritable;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Program, Ran, arg, data, repository};

const TINY: &str = "keras/tiny.keras";

/// A small picture that differs from those of other numbers.
fn picture(number: usize) -> Vec<u8> {
    let colour = |x: u32, y: u32| {
        let n = number as u32;
        [
            (x * 7 + n * 31) as u8,
            (y * 11 + n * 17) as u8,
            (x * y + n) as u8,
        ]
    };
    let image = image::RgbImage::from_fn(40, 30, |x, y| image::Rgb(colour(x, y)));
    let mut bytes = std::io::Cursor::new(Vec::new());
    image
        .write_to(&mut bytes, image::ImageFormat::Png)
        .expect("a picture");
    bytes.into_inner()
}

/// What is in the place of a picture, of several kinds.
fn broken(number: usize) -> Vec<u8> {
    let cat = std::fs::read(repository("samples/cat.jpg")).expect("a sample");
    match number % 5 {
        0 => Vec::new(),
        1 => b"this is no picture".to_vec(),
        2 => cat[..cat.len() / 3].to_vec(),
        3 => picture(number)[..60].to_vec(),
        _ => [&b"P6 90000 90000 255\n"[..], &[1, 2, 3]].concat(),
    }
}

/// Writes `count` pictures into a folder and its folders, every `every`-th of them broken.
fn album(program: &Program, count: usize, every: usize) {
    for number in 0..count {
        let folder = program.path("album").join(format!("{:02}", number % 7));
        std::fs::create_dir_all(&folder).expect("a folder");
        let bytes = match number % every == every - 1 {
            true => broken(number / every),
            false => picture(number),
        };
        std::fs::write(folder.join(format!("{number:04}.png")), bytes).expect("written");
    }
}

/// The files below a folder, in bytewise order of their paths.
fn files(program: &Program, folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![program.path(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let path = path.strip_prefix(program.path("")).expect("below");
                    found.push(arg(path).to_owned());
                }
            }
        }
    }
    found.sort();
    found
}

fn classify(program: &Program, more: &[&str]) -> assert_cmd::Command {
    let mut command = program.command(&["classify", "--weights", arg(&data(TINY))]);
    command.args(more);
    command
}

fn run(program: &Program, more: &[&str]) -> Ran {
    Ran::of(classify(program, more).output().expect("the program"))
}

fn paths(rows: &[Value]) -> Vec<&str> {
    let paths = rows.iter().filter_map(|row| row["path"].as_str());
    paths.collect()
}

/// Whatever the threads, the batch and the way in which they are named.
#[test]
fn two_thousand_pictures_twenty_of_them_broken() {
    let program = Program::new();
    album(&program, 2000, 100);
    let names = files(&program, "album");
    assert_eq!(names.len(), 2000);
    let list = program.file("list", names.join("\n"));
    let list0 = program.file("list0", names.join("\0") + "\0");

    let first = run(&program, &["--jsonl", "-j", "1", "album"]);
    assert_eq!(first.code, Some(2));
    let rows = first.rows();
    assert_eq!(paths(&rows), names);
    let failed: Vec<_> = rows.iter().filter(|r| !r["error"].is_null()).collect();
    assert_eq!(failed.len(), 20);
    assert!(
        failed
            .iter()
            .all(|r| r["predictions"] == Value::Array(vec![]))
    );
    let limits = failed.iter().filter(|r| r["error"]["kind"] == "limit");
    assert_eq!(limits.count(), 4);
    let last = first.stderr.lines().last().expect("a summary");
    assert!(last.contains("1980 answered, 20 failed"), "{last}");
    assert_eq!(first.stderr.lines().count(), 21);

    let named: Vec<&str> = names.iter().map(String::as_str).collect();
    for way in [
        vec!["-j", "2", "album"],
        vec!["-j", "3", "-b", "7", "album"],
        vec!["-b", "64", "--files-from", arg(&list)],
        vec!["--files0-from", arg(&list0)],
        [vec!["-j", "2"], named].concat(),
    ] {
        let ran = run(&program, &[&["--jsonl"], way.as_slice()].concat());
        assert!(ran.stdout == first.stdout, "{:?} differs", &way[..3]);
        assert_eq!(ran.code, Some(2));
    }
}

/// `a.png` comes before what is in the folder `a`, and `a-b` before both.
#[test]
fn a_folder_is_walked_in_bytewise_order_of_the_paths() {
    let program = Program::new();
    for name in [
        "a/z.png",
        "a/b/c.png",
        "a.png",
        "a-b.png",
        "a0.png",
        "B.png",
        "é.png",
    ] {
        let path = program.path("album").join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, picture(1)).expect("written");
    }
    let ran = run(&program, &["--jsonl", "album/"]);
    let expected = [
        "B.png",
        "a-b.png",
        "a.png",
        "a/b/c.png",
        "a/z.png",
        "a0.png",
        "é.png",
    ];
    assert_eq!(
        paths(&ran.rows()),
        expected.map(|name| format!("album/{name}"))
    );
}

/// By extension or by signature; what is named is never passed over.
#[test]
fn in_a_folder_only_pictures_count() {
    let program = Program::new();
    std::fs::create_dir(program.path("album")).expect("a folder");
    program.file("album/notes.txt", "no picture");
    program.file("album/empty", "");
    program.file("album/no-extension", picture(1));
    let cat = std::fs::read(repository("samples/cat.jpg")).expect("a sample");
    program.file("album/jpeg", cat);
    program.file("album/UPPER.PNG", picture(2));
    program.file("album/broken.jpeg", "no picture");
    program.file("album/phone.psd", "a format that is not read");
    let ran = run(&program, &["--jsonl", "album", "album/notes.txt"]);
    let rows = ran.rows();
    let expected = [
        "UPPER.PNG",
        "broken.jpeg",
        "jpeg",
        "no-extension",
        "phone.psd",
        "notes.txt",
    ];
    assert_eq!(paths(&rows), expected.map(|name| format!("album/{name}")));
    let failed: Vec<bool> = rows.iter().map(|row| !row["error"].is_null()).collect();
    assert_eq!(failed, [false, true, false, false, true, true]);
    assert_eq!(ran.code, Some(2));
}

#[cfg(unix)]
#[test]
fn links_loops_and_what_may_not_be_read() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let program = Program::new();
    std::fs::create_dir_all(program.path("album/inner")).expect("folders");
    std::fs::create_dir_all(program.path("elsewhere")).expect("folders");
    std::fs::create_dir_all(program.path("album/locked")).expect("folders");
    program.file("album/inner/one.png", picture(1));
    program.file("elsewhere/two.png", picture(2));
    let link = |to: &str, name: &str| symlink(to, program.path(name)).expect("a link");
    link("../../album", "album/inner/loop");
    link("../elsewhere", "album/folder.png");
    link("../elsewhere/two.png", "album/two.png");
    link("nowhere.png", "album/dangling.png");
    link("nowhere", "album/dangling");
    link("album", "linked");
    let pipe = Command::new("mkfifo")
        .arg(program.path("album/pipe.png"))
        .status();
    assert!(pipe.expect("mkfifo").success());
    let locked = program.path("album/locked");
    std::fs::set_permissions(&locked, PermissionsExt::from_mode(0o000)).expect("locked");
    let root = std::fs::read_dir(&locked).is_ok();

    // A link that is named is followed, even to a folder.
    let ran = run(&program, &["--jsonl", "linked"]);
    let rows = ran.rows();
    let mut expected = vec!["dangling.png", "inner/one.png", "locked", "two.png"];
    expected.retain(|name| !(root && *name == "locked"));
    let expected: Vec<_> = expected
        .iter()
        .map(|name| format!("linked/{name}"))
        .collect();
    assert_eq!(paths(&rows), expected);
    assert_eq!(rows[0]["error"]["kind"], "not_found");
    if !root {
        assert_eq!(rows[2]["error"]["kind"], "permission");
    }
    assert_eq!(ran.code, Some(2));
    std::fs::set_permissions(&locked, PermissionsExt::from_mode(0o700)).expect("unlocked");
}

#[test]
fn sources_keep_the_order_of_the_command_line() {
    let program = Program::new();
    for number in 0..4 {
        program.file(&format!("{number}.png"), picture(number));
    }
    let list = program.file("list", "2.png\n\nmissing.png\n");
    let mut command = classify(
        &program,
        &["--jsonl", "3.png", "--files-from", arg(&list), "-", "1.png"],
    );
    let ran = Ran::of(
        command
            .write_stdin(picture(9))
            .output()
            .expect("the program"),
    );
    let expected = ["3.png", "2.png", "missing.png", "-", "1.png"];
    assert_eq!(paths(&ran.rows()), expected);
    let twice = run(&program, &["-", "--files-from", "-"]);
    twice.refused(&["stdin"]);
    run(&program, &["--files-from", "absent"]).refused(&["absent", "can't be read"]);
    run(&program, &[]).refused(&["[PATH]..."]);
}

#[test]
fn a_list_that_is_none_is_an_error_row() {
    let program = Program::new();
    program.file("0.png", picture(0));
    let mut entries = b"0.png\n".to_vec();
    entries.extend(vec![b'x'; 200_000]);
    let list = program.file("list", entries);
    let ran = run(&program, &["--jsonl", "--files-from", arg(&list)]);
    let rows = ran.rows();
    assert_eq!(paths(&rows), ["0.png", arg(&list)]);
    let message = rows[1]["error"]["message"].as_str().expect("an error");
    assert!(message.contains("no list of paths"), "{message}");
}

/// Lists as Windows writes them; a file that has a carriage return in its name is found by it.
#[test]
fn marks_of_windows_are_no_part_of_a_path() {
    let program = Program::new();
    for name in ["0.png", "1.png"] {
        program.file(name, picture(0));
    }
    let list = program.file("list", "\u{feff}0.png\r\n\r\n1.png\r\n");
    let paths =
        |ran: &Ran| -> Vec<Value> { ran.rows().iter().map(|row| row["path"].clone()).collect() };
    let ran = run(&program, &["--jsonl", "--files-from", arg(&list)]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(paths(&ran), ["0.png", "1.png"]);
    if cfg!(unix) {
        program.file("1.png\r", picture(1));
        let ran = run(&program, &["--jsonl", "--files-from", arg(&list)]);
        assert_eq!(paths(&ran), ["0.png", "1.png\r"]);
    }
}

/// `tail -f list | mobilenet classify --files-from - --jsonl`
#[test]
fn a_slow_list_is_answered_as_it_comes() {
    for batch in ["1", "8"] {
        let program = Program::new();
        program.file("a.png", picture(0));
        let mut command = Command::new(env!("CARGO_BIN_EXE_mobilenet"));
        command
            .args(["classify", "--jsonl", "--files-from", "-", "-b", batch])
            .args(["--weights", arg(&data(TINY))])
            .current_dir(program.path(""))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("the program");
        let mut list = child.stdin.take().expect("a pipe");
        let mut rows = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        for name in ["a.png", "missing.png", "a.png"] {
            writeln!(list, "{name}").expect("written");
            // This would wait for ever if an answer waited for the next name.
            let row = rows.next().expect("a row").expect("UTF-8");
            assert!(row.contains(name), "{row}");
        }
        drop(list);
        assert!(rows.next().is_none());
        assert_eq!(child.wait().expect("an end").code(), Some(2));
    }
}

#[test]
fn shards_share_the_pictures() {
    let program = Program::new();
    album(&program, 60, 1000);
    let mut found = Vec::new();
    for shard in ["1/3", "2/3", "3/3"] {
        let ran = run(&program, &["--jsonl", "--shard", shard, "album"]);
        let rows = ran.rows();
        let part: Vec<String> = paths(&rows).iter().map(|p| (*p).to_owned()).collect();
        assert!(part.is_sorted() && part.len() > 5, "{part:?}");
        found.extend(part);
    }
    found.sort();
    assert_eq!(found, files(&program, "album"));
    run(&program, &["--shard", "4/3", "album"]).refused(&["I/N"]);
}

#[test]
fn limits_are_the_users() {
    let program = Program::new();
    let small = program.file("small.png", picture(1));
    let ran = run(&program, &["--jsonl", "--max-pixels", "1199", arg(&small)]);
    assert_eq!(ran.rows()[0]["error"]["kind"], "limit");
    let ran = run(
        &program,
        &["--jsonl", "--max-file-size", "100", arg(&small)],
    );
    assert_eq!(ran.rows()[0]["error"]["kind"], "limit");
    let ran = run(&program, &["--jsonl", "--max-pixels", "1200", arg(&small)]);
    assert_eq!(ran.code, Some(0));
}

#[test]
fn an_empty_folder_is_nothing_and_says_so() {
    let program = Program::new();
    std::fs::create_dir(program.path("empty")).expect("a folder");
    let ran = run(&program, &["--json", "empty"]);
    assert_eq!((ran.code, ran.text()), (Some(0), "[]\n"));
    assert!(ran.stderr.contains("no pictures"), "{}", ran.stderr);
    let ran = run(&program, &["--quiet", "empty"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
}

#[test]
fn an_output_file_has_the_format_of_its_name() {
    let program = Program::new();
    album(&program, 5, 3);
    let to_stdout = run(&program, &["--format", "csv", "album"]);
    let to_file = run(&program, &["-o", "labels.csv", "album"]);
    assert_eq!((to_file.code, to_file.text()), (Some(2), ""));
    let written = std::fs::read(program.path("labels.csv")).expect("written");
    assert_eq!(written, to_stdout.stdout);
    run(&program, &["-o", "absent/labels.csv", "album"]).refused(&["absent/labels.csv"]);
}

/// `mobilenet classify -o *.jpg` has a picture where the output should be.
#[test]
fn what_is_read_is_never_written_over() {
    let program = Program::new();
    let cat = program.file("cat.png", picture(3));
    let list = program.file("list", "cat.png\n");
    let weights = program.file("w.keras", std::fs::read(data(TINY)).expect("a fixture"));
    let labels = program.file("labels", "a\nb\n");
    let bytes = |path: &Path| std::fs::read(path).expect("still there");
    let (cat_bytes, list_bytes) = (bytes(&cat), bytes(&list));
    run(&program, &["-o", "cat.png", "list"]).refused(&["cat.png", "picture"]);
    run(&program, &["-o", "cat.png", "--files-from", "list"]).refused(&["picture"]);
    run(&program, &["-o", "list", "--files-from", "list"]).refused(&["list", "read"]);
    let labelled = ["-o", "labels", "--labels", arg(&labels), "cat.png"];
    run(&program, &labelled).refused(&["labels"]);
    let own = [
        "classify",
        "--format",
        "csv",
        "-o",
        "w.keras",
        "--weights",
        arg(&weights),
        "cat.png",
    ];
    program.run(&own).refused(&["w.keras", "read"]);
    assert_eq!((bytes(&cat), bytes(&list)), (cat_bytes, list_bytes));
    assert_eq!(bytes(&weights), bytes(&data(TINY)));
}

/// Waits until a file has this many lines.
#[cfg(unix)]
fn wait_for_lines(path: &Path, lines: usize) {
    for _ in 0..600 {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if text.lines().count() >= lines {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{} never had {lines} lines", path.display());
}

/// `mobilenet classify --jsonl DIR | head -1`
#[test]
fn a_reader_that_has_seen_enough_ends_the_run() {
    let program = Program::new();
    album(&program, 500, 1000);
    let mut command = Command::new(env!("CARGO_BIN_EXE_mobilenet"));
    command
        .args([
            "classify",
            "--jsonl",
            "-k",
            "5000",
            "--weights",
            arg(&data(TINY)),
            "album",
        ])
        .current_dir(program.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program");
    let mut first = String::new();
    let mut reader = BufReader::new(child.stdout.take().expect("a pipe"));
    reader.read_line(&mut first).expect("a row");
    assert!(first.contains("album/00/0000.png"), "{first}");
    drop(reader);
    let output = child.wait_with_output().expect("an end");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(crate::support::Ran::of(output).stderr, "");
}

/// The largest size that the program had in memory, in kilobytes.
#[cfg(target_os = "linux")]
fn peak_memory(program: &Program, list: &Path) -> u64 {
    // A list that stays open keeps the program alive until it has been looked at.
    let mut command = Command::new(env!("CARGO_BIN_EXE_mobilenet"));
    command
        .args([
            "classify",
            "-o",
            "labels.csv",
            "-j",
            "2",
            "--files-from",
            "-",
        ])
        .args(["--weights", arg(&data(TINY))])
        .current_dir(program.path(""))
        .stdin(Stdio::piped());
    let names = std::fs::read(list).expect("a list");
    let count = names.iter().filter(|b| **b == b'\n').count();
    let mut child = command.spawn().expect("the program");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(&names).expect("written");
    wait_for_lines(&program.path("labels.csv"), count * 5 + 1);
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
    drop(stdin);
    assert!(child.wait().expect("an end").success());
    let status = status.expect("its status");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.expect("a peak").trim().trim_end_matches(" kB");
    peak.parse().expect("a number")
}

#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_list() {
    let program = Program::new();
    program.file("a.png", picture(5));
    let list = |count: usize| program.file(&format!("{count}"), "a.png\n".repeat(count));
    let few = peak_memory(&program, &list(200));
    let many = peak_memory(&program, &list(20_000));
    assert!(
        many < few + 4_000,
        "{few} kB for 200 pictures, {many} kB for 20,000"
    );
}

#[test]
fn names_are_not_mistaken_for_options() {
    let program = Program::new();
    program.file("-k.png", picture(1));
    let ran = run(&program, &["--jsonl", "--", "-k.png"]);
    assert_eq!(paths(&ran.rows()), ["-k.png"]);
}
