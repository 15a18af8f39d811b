//! Files that appear whole or not at all.
//!
//! What is written goes to a temporary file in the same folder, which takes the place of the other one
//! when it is whole and on the disk. A program that is killed leaves what was there before.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile, TempPath};

/// Modes before the umask takes from them, as for any file and any program.
const FILE_MODE: u32 = 0o666;
const PROGRAM_MODE: u32 = 0o777;

/// A file on its way. Dropped before it is [committed](Self::commit) it leaves nothing.
///
/// What a symbolic link points to will be replaced, not the link. A device or a pipe keeps nothing and
/// has nothing beside it: it is written to as it is.
#[derive(Debug)]
pub struct AtomicFile {
    out: BufWriter<File>,
    /// What it is called until it has its place, and that place; none for a device or a pipe.
    staged: Option<(TempPath, PathBuf)>,
}

impl AtomicFile {
    /// Begins a file.
    ///
    /// # Errors
    /// Nothing can be written in its folder, or to the device.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::with_mode(path.as_ref(), FILE_MODE)
    }

    /// The same for a program, which may be executed.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn create_program(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::with_mode(path.as_ref(), PROGRAM_MODE)
    }

    fn with_mode(path: &Path, mode: u32) -> io::Result<Self> {
        if is_special(path) {
            let out = BufWriter::new(File::options().write(true).open(path)?);
            return Ok(Self { out, staged: None });
        }
        let place = real(path);
        let (file, temporary) = stage(&folder_of(&place), mode)?.into_parts();
        Ok(Self {
            out: BufWriter::new(file),
            staged: Some((temporary, place)),
        })
    }

    /// The file as far as it was written, and not only kept to be written.
    ///
    /// # Errors
    /// It can't be written.
    pub fn flushed(&mut self) -> io::Result<&File> {
        self.out.flush()?;
        Ok(self.out.get_ref())
    }

    /// Puts it into its place.
    ///
    /// # Errors
    /// What could not be written, such as on a full disk; then the file is as it was before.
    pub fn commit(mut self) -> io::Result<()> {
        self.out.flush()?;
        let Some((temporary, place)) = self.staged else {
            return Ok(());
        };
        self.out.get_ref().sync_all()?;
        temporary.persist(place).map_err(|e| e.error)
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes a file, which appears whole or not at all.
///
/// # Errors
/// As [`AtomicFile`]'s.
pub fn write(path: impl AsRef<Path>, bytes: &[u8]) -> io::Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes)?;
    file.commit()
}

/// Looks whether a file can begin here, and leaves nothing.
///
/// # Errors
/// Nothing can be written in its folder.
pub fn check(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref();
    if is_special(path) {
        return Ok(());
    }
    stage(&folder_of(&real(path)), FILE_MODE).map(drop)
}

/// Whether there is a device or a pipe (or a folder).
pub fn is_special(path: &Path) -> bool {
    path.exists() && !path.is_file()
}

/// The folder that a file will lie in, behind any symbolic link.
pub fn folder_of(path: &Path) -> PathBuf {
    match real(path).parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// What a link points to.
fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// A temporary file, gone with this value unless it takes its place.
#[cfg_attr(
    not(unix),
    expect(unused_variables, reason = "there are no such modes")
)]
fn stage(folder: &Path, mode: u32) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    // A temporary file would be its owner's alone; this one is what the umask makes of any.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(mode));
    }
    builder.tempfile_in(folder).map_err(systems_own)
}

/// An error without the temporary name that the crate puts into it.
fn systems_own(error: io::Error) -> io::Error {
    let inner = error.get_ref().and_then(|named| named.source());
    let inner = inner.and_then(|inner| inner.downcast_ref::<io::Error>());
    match inner.and_then(io::Error::raw_os_error) {
        Some(code) => io::Error::from_raw_os_error(code),
        None => error.kind().into(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_there_whole_or_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        fs::write(&path, "before").expect("written");
        let mut file = AtomicFile::create(&path).expect("begun");
        file.write_all(b"after").expect("written");
        assert_eq!(fs::read(&path).expect("there"), b"before");
        drop(file);
        assert_eq!(fs::read(&path).expect("there"), b"before");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
        write(&path, b"after").expect("written");
        assert_eq!(fs::read(&path).expect("there"), b"after");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
        let nowhere = folder.path().join("no such folder/a");
        let error = write(&nowhere, b"").expect_err("no folder");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(check(&nowhere).is_err() && check(&path).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_and_a_pipe_is_written_to() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&file, "before").expect("written");
        symlink("a", &link).expect("a link");
        write(&link, b"after").expect("written");
        assert!(link.is_symlink());
        assert_eq!(fs::read(&file).expect("there"), b"after");
        write("/dev/null", b"gone").expect("written");
        let mut program = AtomicFile::create_program(folder.path().join("c")).expect("begun");
        program.write_all(b"#!/bin/sh").expect("written");
        program.commit().expect("in its place");
        let mode = |name| {
            let metadata = fs::metadata(folder.path().join(name)).expect("there");
            metadata.permissions().mode() & 0o111
        };
        assert!(mode("c") != 0 && mode("a") == 0);
    }
}
