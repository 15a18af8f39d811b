//! The pictures in a folder and its folders.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use walkdir::{DirEntry, WalkDir};

use super::Input;
use crate::error::ImageError;
use crate::pixels::PictureFormat;

/// Enough of a file to tell its format.
const SIGNATURE_BYTES: u64 = 32;

/// The pictures in a folder and its folders: what is one by its extension or its first bytes, in
/// bytewise order of the paths.
///
/// Links to files are followed, those to folders are not, so there are no loops. What can't be
/// read, the folder itself too, is given as an input that fails.
pub fn folder(root: &Path) -> impl Iterator<Item = Input> + Send + use<> {
    let entries = WalkDir::new(root)
        .sort_by(|a, b| path_order(a).cmp(path_order(b)))
        .into_iter();
    entries.filter_map(|entry| match entry {
        Ok(entry) if is_picture(&entry) => Some(Input::file(entry.into_path())),
        Ok(_) => None,
        Err(error) => {
            let path = error.path().unwrap_or(Path::new("")).to_owned();
            let reason = match error.into_io_error() {
                Some(error) => ImageError::from(error),
                // Only links that are followed make loops.
                None => return None,
            };
            Some(Input::failed(path, reason))
        }
    })
}

/// What the paths below an entry compare as: those in the folder `a` begin with `a/`, which
/// comes after `a.jpg`.
fn path_order(entry: &DirEntry) -> impl Iterator<Item = u8> {
    let name = entry.file_name().as_encoded_bytes().iter().copied();
    let slash = entry.file_type().is_dir().then_some(b'/');
    name.chain(slash)
}

fn is_picture(entry: &DirEntry) -> bool {
    let kind = entry.file_type();
    if kind.is_symlink() {
        // A link to nowhere is a picture that is missed, if its name says so.
        return match entry.path().metadata() {
            Ok(target) => target.is_file() && is_picture_file(entry.path()),
            Err(_) => has_known_extension(entry.path()),
        };
    }
    // Reading anything but a file may wait for ever.
    kind.is_file() && is_picture_file(entry.path())
}

fn is_picture_file(path: &Path) -> bool {
    has_known_extension(path) || has_known_signature(path)
}

fn has_known_extension(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str);
    let format = extension.and_then(PictureFormat::of_extension);
    // Those that are not read are among them, so that nothing is left out without a word.
    format.is_some_and(PictureFormat::is_picture)
}

/// Whether a file begins as a picture does. One that can't be read does not.
pub fn has_known_signature(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(SIGNATURE_BYTES).read_to_end(&mut start));
    read.is_ok() && PictureFormat::of(&start).is_some_and(PictureFormat::is_picture)
}
