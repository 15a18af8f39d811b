//! Checkpoints in several parts, with the index that names them.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use candle_core::Tensor;
use flate2::read::GzDecoder;
use mobilenet::weights::{Checkpoint, LoadOptions};
use serde_json::{Value, json};

use crate::cases::{case, difference};
use crate::support::{Program, answer, arg, data, floats, image, largest_difference, tensors};

const TOLERANCE: f32 = 2e-5;

fn unpacked(path: &Path) -> Vec<u8> {
    let packed = std::fs::File::open(path).expect("a fixture");
    let mut bytes = Vec::new();
    let mut unpacked = GzDecoder::new(packed);
    unpacked.read_to_end(&mut bytes).expect("a fixture");
    bytes
}

/// The files of the folder `shards` of the fixtures (`tests/data/torch/make_old.py`).
pub fn torch_shards() -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(data("torch/shards")).expect("fixtures");
    let file = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.expect("a fixture").path();
        let name = path.file_name().expect("a name").to_str().expect("UTF-8");
        match name.strip_suffix(".gz") {
            Some(name) => (name.to_owned(), unpacked(&path)),
            None => (name.to_owned(), std::fs::read(&path).expect("a fixture")),
        }
    };
    entries.map(file).collect()
}

/// The same network in parts of safetensors.
pub fn safetensors_shards() -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state_dict.pth");
    std::fs::write(&path, unpacked(&data("torch/state_dict.pth.gz"))).expect("written");
    let all = candle_core::pickle::read_all(&path).expect("a state_dict");
    let mut parts: [Vec<(String, Tensor)>; 3] = Default::default();
    for (i, (name, tensor)) in all.into_iter().enumerate() {
        if !name.ends_with("num_batches_tracked") {
            parts[i % 3].push((name, tensor));
        }
    }
    let mut files = BTreeMap::new();
    let mut map = BTreeMap::new();
    for (i, part) in parts.into_iter().enumerate() {
        let file = format!("model-{:05}-of-00003.safetensors", i + 1);
        map.extend(part.iter().map(|(name, _)| (name.clone(), file.clone())));
        let bytes = safetensors::serialize(part, None).expect("safetensors");
        files.insert(file, bytes);
    }
    let index = json!({"metadata": {"total_size": 1}, "weight_map": map});
    files.insert(
        "model.safetensors.index.json".into(),
        index.to_string().into_bytes(),
    );
    files
}

fn write(program: &Program, files: &BTreeMap<String, Vec<u8>>) {
    for (name, bytes) in files {
        program.file(name, bytes);
    }
}

fn open(path: impl AsRef<Path>) -> Result<Checkpoint, mobilenet::Error> {
    Checkpoint::open(path, &LoadOptions::default().with_size(64))
}

#[track_caller]
fn answers_as_torch(checkpoint: &Checkpoint) {
    let golden = tensors(data("torch/golden.safetensors"));
    let logits = floats(&answer(checkpoint, &[image(&golden["input"])]).1);
    let off = largest_difference(&logits, &floats(&golden["logits"]));
    assert!(off < TOLERANCE, "off by {off}");
}

#[test]
fn parts_are_read_together() {
    for (files, index) in [
        (torch_shards(), "pytorch_model.bin.index.json"),
        (safetensors_shards(), "model.safetensors.index.json"),
    ] {
        let parts = files.len() - 1;
        let program = Program::new();
        write(&program, &files);
        let [folder, file] = ["", index].map(|name| open(program.path(name)).expect(index));
        answers_as_torch(&folder);
        answers_as_torch(&file);
        assert_eq!(folder.sha256(), file.sha256());
        // One of them by itself, and not in its folder.
        let part = files
            .keys()
            .find(|name| name.contains("00001-of"))
            .expect("a part");
        let error = open(program.path(part)).expect_err("a part").to_string();
        let count = format!("one of the {parts} parts");
        assert!(error.contains(&count) && error.contains(index), "{error}");
    }
}

/// What transformers wrote, with its configurations beside it.
#[test]
fn transformers_parts_answer_as_in_transformers() {
    let Some(path) = case("hf_sharded") else {
        return;
    };
    let checkpoint = Checkpoint::open(path, &LoadOptions::default()).expect("a checkpoint");
    let off = difference("hf_sharded", &checkpoint);
    assert!(off < 1e-4, "off by {off}");
}

/// The index says one thing and the files another.
#[test]
fn an_index_has_to_be_that_of_its_files() {
    let files = safetensors_shards();
    let index = "model.safetensors.index.json";
    let of = |change: &dyn Fn(&Program, &mut Value)| {
        let program = Program::new();
        write(&program, &files);
        let mut value: Value = serde_json::from_slice(&files[index]).expect("JSON");
        change(&program, &mut value);
        program.file(index, value.to_string());
        let error = open(program.path("")).expect_err("an index of something else");
        error.to_string()
    };
    let part = |i| format!("model-{i:05}-of-00003.safetensors");
    let names = |path: &str| match path {
        "absolute" => "/etc/passwd",
        "up" => "../model-00001-of-00003.safetensors",
        "windows" => "..\\model.safetensors",
        other => panic!("{other}"),
    };
    for outside in ["absolute", "up", "windows"].map(names) {
        let error = of(&|_, value| value["weight_map"]["bn1.bias"] = json!(outside));
        assert!(error.contains("which is no file beside it"), "{error}");
    }
    let error = of(&|program, _| std::fs::remove_file(program.path(&part(2))).expect("removed"));
    assert!(
        error.contains("of the 3 files that it names some are not beside it"),
        "{error}"
    );
    assert!(
        error.contains(&part(2)) && !error.contains(&part(1)),
        "{error}"
    );
    let error = of(&|_, value| value["weight_map"]["extra.weight"] = json!(part(1)));
    assert!(
        error.contains(&format!("extra.weight is not in {}", part(1))),
        "{error}"
    );
    let error = of(&|_, value| {
        let map = value["weight_map"].as_object_mut().expect("a map");
        map.remove("conv_stem.weight");
    });
    assert!(error.contains("conv_stem.weight is in model-"), "{error}");
    assert!(error.contains("and not in the index"), "{error}");
    let error = of(&|_, value| {
        let place = value["weight_map"]["conv_stem.weight"].clone();
        let other = (1..=3).map(part).find(|name| place != json!(name));
        value["weight_map"]["conv_stem.weight"] = json!(other);
    });
    assert!(error.contains("conv_stem.weight is in model-"), "{error}");
    let error = of(&|program, _| {
        drop(program.file(&part(3), "version https://git-lfs.github.com/spec/v1\n"))
    });
    assert!(
        error.contains(&part(3)) && error.contains("Git LFS"),
        "{error}"
    );
    let error = of(&|program, _| drop(program.file(&part(3), &files[&part(3)][..500])));
    assert!(
        error.contains(&part(3)) && error.contains("damaged"),
        "{error}"
    );
    for text in [
        "{}",
        "[]",
        "{\"weight_map\": {}}",
        "{\"weight_map\": {\"a\": 1}}",
        "",
    ] {
        let program = Program::new();
        write(&program, &files);
        program.file(index, text);
        let error = open(program.path("")).expect_err("no index").to_string();
        assert!(error.contains(index), "{error}");
    }
}

/// Through the program: read, converted, and their digest told.
#[test]
fn parts_are_converted() {
    let program = Program::new();
    write(&program, &torch_shards());
    let ran = program.run(&["convert", ".", "-o", "ours.safetensors", "--size", "64"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let ours = open(program.path("ours.safetensors")).expect("a checkpoint");
    answers_as_torch(&ours);
    let source = ours.source().expect("a source");
    assert_eq!(source.name, "pytorch_model.bin.index.json");
    let whole = open(program.path("")).expect("a checkpoint");
    assert_eq!(Some(source.sha256.clone()), whole.sha256());
    let part = program.path("pytorch_model-00001-of-00002.bin");
    let ran = program.run(&["summary", "--weights", arg(&part)]);
    ran.refused(&["one of the 2 parts", "pytorch_model.bin.index.json"]);
}
