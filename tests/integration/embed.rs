//! `mobilenet embed`: Keras's embeddings in formats that NumPy and safetensors read.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use mobilenet::model::{Config, random_tensors};
use safetensors::SafeTensors;
use serde_json::{Value, json};

use crate::support::{
    Program, Ran, arg, data, floats, image, largest_difference, repository, shared, tensors,
};

const TINY: &str = "keras/tiny.keras";
/// Values of an embedding of the tiny network.
const WIDTH: usize = 51;

/// The golden inputs `a` and `b` of the tiny network as PNGs, with a file that is no picture
/// between them.
fn pictures(program: &Program) -> [PathBuf; 3] {
    let golden = tensors(data("keras/tiny.golden.safetensors"));
    let save = |name: &str| {
        let path = program.path(&format!("{name}.png"));
        let picture = image(&golden[&format!("{name}.input")]);
        picture.save(&path).expect("saved");
        path
    };
    [
        save("a"),
        program.file("broken.png", "no picture"),
        save("b"),
    ]
}

fn run(program: &Program, more: &[&str]) -> Ran {
    let weights = data(TINY);
    let fixed = ["embed", "--weights", arg(&weights), "--crop", "squash"];
    program.run(&[&fixed, more].concat())
}

/// The embedding of a JSON row.
fn embedding(row: &Value) -> Vec<f32> {
    let values = row["embedding"].as_array().expect("an embedding").iter();
    values
        .map(|v| v.as_f64().expect("a number") as f32)
        .collect()
}

/// A header of NumPy's and the values behind it.
fn npy(bytes: &[u8]) -> (String, Vec<f32>) {
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let (header, rest) = bytes[10..].split_at(length);
    let header = String::from_utf8(header.to_vec()).expect("ASCII");
    let values = rest
        .chunks(4)
        .map(|b| f32::from_le_bytes(b.try_into().expect("whole")));
    (header, values.collect())
}

/// The embeddings in a safetensors file, `[N, D]`, and its metadata, JSON as JSON.
fn safetensors(bytes: &[u8]) -> (Tensor, HashMap<String, Value>) {
    let (_, header) = SafeTensors::read_metadata(bytes).expect("a header");
    let metadata = header.metadata().clone().expect("metadata").into_iter();
    let metadata = metadata.map(|(key, text)| (key, serde_json::from_str(&text).expect("JSON")));
    let mut tensors = candle_core::safetensors::load_buffer(bytes, &Device::Cpu).expect("tensors");
    assert_eq!(tensors.len(), 1);
    (
        tensors.remove("embeddings").expect("embeddings"),
        metadata.collect(),
    )
}

fn read(program: &Program, name: &str) -> Vec<u8> {
    std::fs::read(program.path(name)).expect(name)
}

/// `keras.npy` is what `numpy.save` writes of Keras's embeddings.
#[test]
fn npy_is_numpys_to_the_header_and_kerass_to_the_values() {
    let program = Program::new();
    let [a, _, b] = pictures(&program);
    let (header, want) = npy(&std::fs::read(data("embeddings/keras.npy")).expect("a fixture"));
    let to_file = run(&program, &["-o", "ab.npy", arg(&a), arg(&b)]);
    assert_eq!((to_file.code, to_file.stderr.as_str()), (Some(0), ""));
    let to_stdout = run(&program, &["--format", "npy", arg(&a), arg(&b)]);
    assert_eq!(to_stdout.stdout, read(&program, "ab.npy"));
    let (got_header, got) = npy(&to_stdout.stdout);
    assert_eq!(got_header, header);
    assert!(largest_difference(&got, &want) < 1e-4);

    std::fs::create_dir(program.path("empty")).expect("a folder");
    let none = std::fs::read(data("embeddings/none.npy")).expect("a fixture");
    assert_eq!(run(&program, &["--format", "npy", "empty"]).stdout, none);
    assert_eq!(run(&program, &["-o", "none.npy", "empty"]).code, Some(0));
    assert_eq!(read(&program, "none.npy"), none);
}

#[test]
fn a_failed_picture_keeps_its_place_in_every_format() {
    let program = Program::new();
    pictures(&program);
    let names = ["a.png", "broken.png", "missing.png", "b.png"];
    let run = |more: &[&str]| {
        let ran = run(&program, &[more, &names].concat());
        assert_eq!(ran.code, Some(2));
        assert!(ran.stderr.contains("missing.png: no such file"), "{ran:?}");
        assert!(ran.stderr.contains("2 answered, 2 failed"), "{ran:?}");
        ran
    };
    let rows = run(&[]).rows();
    let paths: Vec<&Value> = rows.iter().map(|row| &row["path"]).collect();
    assert_eq!(paths, names);
    let kinds: Vec<&Value> = rows.iter().map(|row| &row["error"]["kind"]).collect();
    assert_eq!(
        kinds,
        [
            &json!(null),
            &json!("decode"),
            &json!("not_found"),
            &json!(null)
        ]
    );
    for row in &rows {
        assert_eq!(row["embedding"].is_null(), !row["error"].is_null());
        assert_eq!(row.as_object().map(serde_json::Map::len), Some(3));
    }
    let (a, b) = (embedding(&rows[0]), embedding(&rows[3]));
    let golden = tensors(data("keras/tiny.golden.safetensors"));
    assert!(largest_difference(&a, &floats(&golden["a.embedding"])) < 1e-4);
    assert!(largest_difference(&b, &floats(&golden["b.embedding"])) < 1e-4);

    let csv = run(&["-o", "all.csv"]);
    assert_eq!(csv.text(), "");
    let csv = read(&program, "all.csv");
    let mut csv = csv::Reader::from_reader(csv.as_slice());
    let header: Vec<String> = csv
        .headers()
        .expect("a header")
        .iter()
        .map(Into::into)
        .collect();
    let values = (0..WIDTH).map(|i| format!("e{i}"));
    let expected: Vec<String> = ["path".to_owned()].into_iter().chain(values).collect();
    assert_eq!(header[..=WIDTH], expected);
    assert_eq!(header[WIDTH + 1..], ["error"]);
    let records: Vec<csv::StringRecord> = csv.records().map(|r| r.expect("a row")).collect();
    for (record, name) in records.iter().zip(names) {
        assert_eq!(&record[0], name);
    }
    // The shortest text that reads back as the same number.
    let values = |i: usize| {
        let fields = records[i].iter().skip(1).take(WIDTH);
        fields
            .map(|v| v.parse().expect("a number"))
            .collect::<Vec<f32>>()
    };
    assert_eq!((values(0), values(3)), (a.clone(), b.clone()));
    assert!(records[2].iter().skip(1).take(WIDTH).all(str::is_empty));
    assert_eq!(&records[2][WIDTH + 1], "not_found: no such file");

    run(&["-o", "all.npy", "--paths", "paths.jsonl"]);
    let (header, got) = npy(&read(&program, "all.npy"));
    assert!(header.contains("'shape': (4, 51)"), "{header}");
    let paths = String::from_utf8(read(&program, "paths.jsonl")).expect("UTF-8");
    let paths: Vec<Value> = paths
        .lines()
        .map(|l| serde_json::from_str(l).expect("JSON"))
        .collect();
    for (i, row) in rows.iter().enumerate() {
        let expected = json!({"index": i, "path": names[i], "error": row["error"]});
        assert_eq!(paths[i], expected);
    }
    run(&["-o", "all.safetensors"]);
    let (tensor, metadata) = safetensors(&read(&program, "all.safetensors"));
    assert_eq!(
        (tensor.dims(), tensor.dtype()),
        (&[4, WIDTH][..], DType::F32)
    );
    assert_eq!(metadata["paths"], json!(names));
    let errors = json!({"1": rows[1]["error"], "2": rows[2]["error"]});
    assert_eq!(metadata["errors"], errors);
    assert_eq!(metadata["complete"], json!(true));
    assert_eq!(metadata["normalized"], json!(false));
    assert_eq!(metadata["model"]["name"], "tiny.keras");
    assert_eq!(metadata["model"]["sha256"].as_str().map(str::len), Some(64));
    for values in [got, floats(&tensor)] {
        assert_eq!((&values[..WIDTH], &values[3 * WIDTH..]), (&a[..], &b[..]));
        assert!(values[WIDTH..3 * WIDTH].iter().all(|v| v.is_nan()));
    }
}

#[test]
fn neither_batch_nor_threads_nor_the_way_change_a_byte() {
    let program = Program::new();
    let samples = repository("samples");
    let weights = data(TINY);
    for format in ["jsonl", "csv", "npy", "safetensors"] {
        let run = |more: &[&str]| {
            let fixed = ["embed", "--format", format, "--weights", arg(&weights)];
            let ran = program.run(&[&fixed, more, &[arg(&samples)]].concat());
            assert_eq!(ran.code, Some(0), "{ran:?}");
            ran.stdout
        };
        let one = run(&["-j", "1"]);
        for more in [["-j", "3"], ["-b", "3"], ["-b", "16"]] {
            assert!(run(&more) == one, "{format} {more:?}");
        }
        assert!(run(&["-o", "whole"]).is_empty());
        assert!(read(&program, "whole") == one, "{format} to a file");
    }
}

/// As `sklearn.preprocessing.normalize`, which leaves zeros as they are.
#[test]
fn normalised_embeddings_have_length_1_and_zeros_stay() {
    let program = Program::new();
    let [a, _, b] = pictures(&program);
    let plain = run(&program, &[arg(&a), arg(&b)]).rows();
    let normalised = run(&program, &["--normalize", arg(&a), arg(&b)]).rows();
    for (plain, normalised) in plain.iter().zip(&normalised) {
        let (plain, normalised) = (embedding(plain), embedding(normalised));
        let norm = plain
            .iter()
            .map(|&v| f64::from(v).powi(2))
            .sum::<f64>()
            .sqrt();
        assert!((norm - 1.0).abs() > 0.1, "{norm} shows nothing");
        let want: Vec<f32> = plain
            .iter()
            .map(|&v| (f64::from(v) / norm) as f32)
            .collect();
        assert_eq!(normalised, want);
    }
    // A network of zeros, without a classifier.
    let config = Config {
        classes: None,
        ..Config::with_alpha(0.05)
    };
    let zeros = random_tensors(&config, 7).expect("tensors").into_iter();
    let zeros = zeros.map(|(name, t)| (name, t.zeros_like().expect("zeros")));
    let weights = program.path("zeros.safetensors");
    candle_core::safetensors::save(&zeros.collect(), &weights).expect("saved");
    let ran = program.run(&["embed", "--normalize", "--weights", arg(&weights), arg(&a)]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(embedding(&ran.rows()[0]), [0.0; WIDTH]);
}

#[test]
fn a_checkpoint_needs_no_classifier() {
    let program = Program::new();
    let cat = repository("samples/cat.jpg");
    let with = run(&program, &[arg(&cat)]);
    let no_top = data("keras/tiny_no_top_tf.h5");
    let size = ["--size", "65", "--crop", "squash"];
    let fixed = ["embed", "--weights", arg(&no_top), arg(&cat)];
    let without = program.run(&[&fixed[..], &size].concat());
    assert_eq!(without.code, Some(0), "{without:?}");
    assert_eq!(embedding(&without.rows()[0]).len(), WIDTH);
    let own = program.run(
        &[
            &["embed", "--weights", arg(&data(TINY)), arg(&cat)][..],
            &size,
        ]
        .concat(),
    );
    assert_eq!(own.stdout, with.stdout);
}

#[test]
fn weights_that_lead_to_no_numbers_are_an_error() {
    let program = Program::new();
    let config = Config {
        classes: None,
        ..Config::with_alpha(0.05)
    };
    let mut tensors = random_tensors(&config, 7).expect("tensors");
    for tensor in tensors.values_mut() {
        *tensor = (&*tensor * 1e30).expect("large numbers");
    }
    let weights = program.path("large.safetensors");
    candle_core::safetensors::save(&tensors, &weights).expect("saved");
    let cat = repository("samples/cat.jpg");
    for more in [&[][..], &["-o", "cat.safetensors"]] {
        let fixed = ["embed", "--activation", "relu", "--weights", arg(&weights)];
        program
            .run(&[&fixed, more, &[arg(&cat)]].concat())
            .refused(&["not a number"]);
    }
    assert!(!program.path("cat.safetensors").exists());
}

#[test]
fn what_does_not_fit_together_is_refused_and_nothing_is_lost() {
    let program = Program::new();
    let [a, _, b] = pictures(&program);
    let a_bytes = std::fs::read(&a).expect("a picture");
    let refused = |more: &[&str], parts: &[&str]| run(&program, more).refused(parts);
    let a = arg(&a);
    refused(&[a, "--paths", "x"], &["--paths", "npy"]);
    refused(&[a, "--format", "npy", "--paths", "-"], &["stdout"]);
    refused(&[a, "-o", "x.npy", "--paths", "x.npy"], &["x.npy", "same"]);
    refused(&[a, "-o", "x.csv", "--provenance"], &["--provenance"]);
    refused(&[arg(&b), "-o", a, "--format", "npy"], &[a, "is a picture"]);
    refused(
        &[arg(&b), "-o", a, "--format", "safetensors"],
        &[a, "is a picture"],
    );
    refused(&[a, "-o", a], &[a, "is a picture"]);
    refused(&[a, "-o", "x.npy", "--paths", a], &[a]);
    for name in ["absent/x.npy", "absent/x.safetensors", "absent/x.csv"] {
        refused(&[a, "-o", name], &[name, "can't be written"]);
    }
    assert_eq!(std::fs::read(a).expect("kept"), a_bytes);
    let files = std::fs::read_dir(program.path("")).expect("a folder");
    let left: Vec<_> = files.map(|f| f.expect("an entry").file_name()).collect();
    assert!(
        left.iter()
            .all(|name| !arg(Path::new(name)).starts_with(".tmp")),
        "{left:?}"
    );
    let ran = run(&program, &[a, "--provenance"]);
    assert_eq!(ran.rows()[0]["model"]["name"], "tiny.keras");
}

#[cfg(unix)]
#[test]
fn names_are_bytes() {
    use std::os::unix::ffi::OsStringExt;
    let program = Program::new();
    let cat = repository("samples/cat.jpg");
    let name = std::ffi::OsString::from_vec(b"caf\xe9\n\".jpg".to_vec());
    std::fs::copy(cat, program.path("").join(&name)).expect("copied");
    let run = |format: &str| {
        let mut command = program.command(&["embed", "--format", format, "--weights"]);
        let output = command.arg(data(TINY)).arg(&name).output();
        Ran::of(output.expect("the program"))
    };
    let row = &run("jsonl").rows()[0];
    assert_eq!(
        (&row["path"], &row["path_base64"]),
        (&json!(null), &json!("Y2Fm6QoiLmpwZw=="))
    );
    let (_, metadata) = safetensors(&run("safetensors").stdout);
    assert_eq!(metadata["paths"], json!([null]));
    assert_eq!(metadata["paths_base64"], json!({"0": "Y2Fm6QoiLmpwZw=="}));
    assert!(run("csv").stdout.windows(5).any(|w| w == b"caf\xe9\n"));
}

/// To what can only be written to in order, all at the end.
#[cfg(unix)]
#[test]
fn a_pipe_with_a_name_is_written_to_as_it_is() {
    let program = Program::new();
    let cat = repository("samples/cat.jpg");
    for format in ["npy", "safetensors", "jsonl"] {
        let pipe = program.path("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo").success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || std::fs::read(pipe).expect("read")
        });
        let fixed = ["--format", format, arg(&cat)];
        let ran = run(&program, &[&fixed[..], &["-o", "pipe"]].concat());
        assert_eq!((ran.code, ran.text()), (Some(0), ""), "{ran:?}");
        let got = reader.join().expect("an end");
        assert!(got == run(&program, &fixed).stdout, "{format}");
        std::fs::remove_file(pipe).expect("removed");
    }
}

/// What was answered by then is of use, and a file that can't be is not there.
#[cfg(unix)]
#[test]
fn an_interrupt_leaves_whole_files() {
    use std::io::{Read, Write};
    use std::os::unix::process::ExitStatusExt;
    use std::process::Stdio;
    let program = Program::new();
    pictures(&program);
    for name in ["x.npy", "x.safetensors"] {
        let mut command = program.process(&["embed", "-o", name, "--files-from", "-"]);
        if name == "x.npy" {
            command.args(["--paths", "-"]);
        }
        command.arg("--weights").arg(data(TINY));
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the program");
        let mut list = child.stdin.take().expect("a pipe");
        list.write_all(b"a.png\nbroken.png\n").expect("written");
        // Failures are told as they come, so two pictures are done with the second's.
        let stderr = child.stderr.as_mut().expect("a pipe");
        let mut told = Vec::new();
        while !told.ends_with(b"broken.png") {
            let mut byte = [0];
            stderr.read_exact(&mut byte).expect("a failure");
            told.extend(byte);
        }
        let kill = std::process::Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status();
        assert!(kill.expect("kill").success());
        let output = child.wait_with_output().expect("an end");
        assert_eq!(output.status.signal(), Some(2), "{output:?}");
        drop(list);
        let bytes = read(&program, name);
        if name == "x.npy" {
            let (header, values) = npy(&bytes);
            assert!(header.contains("'shape': (2, 51)"), "{header}");
            assert_eq!(values.len(), 2 * WIDTH);
            assert_eq!(output.stdout.iter().filter(|&&b| b == b'\n').count(), 2);
        } else {
            let (tensor, metadata) = safetensors(&bytes);
            assert_eq!(tensor.dims(), [2, WIDTH]);
            assert_eq!(metadata["complete"], json!(false));
        }
    }
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    for format in ["jsonl", "csv", "npy", "safetensors"] {
        let program = Program::new();
        let mut command = program.process(&["embed", "--format", format, "--weights"]);
        command
            .arg(data(TINY))
            .args(vec![repository("samples/cat.jpg"); 200]);
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        let mut child = command.spawn().expect("the program");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("an end");
        assert_eq!(output.status.code(), Some(0), "{format}");
        assert_eq!(crate::support::Ran::of(output).stderr, "", "{format}");
    }
}

/// Real weights, from the pixels that Keras saw.
#[test]
fn embeddings_are_those_of_keras() {
    let (Some(weights), Some(golden)) = (
        shared("pretrained/keras/mobilenet_2_5_224_tf.h5"),
        shared("pretrained/golden/keras_2_5_224.safetensors"),
    ) else {
        return;
    };
    let program = Program::new();
    std::fs::create_dir(program.path("inputs")).expect("a folder");
    let golden = tensors(golden);
    let mut names: Vec<&str> = golden
        .keys()
        .filter_map(|k| k.strip_suffix(".input"))
        .collect();
    names.sort_unstable();
    assert_eq!(names.len(), 20);
    for name in &names {
        let picture = image(&golden[&format!("{name}.input")]);
        picture
            .save(program.path(&format!("inputs/{name}.png")))
            .expect("saved");
    }
    let ran = program.run(&[
        "embed",
        "--weights",
        arg(&weights),
        "--crop",
        "squash",
        "inputs",
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let rows = ran.rows();
    for (name, row) in names.iter().zip(&rows) {
        assert_eq!(row["path"], format!("inputs/{name}.png"));
        let want = floats(&golden[&format!("{name}.embedding")]);
        let off = largest_difference(&embedding(row), &want);
        assert!(off < 1e-4, "{name}: {off}");
    }
    assert_eq!(rows.len(), 20);
}

/// And from the files, cropped by the program.
#[test]
fn embeddings_of_files_are_those_of_keras() {
    let (Some(weights), Some(golden), Some(photographs)) = (
        shared("pretrained/keras/mobilenet_2_5_224_tf.h5"),
        shared("pretrained/golden/keras_2_5_224.safetensors"),
        shared("images"),
    ) else {
        return;
    };
    let program = Program::new();
    let golden = tensors(golden);
    for (crop, key) in [("center", "crop"), ("squash", "squash")] {
        let ran = program.run(&[
            "embed",
            "--full-decode",
            "--crop",
            crop,
            "--weights",
            arg(&weights),
            arg(&photographs),
        ]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let rows = ran.rows();
        assert_eq!(rows.len(), 10);
        for row in &rows {
            let name = Path::new(row["path"].as_str().expect("a path")).file_name();
            let name = name.and_then(|n| n.to_str()).expect("a name");
            let want = floats(&golden[&format!("{name}.{key}.embedding")]);
            let off = largest_difference(&embedding(row), &want);
            assert!(off < 1e-4, "{name}.{key}: {off}");
        }
    }
}
