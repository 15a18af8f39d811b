//! The pictures that a command line names, one after the other.

pub mod embedded;
mod file_id;
mod labelled;
mod labelled_list;
mod list;
mod shard;
mod walk;

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Result, ensure};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};
use mobilenet::error::ImageError;
use mobilenet::pixels::{DecodeOptions, read};

pub use embedded::Embedded;
pub use file_id::{FileId, is_same_file};
pub use labelled::{ClassFolders, Labelled};
pub use labelled_list::LabelledList;
pub use shard::Shard;
pub use walk::has_known_signature;

/// The name of the bytes on stdin.
pub const STDIN: &str = "-";

/// Where pictures are named, in the order of the command line.
#[derive(Debug, Clone, Default)]
pub struct Sources(Vec<Source>);

#[derive(Debug, Clone)]
enum Source {
    /// A picture, a folder of them, or stdin.
    Path(OsString),
    /// A file of paths, each ended by a byte.
    List(OsString, u8),
}

const PATHS: &str = "paths";
/// Arguments that name lists, and what ends a path in them.
const LISTS: [(&str, u8); 2] = [("files-from", b'\n'), ("files0-from", b'\0')];

// By hand, because the order of paths among lists is lost to the derived code.
impl Args for Sources {
    fn augment_args(command: Command) -> Command {
        let list = |(id, _): (&'static str, u8)| {
            Arg::new(id)
                .long(id)
                .value_name("FILE")
                .help_heading("Pictures")
                .value_parser(value_parser!(OsString))
                .action(ArgAction::Append)
        };
        let [lines, nul] = LISTS.map(list);
        command
            .arg(
                Arg::new(PATHS)
                    .value_name("PATH")
                    .help_heading("Pictures")
                    .help("Pictures and folders of them; `-` is the bytes of one on stdin")
                    .value_parser(value_parser!(OsString))
                    .num_args(0..)
                    .required_unless_present_any(LISTS.map(|(id, _)| id)),
            )
            .arg(lines.help("Paths in a file, one a line; `-` is stdin, answered as they come"))
            .arg(nul.help("The same, each path ended by NUL (`find -print0`)"))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Sources {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let values = |id: &str| {
            let values = matches.get_many::<OsString>(id).into_iter().flatten();
            let places = matches.indices_of(id).into_iter().flatten();
            places.zip(values.cloned()).collect::<Vec<_>>()
        };
        let paths = values(PATHS).into_iter();
        let mut all: Vec<_> = paths.map(|(i, path)| (i, Source::Path(path))).collect();
        for (id, end) in LISTS {
            let lists = values(id).into_iter();
            all.extend(lists.map(|(i, file)| (i, Source::List(file, end))));
        }
        all.sort_by_key(|(place, _)| *place);
        Ok(Self(all.into_iter().map(|(_, source)| source).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Sources {
    /// One path alone.
    pub fn of(path: OsString) -> Self {
        Self(vec![Source::Path(path)])
    }

    /// How many of them are read from stdin, from which only one can be.
    pub fn readers_of_stdin(&self) -> usize {
        let stdin = |source: &&Source| match source {
            Source::Path(name) | Source::List(name, _) => name == STDIN,
        };
        self.0.iter().filter(stdin).count()
    }

    /// Takes away the first path, for a command whose first argument is something else.
    pub fn take_first_path(&mut self) -> Option<OsString> {
        let is_path = |source: &Source| matches!(source, Source::Path(_));
        match self.0.remove(self.0.iter().position(is_path)?) {
            Source::Path(path) => Some(path),
            Source::List(..) => None,
        }
    }

    /// Takes away the paths that name files of embeddings.
    pub fn take_embeddings(&mut self) -> Vec<PathBuf> {
        let is_file = |source: &mut Source| match source {
            Source::Path(name) => Embedded::is_named_by(Path::new(name)),
            Source::List(..) => false,
        };
        let taken = self.0.extract_if(.., is_file);
        let paths = taken.map(|source| match source {
            Source::Path(name) | Source::List(name, _) => name.into(),
        });
        paths.collect()
    }

    /// The files that are named, lists among them.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|source| match source {
            Source::Path(name) | Source::List(name, _) => Path::new(name),
        })
    }

    /// Whether anything is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this is a single picture and can't be more.
    pub fn is_single(&self) -> bool {
        match self.0.as_slice() {
            [Source::Path(name)] => name == STDIN || !Path::new(name).is_dir(),
            _ => false,
        }
    }

    /// The pictures, found as they are asked for.
    ///
    /// # Errors
    /// A list that can't be opened, or stdin named twice.
    pub fn into_inputs(self) -> Result<Inputs> {
        ensure!(
            self.readers_of_stdin() < 2,
            "stdin (`-`) is named twice, and can be read only once"
        );
        let mut opened = Vec::with_capacity(self.0.len());
        for source in self.0 {
            opened.push(match source {
                Source::Path(name) if name == STDIN => Opened::Stdin,
                Source::Path(name) => Opened::Path(name.into()),
                Source::List(name, end) => Opened::List(list::open(&name, end)?),
            });
        }
        Ok(Box::new(opened.into_iter().flat_map(Opened::inputs)))
    }
}

/// The pictures of a command line.
pub type Inputs = Box<dyn Iterator<Item = Input> + Send>;

enum Opened {
    Stdin,
    Path(PathBuf),
    List(list::List),
}

impl Opened {
    fn inputs(self) -> Inputs {
        match self {
            Self::Stdin => Box::new(std::iter::once(Input::named(OsStr::new(STDIN)))),
            Self::Path(path) => expand(path),
            Self::List(list) => Box::new(list.flat_map(|entry| match entry {
                Ok(path) => expand(path),
                Err(input) => Box::new(std::iter::once(input)),
            })),
        }
    }
}

/// A picture, or those in a folder.
fn expand(path: PathBuf) -> Inputs {
    match path.is_dir() {
        true => Box::new(walk::pictures(&path)),
        false => Box::new(std::iter::once(Input::file(path))),
    }
}

/// A picture by its name.
#[derive(Debug)]
pub struct Input {
    /// Its path as it was given or found; `-` for stdin.
    pub name: OsString,
    content: Content,
}

#[derive(Debug)]
enum Content {
    File,
    /// Its bytes, once they have been read.
    Stdin(OnceLock<Vec<u8>>),
    /// It is known already that there is none.
    Missing(ImageError),
}

impl Input {
    /// The picture that one argument names; `-` is stdin.
    pub fn named(path: &OsStr) -> Self {
        match path == STDIN {
            true => Self {
                name: path.into(),
                content: Content::Stdin(OnceLock::new()),
            },
            false => Self::file(path),
        }
    }

    fn file(path: impl Into<OsString>) -> Self {
        Self {
            name: path.into(),
            content: Content::File,
        }
    }

    fn missing(path: impl Into<OsString>, error: ImageError) -> Self {
        Self {
            name: path.into(),
            content: Content::Missing(error),
        }
    }

    /// Its bytes, within the limit on a file's size. They can be had again.
    fn read(&self, options: &DecodeOptions) -> Result<Cow<'_, [u8]>, ImageError> {
        match &self.content {
            Content::File => read(File::open(Path::new(&self.name))?, options).map(Cow::Owned),
            Content::Stdin(bytes) => {
                if bytes.get().is_none() {
                    let _ = bytes.set(read(io::stdin().lock(), options)?);
                }
                Ok(bytes.get().map_or(Cow::Borrowed(&[]), |b| Cow::Borrowed(b)))
            }
            Content::Missing(error) => Err(error.clone()),
        }
    }

    /// What a decoder makes of its bytes. A defect of the decoder costs this picture, and no other.
    pub fn decode<T>(
        &self,
        options: &DecodeOptions,
        decode: impl FnOnce(&[u8]) -> Result<T, ImageError>,
    ) -> Result<T, ImageError> {
        let bytes = self.read(options)?;
        let decoded = catch_unwind(AssertUnwindSafe(|| decode(&bytes)));
        decoded.unwrap_or_else(|_| Err(ImageError::decoder_failed()))
    }
}
