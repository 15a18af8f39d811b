//! Pictures whose classes are known: a table of paths and labels.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use csv::ByteRecord;

use super::{Input, STDIN, list};

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
pub struct LabelledList {
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
pub struct Row {
    pub input: Input,
    /// What the table calls its class.
    pub label: String,
    /// The row's line, from 1 on.
    pub line: u64,
    /// The path as the table has it, if that is relative.
    pub relative: Option<PathBuf>,
}

impl LabelledList {
    /// Opens a table; `-` is stdin. Relative paths start from `root`; else from the folder that
    /// the table is in, or from the working directory for what is no file.
    ///
    /// # Errors
    /// A file that can't be read, or is no table.
    pub fn open(name: &OsStr, root: Option<&Path>) -> Result<Self> {
        let path = Path::new(name);
        let is_file = name != STDIN && path.is_file();
        let folder = || path.parent().filter(|_| is_file).map(Path::to_owned);
        let root = root.map(Path::to_owned).or_else(folder).unwrap_or_default();
        let named = || path.display().to_string();
        ensure!(
            name == STDIN || !path.is_dir(),
            "{}: a folder, and --list names a file of paths and labels",
            named()
        );
        let mut source: Box<dyn BufRead + Send> = match name == STDIN {
            true => Box::new(BufReader::new(io::stdin())),
            false => Box::new(BufReader::new(File::open(path).with_context(named)?)),
        };
        let head = head(&mut source).with_context(named)?;
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
        let first = rows.next().transpose().with_context(named)?;
        let header = first.as_ref().and_then(columns);
        let width = first.as_ref().filter(|_| header.is_some());
        Ok(Self {
            name: path.to_owned(),
            root,
            rows,
            width: width.map_or(2, ByteRecord::len),
            first: first.filter(|_| header.is_none()),
            columns: header.unwrap_or((0, 1)),
            by_spaces: separator == b' ',
            two_byte_ends,
            done: false,
        })
    }

    fn row(&self, mut row: ByteRecord) -> Result<Row> {
        let line = row.position().map_or(0, |position| {
            position.line() + u64::from(self.two_byte_ends && position.byte() > 0)
        });
        if self.by_spaces {
            row = row.iter().filter(|field| !field.is_empty()).collect();
        }
        let at = || format!("{}: line {line}", self.name.display());
        let (width, found) = (self.width, row.len());
        ensure!(
            (row.as_slice().len() as u64) < MAX_ROW_BYTES,
            "{}: longer than any path and label; is a \" left open?",
            at()
        );
        ensure!(
            found == width || !row.iter().any(|field| field.contains(&b'\n')),
            "{}: it goes on over several lines; is a \" left open?",
            at()
        );
        ensure!(found > 1, "{}: a path and a label are wanted", at());
        ensure!(
            found == width,
            "{}: {found} columns, not {width}; one with a separator in it needs \"quotes\"",
            at()
        );
        let label = String::from_utf8(row[self.columns.1].to_vec());
        let label = label
            .ok()
            .with_context(|| format!("{}: the label is not UTF-8", at()))?;
        ensure!(!label.trim().is_empty(), "{}: the label is empty", at());
        let path = list::path(row[self.columns.0].to_vec());
        let path = path.map_err(|(_, error)| anyhow!("{}: {error}", at()))?;
        Ok(Row {
            input: Input::file(self.root.join(&path)),
            label: label.trim().to_owned(),
            line,
            relative: path.is_relative().then_some(path),
        })
    }
}

impl Iterator for LabelledList {
    /// An error is the last item.
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let row = self.first.take().map(Ok).or_else(|| self.rows.next());
        let found = row.map(|row| {
            let row = row.with_context(|| self.name.display().to_string())?;
            self.row(row)
        });
        self.done = !matches!(found, Some(Ok(_)));
        found
    }
}

/// All up to the end of the first line that is not empty, without the mark that some programs
/// begin text with.
fn head(source: &mut impl BufRead) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut limited = source.take(MAX_ROW_BYTES);
    while head.trim_ascii().is_empty() && limited.read_until(b'\n', &mut head)? > 0 {}
    if head.len() as u64 == MAX_ROW_BYTES || head.contains(&0) {
        bail!("this is no table of paths and labels");
    }
    if head.starts_with(MARK) {
        head.drain(..MARK.len());
    }
    Ok(head)
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
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("list");
        std::fs::write(&file, text)?;
        let list = LabelledList::open(file.as_os_str(), root)?;
        let own = |path: &Path| path.strip_prefix(folder.path()).unwrap_or(path).to_owned();
        let row = |row: Result<Row>| {
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
            let error = format!("{:#}", read(text, None).expect_err(part));
            assert!(error.contains(part), "{error}");
        }
    }
}
