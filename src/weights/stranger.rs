//! What is no checkpoint that is read, called by its name, with the way out.

use std::path::Path;

/// As many first bytes as it takes to tell what a file is.
pub(super) const SHOWN_BYTES: u64 = 512;

const PICKLE: &str = "a Python pickle that PyTorch did not write, which is not read: in Python, \
    safetensors.numpy.save_file(WEIGHTS, \"model.safetensors\") makes a file that is";

const CORE_ML: &str = "a Core ML file, which is not read; what it was converted from may be";

const OPENVINO: &str =
    "a network of OpenVINO, which is not read; what it was converted from may be";

const ARCHIVE: &str = "an archive: unpack it, and give what is in it";

/// How archives begin: 7-Zip, RAR, xz, bzip2, Zstandard, gzip.
const ARCHIVES: [&[u8]; 6] = [
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!",
    b"\xfd7zXZ\0",
    b"BZh",
    b"\x28\xb5\x2f\xfd",
    b"\x1f\x8b",
];

/// What a server says in the place of a file that it does not have.
const REFUSALS: [&str; 4] = [
    "entry not found",
    "not found",
    "repository not found",
    "invalid username or password",
];

const SAVED_MODEL: &str = "a TensorFlow SavedModel, which is not read: in Python, \
    tf.lite.TFLiteConverter.from_saved_model(FOLDER).convert() makes a .tflite of it, which is";

/// What a file is that begins like this and is of no format that is read.
pub(super) fn file(path: &Path, start: &[u8]) -> String {
    let begins = |signature: &[u8]| start.starts_with(signature);
    let text = String::from_utf8_lossy(start);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let lower = text.to_ascii_lowercase();
    let is_named = |name: &str| path.file_name().is_some_and(|is| is == name);
    let ends = |end: &str| path.extension().is_some_and(|is| is == end);
    // Its numbers lie in a file without a mark.
    let is_openvino = lower.starts_with("<?xml") && lower.contains("<net ")
        || ends("bin") && path.with_extension("xml").is_file();
    let known = if start.is_empty() {
        "the file is empty"
    } else if begins(b"version https://git-lfs.github.com/spec/") {
        "a pointer of Git LFS, in the place of the file that it points to: `git lfs pull` fetches that"
    } else if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        "a web page, not a checkpoint: a download that was answered with a page; fetch the file itself"
    } else if REFUSALS.contains(&lower.trim().trim_end_matches('.')) {
        "a server's answer that it has no such file: fetch the file itself"
    } else if is_openvino {
        OPENVINO
    } else if begins(b"\x80")
        && start
            .get(1)
            .is_some_and(|version| (2..=5).contains(version))
    {
        PICKLE
    } else if ends("joblib") || ends("pkl") && begins(b"x") {
        "a file of joblib, which is not read: save the network by its own framework"
    } else if ARCHIVES.iter().any(|start| begins(start)) || start.get(257..262) == Some(b"ustar") {
        ARCHIVE
    } else if begins(b"GGUF") {
        "a GGUF file, of a language model mostly, which is not read"
    } else if begins(b"\x93NUMPY") {
        "an array of NumPy, not a checkpoint: safetensors.numpy.save_file makes one of named arrays"
    } else if ends("msgpack") {
        "a file of Flax, which is not read; what it was converted from may be"
    } else if is_named("saved_model.pb") {
        SAVED_MODEL
    } else if is_shard_of_tensorflow_js(path) {
        "weights of a model of TensorFlow.js: give the model.json that lies beside them, or their folder"
    } else if ends("caffemodel") || ends("prototxt") {
        "a file of Caffe, which is not read"
    } else if ends("onnx") {
        "not an ONNX file, though it is called one: it does not begin with the version of the format"
    } else if ends("pbtxt") {
        "a graph of TensorFlow as text, without its variables: give the frozen graph (.pb) or the checkpoint (.index)"
    } else if ends("mlmodel") {
        CORE_ML
    } else if text.starts_with('{') || text.starts_with('[') {
        "a JSON text, not a checkpoint; one may lie beside it"
    } else {
        "not a checkpoint of a known format (safetensors, HDF5, .keras, TFLite, PyTorch, ONNX, TensorFlow)"
    };
    known.into()
}

/// Whether a file is called `group1-shard2of4`, with an end or without.
fn is_shard_of_tensorflow_js(path: &Path) -> bool {
    let name = path.file_stem().and_then(|name| name.to_str());
    let parts = name.and_then(|name| name.strip_prefix("group")?.split_once("-shard"));
    parts.is_some_and(|(group, rest)| {
        let is_number = |text: &str| text.parse::<u32>().is_ok();
        let of = rest.split_once("of");
        is_number(group) && of.is_some_and(|(shard, count)| is_number(shard) && is_number(count))
    })
}

/// What a zip is that has files of these names, if it is not one of Keras's.
pub(super) fn zip<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let names: Vec<&str> = names.into_iter().collect();
    let has = |end: &str| names.iter().any(|name| name.ends_with(end));
    let within = |part: &str| names.iter().any(|name| name.contains(part));
    let known = if has("/archive_format") || has("models/model.json") {
        "a program of torch.export (.pt2), which is not read: save the state_dict as safetensors"
    } else if has("data.pkl") && within("/code/") {
        "a TorchScript file, which is not read: save the module's state_dict() as safetensors"
    } else if has("saved_model.pb") {
        "a packed TensorFlow SavedModel, which is not read: give what it was made from"
    } else if within("com.apple.CoreML") {
        CORE_ML
    } else if !names.is_empty() && names.iter().all(|name| name.ends_with(".npy")) {
        "arrays of NumPy (.npz), not a checkpoint: in Python, \
         safetensors.numpy.save_file(dict(numpy.load(FILE)), \"model.safetensors\") makes one of them"
    } else if has("config.json") && has("model.weights.h5") {
        return None;
    } else {
        let checkpoint = names
            .iter()
            .find(|name| READABLE.iter().any(|end| name.ends_with(end)));
        return Some(match checkpoint {
            Some(name) => format!("an archive: unpack it, and give what is in it ({name})"),
            None => "a zip of neither Keras nor PyTorch".into(),
        });
    };
    Some(known.into())
}

/// How the names of files end that may be given by themselves.
const READABLE: [&str; 7] = [
    ".safetensors",
    ".keras",
    ".h5",
    ".tflite",
    ".pth",
    ".pt",
    ".onnx",
];

/// What lies in a folder without a checkpoint of the name that is looked for.
pub(super) fn folder(path: &Path, wanted: &str) -> String {
    /// More names than a checkpoint's folder has.
    const MOST: usize = 1000;
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let names = entries.take(MOST).map(|entry| entry.file_name());
    let mut names: Vec<String> = names.map(|n| n.to_string_lossy().into_owned()).collect();
    names.sort();
    let has = |name: &str| names.iter().any(|n| n == name);
    let some = |end: &str| names.iter().any(|name| name.ends_with(end));
    let readable = |name: &&String| READABLE.iter().any(|end| name.ends_with(end));
    let ends = |end: &str| path.extension().is_some_and(|is| is == end);
    let missing = format!("the folder has no {wanted}");
    if has("saved_model.pb") {
        format!("{missing}: it is {SAVED_MODEL}")
    } else if ends("mlpackage")
        || ends("mlmodelc")
        || some(".mlmodelc")
        || some(".mlpackage")
        || has("Manifest.json")
    {
        format!("{missing}: it is {CORE_ML}")
    } else if some(".xml") && some(".bin") {
        format!("{missing}: it is {OPENVINO}")
    } else if has("snapshots") && has("refs") {
        format!(
            "{missing}: it is a repository in Hugging Face's cache; give --repo, or one of the folders in snapshots"
        )
    } else if has("data.pkl") {
        format!(
            "{missing}: it is an unpacked file of PyTorch, which is read as the zip that it was"
        )
    } else if names.iter().any(|name| name.ends_with(".index")) {
        format!(
            "{missing}, but several checkpoints of TensorFlow; name the .index of the one that is meant"
        )
    } else if let Some(name) = names.iter().find(readable) {
        format!("{missing}; name the file itself, such as {name}")
    } else if names.is_empty() {
        format!("{missing}: it is empty")
    } else {
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_checkpoint_is_called_by_its_name() {
        let mut tar = vec![0u8; 512];
        tar[257..262].copy_from_slice(b"ustar");
        for (name, start, expected) in [
            ("a.h5", &b""[..], "is empty"),
            (
                "a.safetensors",
                b"version https://git-lfs.github.com/spec/v1\noid",
                "git lfs pull",
            ),
            ("a.h5", b"\n <!DOCTYPE html><html>", "a web page"),
            (
                "a.xml",
                b"<?xml version=\"1.0\"?><net name=\"x\">",
                "OpenVINO",
            ),
            ("a.pkl", b"\x80\x04\x95\x10", "a Python pickle"),
            ("a.joblib", b"x\x9c\xab", "joblib"),
            ("a.pkl", b"x^\xab", "joblib"),
            ("a.7z", b"7z\xbc\xaf\x27\x1c\0\x04", "an archive"),
            ("a.gguf", b"GGUF\x03\0\0\0", "GGUF"),
            ("a.npy", b"\x93NUMPY\x01\0", "NumPy"),
            ("a.h5", b"Entry not found\n", "no such file"),
            ("a.msgpack", b"\x81\xa6params", "Flax"),
            ("a.tar", &tar, "an archive"),
            ("a.tgz", b"\x1f\x8b\x08", "an archive"),
            ("saved_model.pb", b"\x08\x01", "SavedModel"),
            ("group1-shard2of4.bin", b"\x00\x01", "TensorFlow.js"),
            ("group12-shard1of1", b"\x00\x01", "TensorFlow.js"),
            ("a.caffemodel", b"\x0a\x01", "Caffe"),
            ("a.onnx", b"\x08\x01", "ONNX"),
            ("a.mlmodel", b"\x08\x01", "Core ML"),
            ("a.json", b" {\"a\": 1}", "a JSON text"),
            (
                "a.jpg",
                b"\xff\xd8\xff",
                "not a checkpoint of a known format",
            ),
        ] {
            let reason = file(Path::new(name), start);
            assert!(reason.contains(expected), "{name}: {reason}");
        }
    }

    #[test]
    fn zips_are_told_apart_by_what_is_in_them() {
        for (names, expected) in [
            (&["a/data.pkl", "a/code/__torch__.py"][..], "TorchScript"),
            (&["a/archive_format", "a/models/model.json"], ".pt2"),
            (&["a/saved_model.pb"], "SavedModel"),
            (&["a.npy", "b.npy"], ".npz"),
            (
                &["m/Data/com.apple.CoreML/model.mlmodel", "m/Manifest.json"],
                "Core ML",
            ),
            (
                &["x/model.safetensors", "x/config.json"],
                "give what is in it (x/model.safetensors)",
            ),
            (&["holiday.jpg"], "neither Keras nor PyTorch"),
        ] {
            let found = zip(names.iter().copied());
            assert!(found.is_some_and(|it| it.contains(expected)), "{names:?}");
        }
        assert_eq!(
            zip(["config.json", "metadata.json", "model.weights.h5"]),
            None
        );
    }
}
