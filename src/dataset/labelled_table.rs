//! Pictures whose classes are known: a table of paths and labels.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use csv::ByteRecord;

use super::{Error, Input, Result, RowFault, list};

/// Longer than the first row of any table.
const MAX_ROW_BYTES: u64 = 1 << 16;

/// What a header calls the paths and the labels, in lower case and without `_`, `-` and spaces;
/// the first that is there.
const PATHS: [&str; 6] = ["path", "file", "filename", "filepath", "image", "imagepath"];
const LABELS: [&str; 8] = [
    "label",
    "class",
    "classname",
    "wnid",
    "synset",
    "index",
    "target",
    "category",
];

/// What some programs begin UTF-8 with.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Rows of a table, read as far as they are asked for.
///
/// Its columns are separated by tabs where the first line has one, else by commas where it has
/// one, else by spaces. They are the path and the label, in any order and among others where the
/// first row is a header that says so.
pub struct LabelledTable {
    name: PathBuf,
    /// Where relative paths start.
    root: PathBuf,
    rows: csv::ByteRecordsIntoIter<Box<dyn Read + Send>>,
    /// The first row, where it is no header.
    first: Option<ByteRecord>,
    /// The columns of the path and the label.
    columns: (usize, usize),
    /// As many columns as each row has.
    width: usize,
    /// Several separators in a row are one.
    by_spaces: bool,
    /// Lines end in two bytes, the second of which the reader counts with the next row.
    two_byte_ends: bool,
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
        let has = |separator| head.trim_ascii_end().contains(&separator);
        let separator = [b'\t', b',', b' '].into_iter().find(|&s| has(s));
        let separator = separator.unwrap_or(b',');
        let two_byte_ends = head.ends_with(b"\r\n");
        let source: Box<dyn Read + Send> = Box::new(io::Cursor::new(head).chain(source));
        let mut rows = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator)
            .from_reader(source)
            .into_byte_records();
        let first = rows.next().transpose();
        let first = first.map_err(|error| Error::unreadable(&name)(error.into()))?;
        let header = first.as_ref().and_then(columns);
        let width = first.as_ref().filter(|_| header.is_some());
        Ok(Self {
            name,
            root: root.to_owned(),
            rows,
            width: width.map_or(2, ByteRecord::len),
            first: first.filter(|_| header.is_none()),
            columns: header.unwrap_or((0, 1)),
            by_spaces: separator == b' ',
            two_byte_ends,
            done: false,
        })
    }

    fn row(&self, row: ByteRecord) -> Result<LabelledRow> {
        let line = row.position().map_or(0, |position| {
            position.line() + u64::from(self.two_byte_ends && position.byte() > 0)
        });
        self.parse(row, line).map_err(|fault| Error::Row {
            path: self.name.clone(),
            line,
            fault,
        })
    }

    fn parse(&self, mut row: ByteRecord, line: u64) -> Result<LabelledRow, RowFault> {
        if self.by_spaces {
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
        let label = std::str::from_utf8(&row[self.columns.1]);
        let label = label.map_err(|_| RowFault::LabelNotUtf8)?.trim();
        if label.is_empty() {
            return Err(RowFault::EmptyLabel);
        }
        let path = list::path(row[self.columns.0].to_vec());
        let path = path.map_err(|_| RowFault::PathNotUtf8)?;
        Ok(LabelledRow {
            input: Input::file(self.root.join(&path)),
            label: label.to_owned(),
            line,
            relative: path.is_relative().then_some(path),
        })
    }
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
            let unreadable = |error: csv::Error| Error::unreadable(&self.name)(error.into());
            self.row(row.map_err(unreadable)?)
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

/// The columns of the path and the label, where a row is a header.
fn columns(row: &ByteRecord) -> Option<(usize, usize)> {
    let plain = |field: &[u8]| {
        let kept = field.iter().filter(|b| !matches!(b, b'_' | b'-' | b' '));
        kept.map(u8::to_ascii_lowercase).collect::<Vec<u8>>()
    };
    let fields: Vec<Vec<u8>> = row.iter().map(plain).collect();
    let find = |names: &[&str]| {
        let column = |name: &&str| fields.iter().position(|field| field == name.as_bytes());
        names.iter().find_map(column)
    };
    Some((find(&PATHS)?, find(&LABELS)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The paths and labels of a table in a folder of its own.
    fn read(text: &[u8], root: Option<&Path>) -> Result<Vec<(String, String, u64)>> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("list");
        std::fs::write(&file, text).expect("a table");
        let list = LabelledTable::open(&file, root)?;
        let own = |path: &Path| path.strip_prefix(folder.path()).unwrap_or(path).to_owned();
        let row = |row: Result<LabelledRow>| {
            let row = row?;
            let path = own(Path::new(&row.input.name)).display().to_string();
            Ok((path, row.label, row.line))
        };
        list.map(row).collect()
    }

    fn rows(text: &str) -> Vec<(String, String, u64)> {
        read(text.as_bytes(), None).expect(text)
    }

    fn expected(rows: &[(&str, &str, u64)]) -> Vec<(String, String, u64)> {
        let row =
            |(path, label, line): &(&str, &str, u64)| (path.to_string(), label.to_string(), *line);
        rows.iter().map(row).collect()
    }

    #[test]
    fn tables_come_in_many_forms() {
        let two = expected(&[("a.jpg", "cat", 1), ("b c.jpg", "dog", 2)]);
        assert_eq!(rows("a.jpg,cat\nb c.jpg,dog\n"), two);
        assert_eq!(rows("a.jpg, cat\r\nb c.jpg,dog "), two);
        assert_eq!(rows("a.jpg\tcat\nb c.jpg\tdog\n"), two);
        let below = expected(&[("a.jpg", "cat", 2), ("b.jpg", "tabby, tabby cat", 3)]);
        for text in [
            "path,label\na.jpg,cat\nb.jpg,\"tabby, tabby cat\"\n",
            "\u{feff}Label,n,File_Name\ncat,1,a.jpg\n\"tabby, tabby cat\",2,b.jpg\n",
            "path\tlabel\na.jpg\tcat\nb.jpg\ttabby, tabby cat\n",
            "path,rank,index,wnid,label\na.jpg,1,3,,cat\nb.jpg,1,2,n1,\"tabby, tabby cat\"\n",
        ] {
            assert_eq!(rows(text), below, "{text}");
        }
        // As the validation set's list that Caffe came with.
        assert_eq!(
            rows("x/1.JPEG 65\nx/2.JPEG  970 \n"),
            expected(&[("x/1.JPEG", "65", 1), ("x/2.JPEG", "970", 2)])
        );
        assert_eq!(rows(""), []);
        assert_eq!(rows("\n\npath,label\n"), []);
    }

    #[test]
    fn relative_paths_start_where_they_are_said_to() {
        let found = |text: &str, root| read(text.as_bytes(), Some(Path::new(root))).expect(text);
        assert_eq!(found("a,b\n", "root")[0].0, "root/a");
        assert_eq!(found("/a,b\n", "root")[0].0, "/a");
        assert_eq!(found("a,b\n", "")[0].0, "a");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let long = format!("a.jpg,cat\n{}.jpg,cat\n", "b".repeat(1 << 17));
        for (text, part) in [
            (
                &b"a.jpg,cat\nb.jpg,tabby, tabby cat\n"[..],
                "line 2: 3 columns",
            ),
            (b"a.jpg,cat\nb.jpg\n", "line 2: a path and a label"),
            (b"a.jpg\n", "line 1: a path and a label"),
            (b"a.jpg,cat\nb.jpg,\n", "line 2: the label is empty"),
            (b"a.jpg,cat\n\"b.jpg,dog\nc.jpg,cat\n", "line 2: it goes on"),
            (long.as_bytes(), "line 2: longer"),
            (b"path,label,n\na.jpg,cat\n", "line 2: 2 columns, not 3"),
            (b"a.jpg,c\xffat\n", "line 1: the label is not UTF-8"),
            (b"GIF89a\0\0\n", "no table"),
            (&[b'x'; 1 << 17], "no table"),
        ] {
            let error = read(text, None).expect_err(part).to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
