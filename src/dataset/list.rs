//! Paths in a file, read as far as they are asked for.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use mobilenet::error::{ImageError, ImageErrorKind};

use super::{Input, STDIN};

/// Longer than the path of any file.
const MAX_PATH_BYTES: u64 = 1 << 16;

/// A list of paths.
pub struct List {
    name: OsString,
    source: Box<dyn BufRead + Send>,
    end: u8,
    done: bool,
}

/// Opens a file of paths, or stdin, each path ended by a byte.
pub fn open(name: &OsStr, end: u8) -> Result<List> {
    let source: Box<dyn BufRead + Send> = if name == STDIN {
        Box::new(BufReader::new(io::stdin()))
    } else {
        let path = Path::new(name);
        let file =
            File::open(path).with_context(|| format!("{}: can't be read", path.display()))?;
        Box::new(BufReader::new(file))
    };
    Ok(List {
        name: name.to_owned(),
        source,
        end,
        done: false,
    })
}

impl List {
    /// The next entry without its end, or `None` behind the last one.
    fn entry(&mut self) -> Result<Option<Vec<u8>>, ImageError> {
        let mut entry = Vec::new();
        let mut limited = io::Read::take(&mut self.source, MAX_PATH_BYTES);
        let read = limited.read_until(self.end, &mut entry)?;
        if read as u64 == MAX_PATH_BYTES && entry.last() != Some(&self.end) {
            let message = "this is no list of paths: an entry is longer than any path";
            return Err(ImageError::new(ImageErrorKind::Io, message));
        }
        if entry.last() == Some(&self.end) {
            entry.pop();
        }
        Ok((read > 0).then_some(entry))
    }
}

impl Iterator for List {
    /// A path, or what stands in the place of all that could not be read.
    type Item = Result<PathBuf, Input>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.done {
            match self.entry() {
                Ok(None) => self.done = true,
                // An empty line names nothing.
                Ok(Some(entry)) if entry.is_empty() => {}
                Ok(Some(entry)) => return Some(path(entry).map_err(|(n, e)| Input::missing(n, e))),
                Err(error) => {
                    self.done = true;
                    return Some(Err(Input::missing(self.name.clone(), error)));
                }
            }
        }
        None
    }
}

/// Bytes are a path as they are.
#[cfg(unix)]
pub fn path(entry: Vec<u8>) -> Result<PathBuf, (OsString, ImageError)> {
    use std::os::unix::ffi::OsStringExt;
    Ok(OsString::from_vec(entry).into())
}

/// Elsewhere a path is text, and lines may end as they do there.
#[cfg(not(unix))]
pub fn path(mut entry: Vec<u8>) -> Result<PathBuf, (OsString, ImageError)> {
    if entry.last() == Some(&b'\r') {
        entry.pop();
    }
    String::from_utf8(entry)
        .map(PathBuf::from)
        .map_err(|error| {
            let name = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let message = "the path is not UTF-8";
            (
                name.into(),
                ImageError::new(ImageErrorKind::NotFound, message),
            )
        })
}
