//! The classes' names, where they are packed into a TFLite file: behind its FlatBuffer a zip may
//! follow, as the metadata of TensorFlow Lite's task library have it.

use std::io::{Cursor, Read};

/// More than a million labels need.
const MAX_BYTES: u64 = 16 << 20;
/// Labels in a few languages, and a vocabulary.
const MAX_FILES: usize = 16;
/// The largest distance from a zip's end to the record that ends it.
const MAX_ZIP_END: usize = (1 << 16) + 22;

/// The lines of the first text file, where there are as many as classes. What can't be read is
/// passed over: the network runs without.
pub(super) fn read(bytes: &[u8], classes: usize) -> Option<Vec<String>> {
    let end = bytes.len().saturating_sub(MAX_ZIP_END);
    memchr::memmem::find(bytes.get(end..)?, b"PK\x05\x06")?;
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).ok()?;
    let names = archive.file_names().take(MAX_FILES);
    let mut names: Vec<String> = names.filter_map(|n| Some(n.ok()?.into_owned())).collect();
    names.retain(|name| name.ends_with(".txt"));
    names.sort();
    let file = archive.by_name(names.first()?).ok()?;
    let mut text = String::new();
    file.take(MAX_BYTES).read_to_string(&mut text).ok()?;
    let lines = text.trim_end().lines().take(classes + 1);
    let labels: Vec<String> = lines.map(|line| line.trim().to_owned()).collect();
    (labels.len() == classes).then_some(labels)
}
