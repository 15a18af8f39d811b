//! Runs that begin with a checkpoint, beside `learn`.

use std::path::{Path, PathBuf};

use super::{bytes, f32s, open, our_tensors, squares};
use crate::support::{Program, arg, data, largest_difference};

/// Squares of which some are in another one's folder, so that no classifier tells all of them.
fn mixed_squares(program: &Program) -> PathBuf {
    let folder = squares(program, "squares", 7);
    for (from, to) in [
        ("red/00", "green/z0"),
        ("green/01", "blue/z1"),
        ("blue/02", "red/z2"),
    ] {
        let file = |name: &str| folder.join(format!("{name}.png"));
        std::fs::rename(file(from), file(to)).expect("moved");
    }
    folder
}

fn from_tiny<'a>(
    command: &'a str,
    folder: &'a Path,
    output: &'a str,
    tiny: &'a Path,
) -> Vec<&'a str> {
    let fixed = [command, arg(folder), "-o", output, "--weights", arg(tiny)];
    [&fixed[..], &["--size", "32"]].concat()
}

/// That two checkpoints are the same network; one of `learn` has examples besides.
fn assert_same(program: &Program, learned: &str, trained: &str) {
    let [learned, trained] = [learned, trained].map(|name| our_tensors(&open(&program.path(name))));
    assert!(trained.contains_key("conv_preds.weight"));
    for (name, tensor) in &trained {
        let off = largest_difference(&f32s(tensor), &f32s(&learned[name]));
        assert!(off < 1e-5, "{name}: {off}");
    }
}

#[test]
fn what_makes_nothing_better_leaves_what_learn_makes() {
    let program = Program::new();
    let folder = mixed_squares(&program);
    let tiny = data("keras/tiny.keras");
    let learned = program.run(&from_tiny("learn", &folder, "learned.safetensors", &tiny));
    assert_eq!(learned.code, Some(0), "{learned:?}");
    // Steps that are far too long.
    let wild = [
        "--epochs",
        "1",
        "--learning-rate",
        "0.05",
        "--block-decay",
        "1",
    ];
    let train = from_tiny("train", &folder, "trained.safetensors", &tiny);
    let ran = program.run(&[&train[..], &wild].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stderr.contains("the linear classifier alone tells "),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("kept what it began with"),
        "{}",
        ran.stderr
    );
    assert_same(&program, "learned.safetensors", "trained.safetensors");
    // The log has the beginning of each trial.
    let log = String::from_utf8(bytes(&program, "trained.csv")).expect("UTF-8");
    let beginnings = log.lines().filter(|line| line.starts_with("0,0.0,"));
    assert!(beginnings.count() >= 2, "{log}");
    assert!(
        log.lines().nth(1).is_some_and(|line| line.ends_with(",1")),
        "{log}"
    );
    // And what `learn` made is fitted again, though it is of these classes.
    let learned = program.path("learned.safetensors");
    let train = from_tiny("train", &folder, "again.safetensors", &learned);
    let ran = program.run(&[&train[..], &wild].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_same(&program, "learned.safetensors", "again.safetensors");
}

#[test]
fn with_another_folder_to_test_with_the_best_epoch_is_kept_and_without_any_the_last_one() {
    let program = Program::new();
    let folder = mixed_squares(&program);
    let tiny = data("keras/tiny.keras");
    let few = [
        "--epochs",
        "1",
        "--learning-rate",
        "0.05",
        "--block-decay",
        "1",
    ];
    let run = |output: &str, more: &[&str]| {
        let ran =
            program.run(&[&from_tiny("train", &folder, output, &tiny)[..], &few, more].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran
    };
    let ran = run("tested.safetensors", &["--validation-dir", arg(&folder)]);
    assert!(
        ran.stderr.contains("kept what it began with"),
        "{}",
        ran.stderr
    );
    // The beginning, and one epoch.
    assert_eq!(ran.text().lines().count(), 2, "{}", ran.text());
    let ran = run("all.safetensors", &["--validation", "0"]);
    assert!(
        ran.stderr.contains("nothing was held out"),
        "{}",
        ran.stderr
    );
    let [kept, trained] = ["tested.safetensors", "all.safetensors"]
        .map(|name| our_tensors(&open(&program.path(name))));
    assert!(f32s(&kept["conv_pw_13.weight"]) != f32s(&trained["conv_pw_13.weight"]));
    // The statistics are the checkpoint's.
    let before = our_tensors(&open(&tiny));
    for name in ["conv1_bn.running_mean", "conv_pw_13_bn.running_var"] {
        assert!(f32s(&before[name]) == f32s(&trained[name]), "{name}");
    }
}

#[test]
fn a_run_of_several_trials_that_was_killed_goes_on_to_the_same_log_and_bytes() {
    let program = Program::new();
    let folder = mixed_squares(&program);
    let tiny = data("keras/tiny.keras");
    let few = ["--epochs", "3", "--quiet", "--resume"];
    let arguments = |output| [&from_tiny("train", &folder, output, &tiny)[..], &few].concat();
    let whole = program.run(&arguments("whole.safetensors"));
    assert_eq!(whole.code, Some(0), "{whole:?}");
    let killed = arguments("killed.safetensors");
    // In the first trial and in the second.
    for lines in [2, 4] {
        let mut child = super::stopped::started(&program, &killed, lines);
        child.kill().expect("killed");
        child.wait().expect("ended");
    }
    let ran = program.run(&killed);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(bytes(&program, "whole.safetensors") == bytes(&program, "killed.safetensors"));
    let log = |name: &str| super::stopped::without_seconds(&program, name);
    assert_eq!(log("killed.csv"), log("whole.csv"));
    // What is over is left alone.
    let before = std::fs::metadata(program.path("whole.safetensors")).expect("a file");
    let loud: Vec<&str> = arguments("whole.safetensors");
    let loud: Vec<&str> = loud.into_iter().filter(|a| *a != "--quiet").collect();
    let ran = program.run(&loud);
    assert!(ran.code == Some(0) && ran.text().is_empty(), "{ran:?}");
    assert!(ran.stderr.contains("the run is over"), "{}", ran.stderr);
    let after = std::fs::metadata(program.path("whole.safetensors")).expect("a file");
    assert_eq!(before.modified().ok(), after.modified().ok());
}
