//! The program as another one's subprocess, which asks and waits for each answer (`docs/subprocess.md`).

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Program, Ran, arg, data, repository};

const TINY: &str = "keras/tiny.keras";

/// Two pictures, and a folder with one.
fn pictures(program: &Program) {
    let cat = fs::read(repository("samples/cat.jpg")).expect("a sample");
    for name in ["a.jpg", "b\nc.jpg"] {
        program.file(name, &cat);
    }
    fs::create_dir(program.path("folder")).expect("a folder");
    program.file("folder/d.jpg", &cat);
}

/// Questions to a program that waits for more, each with the answer that has to come before the next.
fn asked(program: &Program, list: &str, end: u8, questions: &[&str]) -> Vec<Value> {
    let weights = data(TINY);
    let fixed = [
        "classify",
        "--jsonl",
        "--one-row",
        "--quiet",
        list,
        "-",
        "--weights",
        arg(&weights),
    ];
    let mut process = program.process(&fixed);
    let mut child = process
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut rows = Vec::new();
    for question in questions {
        stdin.write_all(question.as_bytes()).expect("written");
        stdin.write_all(&[end]).expect("written");
        let mut line = String::new();
        stdout.read_line(&mut line).expect("an answer");
        rows.push(serde_json::from_str(&line).expect("JSON"));
    }
    drop(stdin);
    let mut rest = String::new();
    assert_eq!(stdout.read_line(&mut rest).expect("an end"), 0, "{rest}");
    assert_eq!(child.wait().expect("an end").code(), Some(2));
    rows
}

#[test]
fn every_question_has_one_answer_and_waits_for_no_other() {
    let program = Program::new();
    pictures(&program);
    let kind = |row: &Value| row["error"]["kind"].as_str().unwrap_or("none").to_owned();
    for (list, end, named) in [
        ("--files-from", b'\n', "a.jpg\r"),
        ("--files0-from", 0, "b\nc.jpg"),
    ] {
        let rows = asked(
            &program,
            list,
            end,
            &[named, "", "folder", "absent.jpg", "a.jpg"],
        );
        let kinds: Vec<String> = rows.iter().map(kind).collect();
        assert_eq!(
            kinds,
            ["none", "not_found", "io", "not_found", "none"],
            "{rows:?}"
        );
        assert_eq!(rows[0]["path"], named.trim_end());
        assert_eq!(rows[1]["path"], "");
        assert_eq!(rows[0]["predictions"], rows[4]["predictions"]);
    }
    // In a list that is not written while it is read an empty line is nothing, and folders are walked.
    program.file("list", "\na.jpg\n\nfolder\n\n");
    let weights = data(TINY);
    let fixed = [
        "classify",
        "--jsonl",
        "--files-from",
        "list",
        "--weights",
        arg(&weights),
    ];
    let ran = program.run(&fixed);
    assert_eq!((ran.code, ran.rows().len()), (Some(0), 2));
    // As some shells write it.
    let wide: Vec<u8> = "\u{feff}a.jpg\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    program.file("list", wide);
    let ran = program.run(&fixed);
    assert_eq!(ran.code, Some(2));
    let message = ran.rows()[0]["error"]["message"]
        .as_str()
        .expect("a message")
        .to_owned();
    assert!(message.contains("UTF-16"), "{message}");
}

/// Frames in a pipe: each is answered before the next one is there, as the file with the same bytes is;
/// one that is broken costs itself, and what is none ends the stream.
#[test]
fn frames_are_answered_as_they_come() {
    let program = Program::new();
    let weights = data(TINY);
    let names = [
        "samples/cat.jpg",
        "samples/digits/7-0.png",
        "samples/coffee.jpg",
    ];
    let pictures = names.map(|name| fs::read(repository(name)).expect("a sample"));
    let alone = pictures.each_ref().map(|bytes| {
        program.file("picture", bytes);
        let ran = program.run(&["classify", "--jsonl", "picture", "--weights", arg(&weights)]);
        ran.rows()[0]["predictions"].clone()
    });
    let fixed = ["classify", "--jsonl", "--quiet", "--weights", arg(&weights)];
    let mut process = program.process(&[&fixed[..], &["--frames", "-"]].concat());
    let mut child = process
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut row = || -> Value {
        let mut line = String::new();
        stdout.read_line(&mut line).expect("an answer");
        serde_json::from_str(&line).expect("JSON")
    };
    for (i, bytes) in pictures.iter().enumerate() {
        stdin.write_all(bytes).expect("written");
        let row = row();
        assert_eq!(row["path"], format!("-#{}", i + 1));
        assert_eq!(row["predictions"], alone[i], "{}", names[i]);
    }
    // A JPEG as its markers go, with nothing to decode.
    stdin.write_all(b"\xff\xd8\xff\xd9").expect("written");
    assert_eq!(row()["error"]["kind"], "decode");
    stdin.write_all(&pictures[1]).expect("written");
    assert_eq!(row()["predictions"], alone[1]);
    stdin.write_all(b"GIF89a").expect("written");
    let last = row();
    let message = last["error"]["message"].as_str().expect("a message");
    assert!(message.contains("no JPEG or PNG begins"), "{message}");
    drop(stdin);
    assert_eq!(child.wait().expect("an end").code(), Some(2));

    // A file of frames among other sources, in the order of the command line.
    program.file("frames.bin", pictures.concat());
    program.file("a.jpg", &pictures[0]);
    let ran = program.run(&[&fixed[..], &["--frames", "frames.bin", "a.jpg"]].concat());
    let paths: Vec<Value> = ran.rows().iter().map(|row| row["path"].clone()).collect();
    assert_eq!(
        paths,
        ["frames.bin#1", "frames.bin#2", "frames.bin#3", "a.jpg"]
    );
    // The limit on a file's size is one on a frame's.
    let len = pictures[0].len() - 1;
    let ran = program.run(
        &[
            &fixed[..],
            &[
                "--frames",
                "frames.bin",
                "--max-file-size",
                &len.to_string(),
            ],
        ]
        .concat(),
    );
    let kinds: Vec<Value> = ran
        .rows()
        .iter()
        .map(|row| row["error"]["kind"].clone())
        .collect();
    let over = pictures.each_ref().map(|bytes| match bytes.len() > len {
        true => Value::from("limit"),
        false => Value::Null,
    });
    assert_eq!((ran.code, kinds), (Some(2), over.to_vec()));
    let ran = program.run(&[&fixed[..], &["--frames", "absent"]].concat());
    ran.refused(&["absent"]);
    let ran = program.run(&[&fixed[..], &["--frames", "-", "-"]].concat());
    ran.refused(&["stdin", "twice"]);
}

/// The client of `docs/subprocess.md`.
#[test]
fn the_client_in_python_has_the_same_answers() {
    if Command::new("python3").arg("--version").output().is_err() {
        crate::skipped::skip("there is no python3");
        return;
    }
    let program = Program::new();
    pictures(&program);
    let weights = data(TINY);
    let names = ["a.jpg", "absent.jpg", "b\nc.jpg", "", "folder"];
    let client = repository("examples/subprocess/labels.py");
    let mut command = Command::new("python3");
    command
        .arg(client)
        .args(names)
        .args(["--", "--quiet", "--weights", arg(&weights)])
        .env("MOBILENET", env!("CARGO_BIN_EXE_mobilenet"))
        .current_dir(program.path(""));
    let ran = Ran::of(command.output().expect("python3"));
    assert_eq!(ran.code, Some(2), "{ran:?}");
    let alone = program
        .run(&["classify", "--json", "a.jpg", "--weights", arg(&weights)])
        .json();
    let best = &alone[0]["predictions"][0];
    let score = best["score"].as_f64().expect("a score");
    let best = format!("{} {score:.4}", best["label"].as_str().expect("a label"));
    let expected = [
        format!("a.jpg: {best}"),
        "absent.jpg: not_found: no such file".to_owned(),
        format!("b\nc.jpg: {best}"),
        ": not_found: an empty line".to_owned(),
        "folder: io: is a directory".to_owned(),
    ];
    assert_eq!(ran.text().trim_end(), expected.join("\n"));
    // More than pipes hold, asked at once; then one at a time.
    let many = "import sys; sys.path.insert(0, sys.argv[1]); from labels import Labels\n\
                labels = Labels(*sys.argv[3:], program=sys.argv[2])\n\
                rows = list(labels.ask_all(['absent' * 30] * 5000))\n\
                assert len(rows) == 5000 and all(row['error'] for row in rows)\n\
                assert labels.ask('a.jpg')['predictions'] and labels.close() == 2\n\
                try: labels.ask('a.jpg')\n\
                except (EOFError, ValueError): print('ended')\n";
    let mut command = Command::new("python3");
    command
        .args(["-c", many, arg(&repository("examples/subprocess"))])
        .arg(env!("CARGO_BIN_EXE_mobilenet"))
        .args(["--quiet", "--weights", arg(&weights)])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(program.path(""));
    let ran = Ran::of(command.output().expect("python3"));
    assert_eq!((ran.code, ran.text().trim()), (Some(0), "ended"), "{ran:?}");
}
