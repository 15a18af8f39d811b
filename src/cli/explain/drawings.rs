//! Where drawings go: one to a file or to stdout, those of several pictures into a folder.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::Arguments;
use crate::cli::files;
use crate::cli::options::STDIN;
use crate::cli::output::check_ending;
use crate::cli::stdout::Stdout;

/// Where each picture's drawing goes.
pub enum Drawings {
    Nowhere,
    Stdout,
    File(PathBuf),
    Folder(PathBuf, Vec<PathBuf>),
}

impl Drawings {
    /// Those of these pictures.
    ///
    /// # Errors
    /// A file for several.
    pub fn new(output: Option<&Path>, images: &[OsString]) -> Result<Self> {
        let Some(output) = output else {
            return Ok(Self::Nowhere);
        };
        let is_one = images.len() == 1;
        if output.as_os_str() == STDIN {
            ensure!(
                is_one,
                "--output - is for one picture: name a folder for several"
            );
            return Ok(Self::Stdout);
        }
        let ends_as_one = output.as_os_str().as_encoded_bytes().ends_with(b"/");
        if !ends_as_one && !output.is_dir() {
            ensure!(
                is_one,
                "{0}: of several pictures the output is a folder; {0}/ makes one",
                output.display()
            );
            return Ok(Self::File(output.to_owned()));
        }
        Ok(Self::Folder(output.to_owned(), names(output, images)))
    }

    /// The files that are written.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let files = match self {
            Self::File(file) => std::slice::from_ref(file),
            Self::Folder(_, files) => files,
            Self::Nowhere | Self::Stdout => &[],
        };
        files.iter().map(PathBuf::as_path)
    }

    /// Refuses what is no place for a PNG, before anything is done.
    ///
    /// # Errors
    /// What it is.
    pub fn check(&self, arguments: &Arguments) -> Result<()> {
        if let Self::Stdout = self {
            ensure!(
                !arguments.json,
                "--json and --output - both write to stdout: name a file"
            );
            ensure!(
                !io::stdout().is_terminal(),
                "a PNG is not for a terminal: name a file, or leave out --output to see the map here"
            );
        }
        if let Self::Folder(folder, _) = self {
            fs::create_dir_all(folder).with_context(|| files::unwritable(folder))?;
        }
        let images = arguments.images();
        let images = images.iter().map(Path::new);
        let read: Vec<&Path> = arguments.labels.file().into_iter().chain(images).collect();
        let outputs: Vec<&Path> = self.files().collect();
        files::protect(&outputs, read)?;
        for path in &outputs {
            check_ending(path, "a PNG", &["png"])?;
            files::check(path)?;
        }
        outputs.into_iter().try_for_each(files::refuse_undrawn)
    }

    /// Writes the drawing of a picture by its number, if it goes anywhere.
    ///
    /// # Errors
    /// It can't be drawn or written.
    pub fn write(&self, number: usize, draw: impl FnOnce() -> Result<Vec<u8>>) -> Result<()> {
        match self {
            Self::Nowhere => Ok(()),
            Self::Stdout => Ok(Stdout::new().write_all(&draw()?)?),
            Self::File(file) => files::write(file, &draw()?),
            Self::Folder(_, files) => files::write(&files[number], &draw()?),
        }
    }
}

/// A file in a folder for each picture: called as the picture is, but for its ending. Of pictures that would have the
/// same, later ones keep their ending, or get a number.
fn names(folder: &Path, images: &[OsString]) -> Vec<PathBuf> {
    let mut taken: HashSet<OsString> = HashSet::new();
    let name = |image: &OsString| {
        let path = Path::new(image);
        let is_stdin = image == STDIN;
        let part = |part: Option<&OsStr>| match part {
            Some(name) if !is_stdin => name.to_owned(),
            _ => "stdin".into(),
        };
        let (stem, whole) = (part(path.file_stem()), part(path.file_name()));
        let numbered = (2u64..).map(|number| {
            let mut name = whole.clone();
            name.push(format!("-{number}"));
            name
        });
        let with_ending = |mut name: OsString| {
            name.push(".png");
            name
        };
        let mut names = [stem, whole.clone()]
            .into_iter()
            .chain(numbered)
            .map(with_ending);
        let name = names.find(|name| taken.insert(name.clone()));
        folder.join(name.unwrap_or_default())
    };
    images.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_drawings_have_one_name() {
        let images = ["a/x.jpg", "b/x.jpg", "x.png", "c/x.jpg", "-", "y"].map(OsString::from);
        let found = names(Path::new("out"), &images);
        let expected = [
            "out/x.png",
            "out/x.jpg.png",
            "out/x.png.png",
            "out/x.jpg-2.png",
            "out/stdin.png",
            "out/y.png",
        ];
        assert_eq!(found, expected.map(PathBuf::from));
    }
}
