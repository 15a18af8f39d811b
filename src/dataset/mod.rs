//! Pictures, one after the other: from files, folders, lists of paths, readers and memory.
//!
//! An [`Input`] is a picture by its name, whose bytes are read when they are wanted. Iterators of
//! them are what a [`Pipeline`](crate::pipeline::Pipeline) takes: [`folder`] walks a folder in
//! bytewise order of the paths, [`path`] takes whatever a path names, a [`PathList`] reads paths
//! from a file, [`Frames`] are one behind the other in a stream, a [`Selection`] says what of a folder is taken, a [`Shard`] picks one of several parts of any of them. [`Labelled`] and
//! [`LabelledTable`] know the classes of their pictures, from folders or from a table.
//!
//! Nothing is read ahead: a folder of a million pictures takes no more memory than one of ten. A
//! picture that can't be had is an [`Input`] that fails when it is read, so that it is an answer of
//! its own and the others go on; an [`Error`] is a folder or a list that is none.
//!
//! ```no_run
//! use mobilenet::dataset::{self, Input};
//!
//! for input in dataset::folder("album".as_ref()) {
//!     println!("{}", input.name.display());
//! }
//! let uploaded = Input::bytes("upload 17", vec![0xff, 0xd8]);
//! # let _ = uploaded;
//! ```

mod class_folders;
mod error;
mod frames;
mod input;
mod labelled_table;
mod list;
mod selection;
mod shard;
mod walk;

use std::path::PathBuf;

pub use class_folders::{ClassFolders, Labelled};
pub use error::{Error, Result, RowFault};
pub use frames::Frames;
pub use input::Input;
pub use labelled_table::{LabelledRow, LabelledTable};
pub use list::{PathList, Separator};
pub use selection::{ParsePatternError, Pattern, Selection};
pub use shard::{ParseShardError, Shard};
pub use walk::{folder, has_known_signature};

/// Pictures from anywhere.
pub type Inputs = Box<dyn Iterator<Item = Input> + Send>;

/// The picture that a path names, or those in the [`folder`] that it names.
pub fn path(path: impl Into<PathBuf>) -> Inputs {
    Selection::default().path(path)
}
