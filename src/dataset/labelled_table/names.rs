//! Pictures that a list names without the endings of their files, or by their numbers alone.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::dataset::{Error, Result};
use crate::pixels::PictureFormat;

/// Endings that are tried, the usual ones first.
const ENDINGS: [&str; 9] = [
    "jpg", "JPEG", "jpeg", "png", "JPG", "PNG", "webp", "bmp", "gif",
];

/// A picture's file: as it is named, or with an ending where there is none of this name.
pub fn file(named: PathBuf) -> PathBuf {
    let extension = named.extension().and_then(OsStr::to_str);
    let format = extension.and_then(PictureFormat::of_extension);
    if format.is_some() || named.exists() {
        return named;
    }
    let with = |ending: &str| {
        let mut name = named.clone().into_os_string();
        name.push(".");
        name.push(ending);
        PathBuf::from(name)
    };
    let mut files = ENDINGS.iter().map(|ending| with(ending));
    files.find(|file| file.is_file()).unwrap_or(named)
}

/// A picture of ImageNet's validation set by its number, from 1 on.
pub fn validation_picture(number: u64) -> PathBuf {
    format!("ILSVRC2012_val_{number:08}.JPEG").into()
}

/// The WordNet ids of the development kit's numbers, from its `map_clsloc.txt` beside a list: lines of an id, a
/// number and a name.
///
/// # Errors
/// There is none.
pub fn wordnet_ids(list: &Path) -> Result<HashMap<String, String>> {
    let map = list.with_file_name("map_clsloc.txt");
    let text = fs::read_to_string(&map).map_err(|_| Error::Devkit {
        path: list.to_owned(),
    })?;
    let ids = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let id = words.next()?;
        Some((words.next()?.to_owned(), id.to_owned()))
    });
    Ok(ids.collect())
}
