//! Pictures whose classes are known: a table of paths and labels.
//!
//! - `form`: what separates its columns, and which are which
//! - `names`: pictures that it names without the endings of their files

mod form;
mod names;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use csv::ByteRecord;

use self::form::{Columns, Form, class_of_boxes};
use super::{Error, Input, Result, RowFault, list};

/// Longer than the first row of any table.
const MAX_ROW_BYTES: u64 = 1 << 16;

/// What some programs begin UTF-8 with.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Rows of a table, read as far as they are asked for.
///
/// Its columns are separated by tabs where the first line has one, else by commas or semicolons, whichever comes
/// first there, else by spaces. They are the path and the label, in any order and among others where the first
/// row is a header that says so. Paths without labels are of the classes that their folders are called after.
/// Numbers alone are those of ImageNet's development kit, if its `map_clsloc.txt` lies beside the file; its pictures
/// are those of the validation set in their order. A path may lack the ending of the file's name.
pub struct LabelledTable {
    name: PathBuf,
    /// Where relative paths start.
    root: PathBuf,
    rows: csv::ByteRecordsIntoIter<Box<dyn Read + Send>>,
    /// The first row, where it is no header.
    first: Option<ByteRecord>,
    form: Form,
    columns: Columns,
    /// As many columns as each row has.
    width: usize,
    /// Lines end in two bytes, the second of which the reader counts with the next row.
    two_byte_ends: bool,
    /// The WordNet ids of the development kit's numbers.
    wordnet_ids: HashMap<String, String>,
    /// Rows that were read.
    read: u64,
    done: bool,
}

/// A row of the table.
#[derive(Debug)]
#[non_exhaustive]
pub struct LabelledRow {
    /// The picture.
    pub input: Input,
    /// What the table calls its class.
    pub label: String,
    /// The row's line, from 1 on.
    pub line: u64,
    /// The path as the table has it, if that is relative.
    pub relative: Option<PathBuf>,
}

impl LabelledTable {
    /// Opens a table. Relative paths start from `root`; else from the folder that the table is in,
    /// or from the working directory for what is no file.
    ///
    /// # Errors
    /// A file that can't be read, or is no table.
    pub fn open(path: &Path, root: Option<&Path>) -> Result<Self> {
        if path.is_dir() {
            let path = path.to_owned();
            return Err(Error::NotAFile { path });
        }
        let folder = || path.parent().filter(|_| path.is_file());
        let root = root.or_else(folder).unwrap_or(Path::new(""));
        let file = File::open(path).map_err(Error::unreadable(path))?;
        Self::from_reader(path, BufReader::new(file), root)
    }

    /// The table that comes out of a reader, whose name is for messages. Relative paths start from
    /// `root`.
    ///
    /// # Errors
    /// A reader that fails, or what is no table.
    pub fn from_reader(
        name: impl Into<PathBuf>,
        mut source: impl BufRead + Send + 'static,
        root: &Path,
    ) -> Result<Self> {
        let name = name.into();
        let head = head(&mut source).map_err(Error::unreadable(&name))?;
        let Some(head) = head else {
            return Err(Error::NotATable { path: name });
        };
        let form = Form::of(&head, root);
        let two_byte_ends = head.ends_with(b"\r\n");
        let source: Box<dyn Read + Send> = Box::new(io::Cursor::new(head).chain(source));
        let mut reader = csv::ReaderBuilder::new();
        reader.has_headers(false).flexible(true);
        match form {
            Form::Table(separator) => reader.delimiter(separator),
            // What no path has, so that a row is a line.
            Form::Paths | Form::Devkit => reader.delimiter(0).quoting(false),
        };
        let mut rows = reader.from_reader(source).into_byte_records();
        let first = rows.next().transpose();
        let first = first.map_err(|error| Error::unreadable(&name)(error.into()))?;
        let header = first.as_ref().and_then(Columns::of_header);
        let width = first.as_ref().filter(|_| header.is_some());
        Ok(Self {
            wordnet_ids: match form {
                Form::Devkit => names::wordnet_ids(&name)?,
                _ => HashMap::new(),
            },
            name,
            root: root.to_owned(),
            rows,
            width: width.map_or(2, ByteRecord::len),
            first: first.filter(|_| header.is_none()),
            form,
            columns: header.unwrap_or(Columns::USUAL),
            two_byte_ends,
            read: 0,
            done: false,
        })
    }

    /// Where relative paths start.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn row(&mut self, row: ByteRecord) -> Result<LabelledRow> {
        self.read += 1;
        let line = row.position().map_or(0, |position| {
            position.line() + u64::from(self.two_byte_ends && position.byte() > 0)
        });
        let parsed = match self.form {
            Form::Table(separator) => self.parse(row, separator),
            Form::Paths => path_alone(&row),
            Form::Devkit => self.numbered(&row),
        };
        let (path, label) = parsed.map_err(|fault| Error::Row {
            path: self.name.clone(),
            line,
            fault,
        })?;
        Ok(LabelledRow {
            input: Input::file(names::file(self.root.join(&path))),
            label,
            line,
            relative: path.is_relative().then_some(path),
        })
    }

    /// The path and the label of a row with columns.
    fn parse(&self, mut row: ByteRecord, separator: u8) -> Result<(PathBuf, String), RowFault> {
        if separator == b' ' {
            // Several are one.
            row = row.iter().filter(|field| !field.is_empty()).collect();
        }
        let (expected, found) = (self.width, row.len());
        if row.as_slice().len() as u64 >= MAX_ROW_BYTES {
            return Err(RowFault::TooLong);
        }
        if found != expected && row.iter().any(|field| field.contains(&b'\n')) {
            return Err(RowFault::SeveralLines);
        }
        if found < 2 {
            return Err(RowFault::OneColumn);
        }
        if found != expected {
            return Err(RowFault::Columns { found, expected });
        }
        let label = std::str::from_utf8(&row[self.columns.label]);
        let mut label = label.map_err(|_| RowFault::LabelNotUtf8)?.trim();
        if label.is_empty() {
            return Err(RowFault::EmptyLabel);
        }
        if self.columns.are_boxes {
            label = class_of_boxes(label).ok_or(RowFault::Boxes)?;
        }
        Ok((path(&row[self.columns.path])?, label.to_owned()))
    }

    /// The same of a number of the development kit.
    fn numbered(&self, row: &ByteRecord) -> Result<(PathBuf, String), RowFault> {
        let number = String::from_utf8_lossy(row.as_slice()).trim().to_owned();
        let id = self.wordnet_ids.get(&number);
        let id = id.ok_or(RowFault::DevkitNumber { number })?.clone();
        Ok((names::validation_picture(self.read), id))
    }
}

/// The path on a line, and the name of the folder that it is in.
fn path_alone(row: &ByteRecord) -> Result<(PathBuf, String), RowFault> {
    let path = path(row.as_slice())?;
    let folder = path.parent().and_then(Path::file_name);
    let folder = folder.ok_or(RowFault::OneColumn)?;
    let label = folder.to_str().ok_or(RowFault::LabelNotUtf8)?.to_owned();
    Ok((path, label))
}

fn path(bytes: &[u8]) -> Result<PathBuf, RowFault> {
    list::path(bytes.to_vec()).map_err(|_| RowFault::PathNotUtf8)
}

impl fmt::Debug for LabelledTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LabelledTable")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Iterator for LabelledTable {
    /// An error is the last item.
    type Item = Result<LabelledRow>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let row = self.first.take().map(Ok).or_else(|| self.rows.next());
        let found = row.map(|row| {
            let row = row.map_err(|error| Error::unreadable(&self.name)(error.into()))?;
            self.row(row)
        });
        self.done = !matches!(found, Some(Ok(_)));
        found
    }
}

/// All up to the end of the first line that is not empty, without the mark that some programs
/// begin text with; nothing where that is no text.
fn head(source: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    let mut limited = source.take(MAX_ROW_BYTES);
    while head.trim_ascii().is_empty() && limited.read_until(b'\n', &mut head)? > 0 {}
    if head.len() as u64 == MAX_ROW_BYTES || head.contains(&0) {
        return Ok(None);
    }
    if head.starts_with(MARK) {
        head.drain(..MARK.len());
    }
    Ok(Some(head))
}
