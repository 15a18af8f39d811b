//! What is no checkpoint that is read, called by its name, with the way out.

use std::path::Path;

/// As many first bytes as it takes to tell what a file is.
pub(super) const SHOWN_BYTES: u64 = 512;

const PYTORCH: &str = "a bare pickle, as PyTorch wrote its files before version 1.6, which is not read: in Python, \
    safetensors.torch.save_file(torch.load(FILE, weights_only=True), \"model.safetensors\") makes one that is";

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
    let known = if start.is_empty() {
        "the file is empty"
    } else if begins(b"version https://git-lfs.github.com/spec/") {
        "a pointer of Git LFS, in the place of the file that it points to: `git lfs pull` fetches that"
    } else if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        "a web page, not a checkpoint: a download that was answered with a page; fetch the file itself"
    } else if lower.starts_with("<?xml") && lower.contains("<net ") {
        "a network of OpenVINO, which is not read; what it was converted from may be"
    } else if begins(b"\x80")
        && start
            .get(1)
            .is_some_and(|version| (2..=5).contains(version))
    {
        PYTORCH
    } else if begins(b"\x1f\x8b") || start.get(257..262) == Some(b"ustar") {
        "an archive: unpack it, and give what is in it"
    } else if is_named("saved_model.pb") {
        SAVED_MODEL
    } else if ends("caffemodel") || ends("prototxt") {
        "a file of Caffe, which is not read"
    } else if ends("onnx") {
        "an ONNX file, which is not read; what it was exported from may be"
    } else if ends("mlmodel") {
        "a Core ML file, which is not read; what it was converted from may be"
    } else if text.starts_with('{') || text.starts_with('[') {
        "a JSON text, not a checkpoint; one may lie beside it"
    } else {
        "not a checkpoint of a known format (safetensors, HDF5, .keras, TFLite, PyTorch)"
    };
    known.into()
}

/// What a zip is that has files of these names, if that is known.
pub(super) fn zip<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<&'static str> {
    let names: Vec<&str> = names.into_iter().collect();
    let has = |end: &str| names.iter().any(|name| name.ends_with(end));
    let within = |part: &str| names.iter().any(|name| name.contains(part));
    if has("/archive_format") || has("models/model.json") {
        Some(
            "a program of torch.export (.pt2), which is not read: save the state_dict as safetensors",
        )
    } else if has("data.pkl") && within("/code/") {
        Some("a TorchScript file, which is not read: save the module's state_dict() as safetensors")
    } else if has("saved_model.pb") {
        Some("a packed TensorFlow SavedModel, which is not read: give what it was made from")
    } else {
        None
    }
}

/// What lies in a folder without a checkpoint of the name that is looked for.
pub(super) fn folder(path: &Path, wanted: &str) -> String {
    /// More names than a checkpoint's folder has.
    const MOST: usize = 1000;
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let names = entries.take(MOST).map(|entry| entry.file_name());
    let mut names: Vec<String> = names.map(|n| n.to_string_lossy().into_owned()).collect();
    names.sort();
    let has = |name: &str| names.iter().any(|n| n == name);
    let readable = |name: &&String| {
        let ends = [".safetensors", ".keras", ".h5", ".tflite"];
        ends.iter().any(|end| name.ends_with(end))
    };
    let missing = format!("the folder has no {wanted}");
    if has("saved_model.pb") {
        format!("{missing}: it is {SAVED_MODEL}")
    } else if has("model.safetensors.index.json") {
        format!(
            "{missing}, but one in several parts, which are not read together: in Python, \
             model.save_pretrained(FOLDER, max_shard_size=\"1GB\") makes one of them"
        )
    } else if names.iter().any(|name| name.ends_with(".mlmodelc")) || has("Manifest.json") {
        format!("{missing}: it is a Core ML package, which is not read")
    } else if names.iter().any(|name| name.ends_with(".index")) {
        format!(
            "{missing}: it has a checkpoint of TensorFlow (.index and .data), which is not read"
        )
    } else if let Some(name) = names.iter().find(readable) {
        format!("{missing}; name the file itself, such as {name}")
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
            ("old.pth", b"\x80\x02\x8a\x0al\xfc", "a bare pickle"),
            ("a.tar", &tar, "an archive"),
            ("a.tgz", b"\x1f\x8b\x08", "an archive"),
            ("saved_model.pb", b"\x08\x01", "SavedModel"),
            ("a.caffemodel", b"\x0a\x01", "Caffe"),
            ("a.onnx", b"\x08\x08", "ONNX"),
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
        ] {
            let found = zip(names.iter().copied());
            assert!(found.is_some_and(|it| it.contains(expected)), "{names:?}");
        }
        assert_eq!(zip(["config.json", "model.weights.h5"]), None);
    }
}
