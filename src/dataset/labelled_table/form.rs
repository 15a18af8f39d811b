//! What a list looks like: what separates its columns, and which of them are the path and the label.

use std::path::Path;

use csv::ByteRecord;

use crate::dataset::list;

/// What a header calls the paths and the labels, in lower case and without `_`, `-` and spaces;
/// the first that is there.
const PATHS: [&str; 10] = [
    "path",
    "file",
    "filename",
    "filepath",
    "image",
    "imagepath",
    "imagename",
    "img",
    "imageid",
    "id",
];
const LABELS: [&str; 10] = [
    "label",
    "class",
    "classname",
    "wnid",
    "synset",
    "index",
    "target",
    "category",
    "breed",
    "species",
];
/// What ImageNet's list on Kaggle calls the classes and the boxes of things in a picture.
const BOXES: &str = "predictionstring";
/// Words for each of those boxes: the class's and four numbers.
const BOX_WORDS: usize = 5;

/// What a list is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Columns with this between them.
    Table(u8),
    /// Paths alone, one a line.
    Paths,
    /// The numbers of ImageNet's development kit, one a line.
    Devkit,
}

impl Form {
    /// What a list is by its first line that is not empty, in which relative paths start from `root`.
    pub fn of(line: &[u8], root: &Path) -> Self {
        let line = line.trim_ascii();
        if !line.is_empty() && line.iter().all(u8::is_ascii_digit) {
            return Self::Devkit;
        }
        // One that names a file as it stands is nothing else, whatever it has in it.
        let names_a_file = || list::path(line.to_vec()).is_ok_and(|path| root.join(path).is_file());
        match separator(line) {
            None => Self::Paths,
            Some(_) if names_a_file() => Self::Paths,
            Some(separator) => Self::Table(separator),
        }
    }
}

/// What separates columns: a tab where there is one, else a comma or a semicolon, whichever comes first outside of
/// quotes, else a space.
fn separator(line: &[u8]) -> Option<u8> {
    let mut is_quoted = false;
    let mut first = None;
    for &byte in line {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\t' => return Some(b'\t'),
            b',' | b';' if !is_quoted && first.is_none() => first = Some(byte),
            _ => {}
        }
    }
    first.or_else(|| line.contains(&b' ').then_some(b' '))
}

/// The columns of the path and the label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Columns {
    pub path: usize,
    pub label: usize,
    /// Whether labels are a class's name and numbers, once or several times.
    pub are_boxes: bool,
}

impl Columns {
    /// Those of rows without a header.
    pub const USUAL: Self = Self {
        path: 0,
        label: 1,
        are_boxes: false,
    };

    /// Those that a row names, if it is a header. Of two columns the second may be called anything, where
    /// the first is a word for paths.
    pub fn of_header(row: &ByteRecord) -> Option<Self> {
        let plain = |field: &[u8]| {
            let kept = field.iter().filter(|b| !matches!(b, b'_' | b'-' | b' '));
            kept.map(u8::to_ascii_lowercase).collect::<Vec<u8>>()
        };
        let fields: Vec<Vec<u8>> = row.iter().map(plain).collect();
        let find = |names: &[&str]| {
            let column = |name: &&str| fields.iter().position(|field| field == name.as_bytes());
            names.iter().find_map(column)
        };
        let path = find(&PATHS)?;
        let boxes = find(&[BOXES]);
        let other = (fields.len() == 2 && path == 0).then_some(1);
        Some(Self {
            path,
            label: find(&LABELS).or(boxes).or(other)?,
            are_boxes: find(&LABELS).is_none() && boxes.is_some(),
        })
    }
}

/// The class of the things in a picture, where they are all of one.
pub fn class_of_boxes(boxes: &str) -> Option<&str> {
    let words: Vec<&str> = boxes.split_ascii_whitespace().collect();
    let first = *words.first()?;
    let is_whole = words.len().is_multiple_of(BOX_WORDS);
    let is_one = words.iter().step_by(BOX_WORDS).all(|word| *word == first);
    (is_whole && is_one).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_separates_its_columns() {
        let of = |line: &str| Form::of(line.as_bytes(), Path::new("/no/such/folder"));
        for (line, separator) in [
            ("a.jpg,cat", b','),
            ("a.jpg;tabby, tabby cat", b';'),
            ("a.jpg,this; that", b','),
            ("\"a;b.jpg\",cat", b','),
            ("a;b,c\td", b'\t'),
            ("x/1.JPEG 65", b' '),
        ] {
            assert_eq!(of(line), Form::Table(separator), "{line}");
        }
        assert_eq!(of("n01440764/1.JPEG\r"), Form::Paths);
        assert_eq!(of("490"), Form::Devkit);
    }

    #[test]
    fn boxes_are_of_one_class_or_of_none() {
        assert_eq!(class_of_boxes("n1 1 2 3 4 "), Some("n1"));
        assert_eq!(class_of_boxes("n1 1 2 3 4 n1 5 6 7 8"), Some("n1"));
        for wrong in ["", "n1", "n1 1 2 3", "n1 1 2 3 4 n2 5 6 7 8"] {
            assert_eq!(class_of_boxes(wrong), None, "{wrong}");
        }
    }
}
