//! Paths in a file, read as far as they are asked for.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::{Error, Input, Result, Selection};
use crate::error::{ImageError, ImageErrorKind};

/// Longer than the path of any file.
const MAX_PATH_BYTES: u64 = 1 << 16;

/// What ends each path of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    /// The end of a line.
    Line,
    /// A byte of 0, as `find -print0` writes it.
    Nul,
}

impl Separator {
    fn byte(self) -> u8 {
        match self {
            Self::Line => b'\n',
            Self::Nul => 0,
        }
    }
}

/// Paths in a file or from a reader, read as far as they are asked for.
///
/// On Unix a path is its bytes, whatever they are; elsewhere it is UTF-8. Empty lines are passed over, unless
/// whoever writes the list waits for an answer to each ([`answering_all`](Self::answering_all)).
/// Lines may end as Windows ends them, and the list may begin with a byte order mark: both are taken
/// off where no file has them in its name.
pub struct PathList {
    name: OsString,
    source: Box<dyn BufRead + Send>,
    separator: Separator,
    /// No entry was read yet.
    is_first: bool,
    /// Whether an empty line is a picture that fails.
    answers_all: bool,
    done: bool,
}

impl PathList {
    /// Opens a file of paths, each ended by a separator.
    ///
    /// # Errors
    /// A file that can't be opened.
    pub fn open(path: &Path, separator: Separator) -> Result<Self> {
        let file = File::open(path).map_err(Error::unreadable(path))?;
        Ok(Self::from_reader(path, BufReader::new(file), separator))
    }

    /// The paths that come out of a reader, whose name is for messages.
    pub fn from_reader(
        name: impl Into<OsString>,
        source: impl BufRead + Send + 'static,
        separator: Separator,
    ) -> Self {
        Self {
            name: name.into(),
            source: Box::new(source),
            separator,
            is_first: true,
            answers_all: false,
            done: false,
        }
    }

    /// The same, where an empty line is a picture that fails, and not passed over.
    pub fn answering_all(self) -> Self {
        Self {
            answers_all: true,
            ..self
        }
    }

    /// A picture for each path, also where that is a folder, which then is a picture that fails.
    pub fn into_files(self) -> impl Iterator<Item = Input> + Send {
        self.map(|entry| entry.map_or_else(|failed| failed, Input::file))
    }

    /// The pictures that the paths name, and what is selected of those in folders that they name. What
    /// can't be read of the list is a picture that fails.
    pub fn into_inputs(self, selection: Selection) -> impl Iterator<Item = Input> + Send {
        self.flat_map(move |entry| match entry {
            Ok(path) => selection.path(path),
            Err(input) => Box::new(std::iter::once(input)),
        })
    }

    /// The next entry without its end, or `None` behind the last one.
    fn entry(&mut self) -> Result<Option<Vec<u8>>, ImageError> {
        let end = self.separator.byte();
        let mut entry = Vec::new();
        let mut limited = io::Read::take(&mut self.source, MAX_PATH_BYTES);
        let read = limited.read_until(end, &mut entry)?;
        if read as u64 == MAX_PATH_BYTES && entry.last() != Some(&end) {
            let message = "this is no list of paths: an entry is longer than any path";
            return Err(ImageError::new(ImageErrorKind::Io, message));
        }
        if entry.last() == Some(&end) {
            entry.pop();
        }
        let is_first = std::mem::replace(&mut self.is_first, false);
        if is_first && WIDE_MARKS.iter().any(|mark| entry.starts_with(mark)) {
            let message = "this list of paths is in UTF-16: save it as UTF-8";
            return Err(ImageError::new(ImageErrorKind::Io, message));
        }
        if self.separator == Separator::Line {
            entry = without_marks(entry, is_first);
        }
        Ok((read > 0).then_some(entry))
    }
}

/// What UTF-16 begins with.
const WIDE_MARKS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// What some programs begin UTF-8 with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A line without the mark before it and the carriage return behind it, unless it names a file with
/// them.
fn without_marks(line: Vec<u8>, is_first: bool) -> Vec<u8> {
    let mark = if is_first { BYTE_ORDER_MARK } else { b"" };
    let bare = line.strip_prefix(mark).unwrap_or(&line);
    let bare = bare.strip_suffix(b"\r").unwrap_or(bare);
    let is_name = || path(line.clone()).is_ok_and(|path| path.symlink_metadata().is_ok());
    if bare.len() == line.len() || is_name() {
        line
    } else {
        bare.to_vec()
    }
}

impl Iterator for PathList {
    /// A path, or what stands in the place of all that could not be read.
    type Item = Result<PathBuf, Input>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.done {
            match self.entry() {
                Ok(None) => self.done = true,
                Ok(Some(entry)) if entry.is_empty() => {
                    if self.answers_all {
                        let error = ImageError::new(ImageErrorKind::NotFound, "an empty line");
                        return Some(Err(Input::failed("", error)));
                    }
                }
                Ok(Some(entry)) => return Some(path(entry).map_err(|(n, e)| Input::failed(n, e))),
                Err(error) => {
                    self.done = true;
                    return Some(Err(Input::failed(self.name.clone(), error)));
                }
            }
        }
        None
    }
}

impl fmt::Debug for PathList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PathList")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Bytes are a path as they are.
#[cfg(unix)]
pub(super) fn path(entry: Vec<u8>) -> Result<PathBuf, (OsString, ImageError)> {
    use std::os::unix::ffi::OsStringExt;
    Ok(OsString::from_vec(entry).into())
}

/// Elsewhere a path is text.
#[cfg(not(unix))]
pub(super) fn path(entry: Vec<u8>) -> Result<PathBuf, (OsString, ImageError)> {
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
