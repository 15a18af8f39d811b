//! `mobilenet grep`, with grep's manners.

use std::path::PathBuf;

use candle_core::{DType, Device, Tensor};
use mobilenet::model::{Config, random_tensors};

use crate::support::{Program, Ran, arg, repository};

/// A network whose answer does not depend on the picture: the classifier has no weights, only
/// a bias, so that the scores are the softmax of `logits` (others are -20).
fn fixed(program: &Program, logits: &[(usize, f32)]) -> PathBuf {
    let config = Config::with_alpha(0.05);
    let mut tensors = random_tensors(&config, 7).expect("tensors");
    let mut bias = vec![-20f32; 1000];
    for (class, logit) in logits {
        bias[*class] = *logit;
    }
    let weight = &tensors["conv_preds.weight"];
    let weight = Tensor::zeros(weight.shape(), DType::F32, &Device::Cpu).expect("zeros");
    let bias = Tensor::new(bias, &Device::Cpu).expect("a bias");
    tensors.insert("conv_preds.weight".into(), weight);
    tensors.insert("conv_preds.bias".into(), bias);
    let path = program.path("fixed.safetensors");
    candle_core::safetensors::save(&tensors, &path).expect("saved");
    path
}

/// `grep` over a picture, a file that is none, and another picture.
fn grep(program: &Program, more: &[&str]) -> Ran {
    let weights = program.path("fixed.safetensors");
    let fixed = ["grep", "--size", "32", "--weights", arg(&weights)];
    program.run(&[&fixed, more].concat())
}

fn album(program: &Program) {
    let cat = std::fs::read(repository("samples/cat.jpg")).expect("a sample");
    std::fs::create_dir(program.path("album")).expect("a folder");
    program.file("album/a b.jpg", &cat);
    program.file("album/c.jpg", &cat);
}

const TABBY: usize = 281;
const TIGER_CAT: usize = 282;
const CATAMARAN: usize = 484;
const BEAGLE: usize = 162;
const BASSET: usize = 161;
const BOTH: &str = "album/a b.jpg\nalbum/c.jpg\n";

#[test]
fn labels_match_by_pattern_case_word_rank_and_score() {
    let program = Program::new();
    album(&program);
    // 0.6, 0.3, 0.1
    let scores = [(TABBY, 0.6f32), (CATAMARAN, 0.3), (BEAGLE, 0.1)];
    fixed(&program, &scores.map(|(class, p)| (class, p.ln())));
    for (arguments, matches) in [
        (vec!["tabby"], true),
        (vec!["TABBY"], false),
        (vec!["-i", "TABBY"], true),
        (vec!["-s", "Tabby"], false),
        (vec!["^tabby, tabby cat$"], true),
        (vec!["tabb[xy]|dog"], true),
        (vec!["cata"], true),
        (vec!["-w", "cata"], false),
        (vec!["-w", "cat"], true),
        (vec!["-k", "1", "catamaran"], false),
        (vec!["--threshold", "0.4", "catamaran"], false),
        (vec!["--threshold", "0.2", "catamaran"], true),
        (vec!["--threshold", "0.05", "beagle"], true),
        (vec!["-e", "beagle", "-e", "catamaran"], true),
        (vec!["-e", "-nothing-"], false),
        (vec!["--is", "cat"], true),
        (vec!["--is", "domestic cat"], true),
        (vec!["--is", "n02121808"], true),
        (vec!["--is", "dog"], false),
        (vec!["--is", "dog", "--threshold", "0.05"], true),
        (vec!["--is", "dog,vehicle", "--threshold", "0.2"], true),
        (vec!["--is", "animal", "--threshold", "0.69"], true),
        (vec!["--is", "animal", "--threshold", "0.71"], false),
    ] {
        let ran = grep(&program, &[arguments.as_slice(), &["album"]].concat());
        let expected = if matches {
            (Some(0), BOTH)
        } else {
            (Some(1), "")
        };
        assert_eq!((ran.code, ran.text()), expected, "{arguments:?}");
        assert_eq!(ran.stderr, "", "{arguments:?}");
        let inverted = grep(&program, &[arguments.as_slice(), &["-v", "album"]].concat());
        let expected = if matches {
            (Some(1), "")
        } else {
            (Some(0), BOTH)
        };
        assert_eq!(
            (inverted.code, inverted.text()),
            expected,
            "-v {arguments:?}"
        );
    }
}

/// Eleven breeds of one in twelve each: no label is sure, and yet it is a dog.
#[test]
fn a_group_is_the_sum_over_all_its_classes() {
    let program = Program::new();
    album(&program);
    let dogs: Vec<(usize, f32)> = (BASSET..BASSET + 11).map(|class| (class, 0.0)).collect();
    fixed(&program, &[dogs, vec![(CATAMARAN, 0.0)]].concat());
    assert_eq!(grep(&program, &["hound|beagle", "album"]).code, Some(1));
    assert_eq!(
        grep(&program, &["--is", "dogs", "--threshold", "0.91", "album"]).text(),
        BOTH
    );
    let weights = program.path("fixed.safetensors");
    let rolled = program.run(&[
        "classify",
        "--rollup=0.91",
        "--jsonl",
        "--size",
        "32",
        "--weights",
        arg(&weights),
        "album",
    ]);
    let prediction = &rolled.rows()[1]["predictions"][0];
    assert_eq!(prediction["index"], serde_json::Value::Null);
    assert!(
        prediction["label"]
            .as_str()
            .expect("a label")
            .contains("hound"),
        "{prediction}"
    );
    let score = prediction["score"].as_f64().expect("a score");
    assert!((score - 11.0 / 12.0).abs() < 1e-4, "{score}");
}

#[test]
fn output_and_exit_codes_are_greps() {
    let program = Program::new();
    album(&program);
    fixed(&program, &[(TABBY, 0.0), (TIGER_CAT, 0.0)]);
    program.file("album/b.jpg", "no picture");
    let ran = grep(&program, &["cat", "album"]);
    assert_eq!((ran.code, ran.text()), (Some(2), BOTH));
    assert!(
        ran.stderr.contains("album/b.jpg: not an image"),
        "{}",
        ran.stderr
    );
    // An input that failed never matches.
    let ran = grep(&program, &["-v", "cat", "album"]);
    assert_eq!((ran.code, ran.text()), (Some(2), ""));
    assert_eq!(grep(&program, &["-rl", "cat", "album"]).text(), BOTH);
    let ran = grep(&program, &["-0", "cat", "album"]);
    assert_eq!(ran.text(), "album/a b.jpg\0album/c.jpg\0");
    let ran = grep(&program, &["-c", "cat", "album"]);
    assert_eq!((ran.code, ran.text()), (Some(2), "2\n"));
    let ran = grep(&program, &["-c", "dog", "album/c.jpg"]);
    assert_eq!((ran.code, ran.text()), (Some(1), "0\n"));
    let ran = grep(&program, &["-q", "cat", "album/b.jpg", "album/c.jpg"]);
    assert_eq!((ran.code, ran.text()), (Some(0), ""));
    let ran = grep(&program, &["-q", "dog", "album/b.jpg", "album/c.jpg"]);
    assert_eq!((ran.code, ran.text()), (Some(2), ""));
    let ran = grep(&program, &["-q", "dog", "album/c.jpg"]);
    assert_eq!((ran.code, ran.text()), (Some(1), ""));
}

#[test]
fn what_can_not_be_looked_for_is_an_error() {
    let program = Program::new();
    album(&program);
    fixed(&program, &[(TABBY, 0.0)]);
    grep(&program, &["(", "album"]).refused(&["("]);
    grep(&program, &["tabby"]).refused(&["no pictures"]);
    grep(&program, &["-e", "tabby"]).refused(&[]);
    grep(&program, &["--is", "vehicel", "album"]).refused(&["vehicel", "vehicle"]);
    grep(&program, &["--is", "dog", "-e", "cat", "album"]).refused(&["--is"]);
    grep(&program, &["--threshold", "2", "cat", "album"]).refused(&["probability"]);
}

/// `mobilenet grep -0 PATTERN DIR | xargs -0 ...` on names that are any bytes.
#[cfg(unix)]
#[test]
fn any_name_goes_through_a_pipe() {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::ffi::OsStringExt;
    let program = Program::new();
    album(&program);
    fixed(&program, &[(TABBY, 0.0)]);
    let cat = program.path("album/c.jpg");
    let names: [&[u8]; 3] = [b"new\nline.jpg", b"sp ace\t.jpg", b"latin\xe9.jpg"];
    for name in names {
        let name = std::ffi::OsString::from_vec(name.to_vec());
        std::fs::copy(&cat, program.path("album").join(name)).expect("copied");
    }
    let ran = grep(&program, &["-0", "tabby", "album"]);
    assert_eq!(ran.code, Some(0));
    let found: Vec<&[u8]> = ran
        .stdout
        .split(|b| *b == 0)
        .filter(|n| !n.is_empty())
        .collect();
    assert_eq!(found.len(), 5);
    for name in found {
        let path = std::ffi::OsStr::from_bytes(name);
        assert!(program.path("").join(path).is_file(), "{path:?}");
    }
    let listed = grep(&program, &["-0", "tabby", "--files0-from", "names"]);
    assert_eq!(listed.code, Some(2), "there is no such list");
    program.file("names", &ran.stdout);
    let again = grep(&program, &["-0", "tabby", "--files0-from", "names"]);
    assert_eq!(again.stdout, ran.stdout);
}
