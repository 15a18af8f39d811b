//! What is wrong with a folder or a list of pictures.

use std::io;
use std::path::PathBuf;

/// The result of opening or reading a dataset.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What is wrong with a folder or a list of pictures. A single picture that can't be read is none
/// of these: it is an [`ImageError`](crate::error::ImageError) in its place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no folder of this name.
    #[error("{}: no such folder", path.display())]
    NoSuchFolder {
        /// The name.
        path: PathBuf,
    },

    /// A folder is wanted.
    #[error("{}: not a folder", path.display())]
    NotAFolder {
        /// What it is called.
        path: PathBuf,
    },

    /// A table is wanted.
    #[error("{}: a folder, not a file of paths and labels", path.display())]
    NotAFile {
        /// The folder.
        path: PathBuf,
    },

    /// A file or a folder that can't be opened or read to its end.
    #[error("{}: can't be read", path.display())]
    Unreadable {
        /// The file or the folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },

    /// A class's folder whose name is not UTF-8, so that it is no name of a class.
    #[error("{}: its name is not UTF-8", path.display())]
    NameNotUtf8 {
        /// The folder.
        path: PathBuf,
    },

    /// A folder without folders, where each is a class.
    #[error("{}: it has no folders; each class needs one, with its pictures in it", path.display())]
    NoClasses {
        /// The folder.
        path: PathBuf,
    },

    /// A single class, which can't be told from anything.
    #[error(
        "{}: {class} is its only folder, and one class alone can't be learned: at least two are \
         needed; add a folder of pictures that show something else",
        path.display()
    )]
    OneClass {
        /// The folder.
        path: PathBuf,
        /// The class.
        class: String,
    },

    /// Classes without pictures.
    #[error("{}: no pictures in {}; add some, or remove the folder", path.display(), some(classes))]
    EmptyClasses {
        /// The folder.
        path: PathBuf,
        /// The classes' names.
        classes: Vec<String>,
    },

    /// A file that is not text in columns.
    #[error("{}: this is no table of paths and labels", path.display())]
    NotATable {
        /// The file.
        path: PathBuf,
    },

    /// Numbers of ImageNet's development kit, which are not the indices of its classes, without what says of which
    /// classes they are.
    #[error(
        "{}: these are numbers of ImageNet's development kit, which are not the indices of classes: its \
         map_clsloc.txt has to lie beside them (a line each: WordNet id, number, name)",
        path.display()
    )]
    Devkit {
        /// The list.
        path: PathBuf,
    },

    /// A row of a table that is not a path and a label.
    #[error("{}: line {line}: {fault}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// Where the row begins, from 1 on.
        line: u64,
        /// What is wrong with it.
        fault: RowFault,
    },
}

/// What is wrong with a row of a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowFault {
    /// More bytes than a path and a label have.
    #[error("longer than any path and label; is a \" left open?")]
    TooLong,
    /// A field with line ends in it, in a row that has not the columns of the others.
    #[error("it goes on over several lines; is a \" left open?")]
    SeveralLines,
    /// A single column, and no folder in it that could be the label.
    #[error("a path and a label are wanted, or a path with the class's folder in it")]
    OneColumn,
    /// More or fewer columns than the first row has.
    #[error("{found} columns, not {expected}; one with a separator in it needs \"quotes\"")]
    Columns {
        /// The row's.
        found: usize,
        /// The first row's.
        expected: usize,
    },
    /// A label that is not text.
    #[error("the label is not UTF-8")]
    LabelNotUtf8,
    /// No label.
    #[error("the label is empty")]
    EmptyLabel,
    /// Boxes that are none, or of things of several classes.
    #[error("one class is wanted, with four numbers for each of its boxes")]
    Boxes,
    /// A number that the development kit does not have.
    #[error("{number} is none of the numbers in map_clsloc.txt")]
    DevkitNumber {
        /// What the row has.
        number: String,
    },
    /// A path that is not text, where paths have to be (elsewhere than on Unix).
    #[error("the path is not UTF-8")]
    PathNotUtf8,
}

/// Names that are listed in a message.
const MAX_LISTED: usize = 10;

/// The first names, and how many more there are.
fn some(names: &[String]) -> String {
    let listed = names[..names.len().min(MAX_LISTED)].join(", ");
    match names.len().saturating_sub(MAX_LISTED) {
        0 => listed,
        more => format!("{listed} and {more} more"),
    }
}

impl Error {
    pub(super) fn unreadable(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Unreadable { path, source }
    }
}
