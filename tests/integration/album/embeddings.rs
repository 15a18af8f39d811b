//! Runs of `embed` that were stopped, and are gone on with.

use super::{TINY, album, broken, picture, run as classify};
use crate::support::{Program, Ran, arg, data};

fn embed(program: &Program, more: &[&str]) -> Ran {
    let mut command = program.command(&["embed", "--weights", arg(&data(TINY))]);
    Ran::of(command.args(more).output().expect("the program"))
}

/// Every length that an output can have been cut to by a kill.
#[test]
fn embeddings_are_resumed_wherever_a_run_stopped() {
    let program = Program::new();
    album(&program, 9, 4);
    // A name that CSV has to quote, twice among the pictures.
    program.file("album/a\n\"b\",c.png", picture(77));
    let inputs = ["album", "album/a\n\"b\",c.png"];
    for format in ["jsonl", "csv"] {
        let name = format!("embeddings.{format}");
        let all = |more: &[&str]| embed(&program, &[&["-o", &name], more, &inputs].concat());
        assert_eq!(all(&[]).code, Some(2));
        let whole = std::fs::read(program.path(&name)).expect("written");
        let step = whole.len() / 40 + 1;
        for kept in (0..=whole.len()).step_by(step).chain([whole.len() - 1]) {
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
fn a_failure_is_embedded_again_in_its_place() {
    let program = Program::new();
    for number in 0..3 {
        program.file(&format!("{number}.png"), picture(number));
    }
    let inputs = ["0.png", "1.png", "2.png"];
    for name in ["embeddings.jsonl", "embeddings.csv"] {
        let go = |more: &[&str]| embed(&program, &[&["-o", name], more, &inputs].concat());
        let read = || std::fs::read(program.path(name)).expect("written");
        program.file("1.png", picture(1));
        assert_eq!(go(&[]).code, Some(0));
        let whole = read();
        program.file("1.png", broken(1));
        assert_eq!(go(&[]).code, Some(2));
        program.file("1.png", picture(1));
        assert_eq!(go(&["--resume"]).code, Some(2));
        assert_eq!(go(&["--resume", "--retry-failed"]).code, Some(0));
        assert!(read() == whole, "{name}");
    }
}

/// Rows that this run would not write: they stay as they are.
#[test]
fn embeddings_of_other_options_are_not_gone_on_with() {
    let program = Program::new();
    program.file("0.png", picture(0));
    program.file("1.png", picture(1));
    let go = |more: &[&str]| embed(&program, &[more, &["0.png", "1.png"]].concat());
    for name in ["embeddings.jsonl", "embeddings.csv"] {
        assert_eq!(go(&["-o", name]).code, Some(0));
        let whole = std::fs::read(program.path(name)).expect("written");
        go(&["-o", name, "--resume", "--normalize"]).refused(&[name, "--normalize"]);
        let now = std::fs::read(program.path(name)).expect("kept");
        assert!(now == whole, "{name}");
        // Another command's rows.
        let labels = name.replace("embeddings", "labels");
        let ran = classify(&program, &["-o", &labels, "0.png", "1.png"]);
        assert_eq!(ran.code, Some(0));
        go(&["-o", &labels, "--resume"]).refused(&[&labels, "line 1"]);
        classify(&program, &["-o", name, "--resume", "0.png"]).refused(&[name, "line 1"]);
        let now = std::fs::read(program.path(name)).expect("kept");
        assert!(now == whole, "{name}");
    }
    for name in ["embeddings.npy", "embeddings.safetensors"] {
        go(&["-o", name, "--resume"]).refused(&["jsonl and csv can be resumed"]);
        assert_eq!(go(&["-o", name]).code, Some(0));
        let whole = std::fs::read(program.path(name)).expect("written");
        go(&["-o", name, "--resume"]).refused(&["jsonl and csv can be resumed"]);
        let now = std::fs::read(program.path(name)).expect("kept");
        assert!(now == whole, "{name}");
    }
    go(&["--resume"]).refused(&["--output"]);
}
