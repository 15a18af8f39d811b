//! The pictures in a folder and its folders.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::{Input, Inputs, Selection};
use crate::error::ImageError;
use crate::pixels::PictureFormat;

/// Enough of a file to tell its format.
const SIGNATURE_BYTES: u64 = 32;

/// The pictures in a folder and its folders: what is one by its extension or its first bytes, in
/// bytewise order of the paths, but for what programs leave beside them ([`Selection`]).
///
/// Links to files are followed, those to folders are not, so there are no loops. What can't be
/// read, the folder itself too, is given as an input that fails.
pub fn folder(root: &Path) -> impl Iterator<Item = Input> + Send + use<> {
    below(root.to_owned(), root, Selection::default())
}

impl Selection {
    /// What it takes of the pictures in a [`folder`](super::folder()) and its folders.
    pub fn folder(&self, root: &Path) -> impl Iterator<Item = Input> + Send + use<> {
        below(root.to_owned(), root, self.clone())
    }

    /// The picture that a path names, or what it takes of those in the folder that it names.
    pub fn path(&self, path: impl Into<PathBuf>) -> Inputs {
        let path = path.into();
        if path.is_dir() {
            Box::new(self.folder(&path))
        } else {
            Box::new(std::iter::once(Input::file(path)))
        }
    }
}

/// The pictures in a folder below `root`, from where on patterns see its path.
pub(super) fn below(
    root: PathBuf,
    folder: &Path,
    selection: Selection,
) -> impl Iterator<Item = Input> + Send + use<> {
    let (for_entries, below_root) = (selection.clone(), root.clone());
    let entries = WalkDir::new(folder)
        .sort_by(|a, b| path_order(a).cmp(path_order(b)))
        .into_iter()
        .filter_entry(move |entry| {
            // The folder itself was asked for.
            let path = relative(entry, &below_root);
            entry.depth() == 0 || for_entries.enters(path, entry.file_type().is_dir())
        });
    let is_taken = move |entry: &DirEntry| {
        // Patterns first: they don't read files.
        selection.includes(relative(entry, &root))
            && is_picture(entry)
            && selection.is_old_enough(entry.path())
    };
    entries.filter_map(move |entry| match entry {
        Ok(entry) if is_taken(&entry) => Some(Input::file(entry.into_path())),
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

fn relative<'a>(entry: &'a DirEntry, root: &Path) -> &'a Path {
    entry.path().strip_prefix(root).unwrap_or(entry.path())
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
