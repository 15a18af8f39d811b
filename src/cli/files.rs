//! The files that commands write: looked at before the work, and whole or not at all.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use memchr::memmem;
use mobilenet::atomic_file::{self, AtomicFile};
pub use mobilenet::atomic_file::{folder_of, is_special};
use mobilenet::dataset::has_known_signature;

use super::file_id::FileId;
use super::words;

/// Where the text chunk of a PNG is, which stands before its pixels.
const START_BYTES: u64 = 256;

/// Refuses an output that would replace a file that is read.
///
/// # Errors
/// They are the same file.
pub fn protect<'a>(outputs: &[&Path], read: impl IntoIterator<Item = &'a Path>) -> Result<()> {
    // What is not there yet replaces nothing.
    let there = outputs
        .iter()
        .filter_map(|path| Some((FileId::of(path)?, *path)));
    let there: Vec<(FileId, &Path)> = there.collect();
    if there.is_empty() {
        return Ok(());
    }
    for read in read {
        let id = FileId::of(read);
        let same = there.iter().find(|(output, _)| Some(output) == id.as_ref());
        if let Some((_, output)) = same {
            let (read, output) = (read.display(), output.display());
            bail!("{output}: it would replace {read}, which is read");
        }
    }
    Ok(())
}

/// Refuses a path that nothing can be written to, which is not found out when the work is done.
///
/// # Errors
/// A folder, a folder that is not there, a place or a file that can't be written to.
pub fn check(path: &Path) -> Result<()> {
    let named = path.display();
    let ends_as_one = path.as_os_str().as_encoded_bytes().ends_with(b"/");
    let is_folder = ends_as_one || path.file_name().is_none() || path.is_dir();
    ensure!(!is_folder, "{named}: is a folder; name a file");
    if is_special(path) {
        return Ok(());
    }
    check_folder(path)?;
    if path.exists() {
        // What is protected from writing is not replaced either.
        let file = File::options().append(true).open(path);
        file.with_context(|| unwritable(path))?;
    }
    atomic_file::check(path).with_context(|| unwritable(path))
}

/// Refuses a file that is not there yet and can't be made.
///
/// # Errors
/// A folder that is not there, or that can't be written to.
pub fn check_new(path: &Path) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    check_folder(path)?;
    atomic_file::check(path).with_context(|| unwritable(path))
}

fn check_folder(path: &Path) -> Result<()> {
    let folder = folder_of(path);
    ensure!(
        folder.is_dir(),
        "{}: there is no folder {}",
        unwritable(path),
        folder.display()
    );
    Ok(())
}

/// Refuses to put something else in the place of a picture, which was hardly meant.
///
/// # Errors
/// There is a picture.
pub fn refuse_picture(path: &Path) -> Result<()> {
    // Opening a pipe waits for its other end.
    let is_picture = path.is_file() && has_known_signature(path);
    let named = path.display();
    ensure!(!is_picture, "{named}: is a picture, and would be replaced");
    Ok(())
}

/// The text chunk of a PNG by which those that this program drew are known.
pub const DRAWN: (&str, &str) = ("Software", "mobilenet");

/// Refuses to draw in the place of another file: a picture is drawn for its own sake, so what has
/// its name is hardly an earlier one, unless it says so.
///
/// # Errors
/// There is a file, which is neither empty nor a PNG that this program drew.
pub fn refuse_undrawn(path: &Path) -> Result<()> {
    // Opening a pipe waits for its other end.
    if !path.is_file() {
        return Ok(());
    }
    let named = path.display();
    let mut start = Vec::new();
    let file = File::open(path).with_context(|| named.to_string())?;
    file.take(START_BYTES).read_to_end(&mut start)?;
    let chunk = format!("tEXt{}\0{}", DRAWN.0, DRAWN.1);
    let is_drawn =
        start.starts_with(b"\x89PNG") && memmem::find(&start, chunk.as_bytes()).is_some();
    ensure!(
        is_drawn || start.is_empty(),
        "{named}: is there already, and not a picture that this program drew: name another file, or \
         remove it"
    );
    Ok(())
}

/// Refuses an output that the next run would take for a picture of a class: `pictures` is a folder
/// that has a folder for each.
///
/// # Errors
/// It lies in one of them.
pub fn refuse_among(pictures: &Path, output: &Path) -> Result<()> {
    let real = output.canonicalize();
    let folder = real.as_deref().unwrap_or(output).parent().map(|folder| {
        let here = folder.as_os_str().is_empty();
        if here { Path::new(".") } else { folder }.canonicalize()
    });
    if let (Some(Ok(folder)), Ok(pictures)) = (folder, pictures.canonicalize()) {
        let among = folder != pictures && folder.starts_with(pictures);
        let output = output.display();
        ensure!(
            !among,
            "{output}: it would lie among the pictures of a class"
        );
    }
    Ok(())
}

/// Creates a file that is written bit by bit, or empties the one that is there.
///
/// # Errors
/// It is a picture, or can't be written to.
pub fn create(path: &Path) -> Result<File> {
    refuse_picture(path)?;
    check_folder(path)?;
    File::create(path).with_context(|| unwritable(path))
}

/// A file that is written bit by bit, whose errors name it.
pub struct Named {
    file: File,
    path: PathBuf,
}

impl Named {
    /// A file by its name.
    pub fn new(file: File, path: &Path) -> Self {
        Self {
            file,
            path: path.to_owned(),
        }
    }

    /// Has the system write what it was given, where that is kept.
    ///
    /// # Errors
    /// What it could not write, as on a disk behind a network.
    pub fn sync(&mut self) -> io::Result<()> {
        self.file.flush().map_err(|error| self.named(error))?;
        if self
            .file
            .metadata()
            .is_ok_and(|metadata| metadata.is_file())
        {
            self.file.sync_data().map_err(|error| self.named(error))?;
        }
        Ok(())
    }

    /// Takes so many bytes off its end again, which takes no room; as far as that can be done.
    pub fn take_off(&self, bytes: u64) {
        let metadata = self.file.metadata().ok();
        if let Some(metadata) = metadata.filter(|metadata| metadata.is_file() && bytes > 0) {
            let _ = self.file.set_len(metadata.len().saturating_sub(bytes));
        }
    }

    /// The error with the file's name.
    pub fn named(&self, error: io::Error) -> io::Error {
        // The kind stays: a pipe that nobody reads any more is no failure.
        let reason = words::of(&error);
        io::Error::new(
            error.kind(),
            format!("{}: {reason}", unwritable(&self.path)),
        )
    }
}

impl Write for Named {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).map_err(|error| self.named(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush().map_err(|error| self.named(error))
    }
}

impl Read for Named {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.file.read(bytes)
    }
}

impl Seek for Named {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// Writes a file, which appears whole or not at all.
///
/// # Errors
/// As [`Staged`]'s.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut staged = Staged::new(path)?;
    staged.write_all(bytes).with_context(|| unwritable(path))?;
    staged.finish()
}

/// What is said of a file that can't be written.
pub fn unwritable(path: &Path) -> String {
    format!("{}: can't be written", path.display())
}

/// A file on its way. Dropped before it is [finished](Self::finish) it leaves nothing.
pub struct Staged {
    path: PathBuf,
    file: AtomicFile,
}

impl Staged {
    /// Begins a file. What a symbolic link points to will be replaced, not the link.
    ///
    /// # Errors
    /// As [`check`].
    pub fn new(path: &Path) -> Result<Self> {
        ensure!(
            path.as_os_str() != "-",
            "-: stdout has something else already; name a file"
        );
        check(path)?;
        Ok(Self {
            file: AtomicFile::create(path).with_context(|| unwritable(path))?,
            path: path.to_owned(),
        })
    }

    /// Where it will be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts it into its place.
    ///
    /// # Errors
    /// What could not be written, such as on a full disk.
    pub fn finish(self) -> Result<()> {
        self.file.commit().with_context(|| unwritable(&self.path))
    }
}

impl Write for Staged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
