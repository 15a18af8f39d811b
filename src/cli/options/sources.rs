//! The pictures that a command line names, one after the other.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};
use mobilenet::dataset::{Frames, Input, Inputs, PathList, Selection, Separator};

use crate::cli::stored_embeddings::StoredEmbeddings;

/// The name of the bytes on stdin.
pub const STDIN: &str = "-";

/// Where pictures are named, in the order of the command line.
#[derive(Debug, Clone, Default)]
pub struct Sources(Vec<Source>);

#[derive(Debug, Clone)]
enum Source {
    /// A picture, a folder of them, or stdin.
    Path(OsString),
    /// A file of paths.
    List(OsString, Separator),
    /// A file of pictures, one behind the other.
    Frames(OsString),
}

const PATHS: &str = "paths";
/// Arguments that name lists, and what ends a path in them.
const LISTS: [(&str, Separator); 2] = [
    ("files-from", Separator::Line),
    ("files0-from", Separator::Nul),
];

const FRAMES: &str = "frames";

/// The same where nothing need be named.
#[derive(Debug, Clone, Default)]
pub struct OptionalSources(pub Sources);

/// The arguments, of which one has to be there or none.
fn augmented(command: Command, needed: bool) -> Command {
    let file = |id: &'static str| {
        Arg::new(id)
            .long(id)
            .value_name("FILE")
            .help_heading("Pictures")
            .value_parser(value_parser!(OsString))
            .action(ArgAction::Append)
    };
    let [lines, nul] = LISTS.map(|(id, _)| file(id));
    let paths = Arg::new(PATHS)
        .value_name("PATH")
        .help_heading("Pictures")
        .help("Pictures, and folders of them; `-` reads one picture from stdin")
        .value_parser(value_parser!(OsString))
        .num_args(0..);
    command
        .arg(if needed {
            let others = LISTS.map(|(id, _)| id).into_iter().chain([FRAMES]);
            paths.required_unless_present_any(others)
        } else {
            paths
        })
        .arg(
            lines.help("Read paths from a file, one per line; `-` is stdin, answered line by line"),
        )
        .arg(nul.help("The same for paths that end with NUL (`find -print0`)"))
        .arg(file(FRAMES).help(
            "Read JPEGs and PNGs that lie one behind the other in a file or pipe, as \
             `ffmpeg -f image2pipe` writes them; `-` is stdin",
        ))
}

// By hand, because the order of paths among lists is lost to the derived code.
impl Args for Sources {
    fn augment_args(command: Command) -> Command {
        augmented(command, true)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl Args for OptionalSources {
    fn augment_args(command: Command) -> Command {
        augmented(command, false)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for OptionalSources {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Sources::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
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
        let frames = values(FRAMES).into_iter();
        all.extend(frames.map(|(i, file)| (i, Source::Frames(file))));
        all.sort_by_key(|(place, _)| *place);
        Ok(Self(all.into_iter().map(|(_, source)| source).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Sources {
    /// How many of them are read from stdin, from which only one can be.
    pub fn readers_of_stdin(&self) -> usize {
        let stdin = |source: &&Source| match source {
            Source::Path(name) | Source::List(name, _) | Source::Frames(name) => name == STDIN,
        };
        self.0.iter().filter(stdin).count()
    }

    /// Takes away the first path, for a command whose first argument is something else.
    pub fn take_first_path(&mut self) -> Option<OsString> {
        let is_path = |source: &Source| matches!(source, Source::Path(_));
        match self.0.remove(self.0.iter().position(is_path)?) {
            Source::Path(path) => Some(path),
            Source::List(..) | Source::Frames(_) => None,
        }
    }

    /// Takes away the paths that name files of embeddings.
    pub fn take_embeddings(&mut self) -> Vec<PathBuf> {
        let is_file = |source: &mut Source| match source {
            Source::Path(name) => StoredEmbeddings::is_named_by(Path::new(name)),
            Source::List(..) | Source::Frames(_) => false,
        };
        let taken = self.0.extract_if(.., is_file);
        let paths = taken.map(|source| match source {
            Source::Path(name) | Source::List(name, _) | Source::Frames(name) => name.into(),
        });
        paths.collect()
    }

    /// The paths that are named as such, in their order.
    pub fn paths(&self) -> impl Iterator<Item = &OsStr> {
        self.0.iter().filter_map(|source| match source {
            Source::Path(name) => Some(name.as_os_str()),
            Source::List(..) | Source::Frames(_) => None,
        })
    }

    /// The files that are named, lists among them.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|source| match source {
            Source::Path(name) | Source::List(name, _) | Source::Frames(name) => Path::new(name),
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

    /// The pictures, found as they are asked for; of folders, what is selected. With `one_row` what a list names
    /// is one picture each, folders too. Of a stream of frames none may have more than `max_bytes`.
    ///
    /// # Errors
    /// A list or a file of frames that can't be opened, or stdin named twice.
    pub fn into_inputs(
        self,
        selection: Selection,
        one_row: bool,
        max_bytes: u64,
    ) -> Result<Inputs> {
        ensure!(
            self.readers_of_stdin() < 2,
            "stdin (`-`) is named twice, and can be read only once"
        );
        let mut opened = Vec::with_capacity(self.0.len());
        for source in self.0 {
            opened.push(match source {
                Source::Path(name) => Opened::Path(name),
                Source::List(name, separator) if name == STDIN => {
                    let stdin = BufReader::new(io::stdin());
                    // Whoever writes it may wait for an answer to each line.
                    Opened::List(PathList::from_reader(name, stdin, separator).answering_all())
                }
                Source::List(name, separator) => {
                    Opened::List(PathList::open(Path::new(&name), separator)?)
                }
                Source::Frames(name) if name == STDIN => {
                    let stdin = BufReader::with_capacity(FRAMES_BUFFER, io::stdin());
                    Opened::Frames(Frames::new(name, stdin, max_bytes))
                }
                Source::Frames(name) => {
                    let file = File::open(&name)
                        .with_context(|| Path::new(&name).display().to_string())?;
                    let file = BufReader::with_capacity(FRAMES_BUFFER, file);
                    Opened::Frames(Frames::new(name, file, max_bytes))
                }
            });
        }
        let inputs = move |source: Opened| source.inputs(&selection, one_row);
        Ok(Box::new(opened.into_iter().flat_map(inputs)))
    }
}

/// Bytes of a stream of frames that are read at once: what a pipe of Linux's holds.
const FRAMES_BUFFER: usize = 1 << 16;

/// A source that could be opened.
enum Opened {
    Path(OsString),
    List(PathList),
    Frames(Frames),
}

impl Opened {
    fn inputs(self, selection: &Selection, one_row: bool) -> Inputs {
        match self {
            Self::Path(name) if name == STDIN => Box::new(std::iter::once(named(&name))),
            Self::Path(name) => selection.path(name),
            Self::List(list) if one_row => Box::new(list.into_files()),
            Self::List(list) => Box::new(list.into_inputs(selection.clone())),
            Self::Frames(frames) => Box::new(frames),
        }
    }
}

/// The picture that one argument names; `-` is stdin.
pub fn named(path: &OsStr) -> Input {
    if path == STDIN {
        Input::reader(path, io::stdin())
    } else {
        Input::file(path)
    }
}
