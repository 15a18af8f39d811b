//! The file that answers go to.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use mobilenet::pixels::looks_like_image;
use tempfile::NamedTempFile;

/// Creates a file, or empties the one that is there.
///
/// # Errors
/// It is a picture, which was hardly meant, or can't be written to.
pub fn create(path: &Path) -> Result<File> {
    refuse_picture(path)?;
    File::create(path).with_context(|| unwritable(path))
}

/// A buffer that holds any row, so that a row is written at once: several processes may share a
/// pipe.
pub fn buffered<W: Write>(out: W) -> BufWriter<W> {
    BufWriter::with_capacity(1 << 18, out)
}

fn refuse_picture(path: &Path) -> Result<()> {
    let named = path.display();
    ensure!(
        !is_picture(path),
        "{named}: is a picture, which the answers would replace"
    );
    Ok(())
}

fn unwritable(path: &Path) -> String {
    format!("{}: can't be written", path.display())
}

pub fn is_picture(path: &Path) -> bool {
    let mut start = Vec::new();
    // Opening a pipe waits for its other end.
    path.is_file()
        && File::open(path)
            .and_then(|file| file.take(32).read_to_end(&mut start))
            .is_ok_and(|_| looks_like_image(&start))
}

/// A file that appears whole or not at all. A device or a pipe is written to as it is.
#[derive(Debug)]
pub struct Whole {
    /// What a symbolic link points to is replaced, not the link.
    target: PathBuf,
}

impl Whole {
    /// Looks whether the file can be written.
    ///
    /// # Errors
    /// As [`create`].
    pub fn new(path: &Path) -> Result<Self> {
        refuse_picture(path)?;
        let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let whole = Self { target };
        if !whole.is_special() {
            whole.stage().with_context(|| unwritable(path))?;
        }
        Ok(whole)
    }

    /// The folder that it lies in.
    pub fn folder(&self) -> &Path {
        match self.target.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    /// Writes it.
    pub fn write(&self, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
        if self.is_special() {
            return write(&mut File::options().write(true).open(&self.target)?);
        }
        let mut staged = self.stage()?;
        write(staged.as_file_mut())?;
        staged.as_file().sync_all()?;
        staged.persist(&self.target).map_err(|e| e.error)?;
        Ok(())
    }

    fn is_special(&self) -> bool {
        self.target.exists() && !self.target.is_file()
    }

    /// A file beside it, gone with this value unless it takes the place.
    fn stage(&self) -> io::Result<NamedTempFile> {
        let mut builder = tempfile::Builder::new();
        // A temporary file would be its owner's alone; this one is what the umask makes of any.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        // Without the temporary name that the crate puts into its errors.
        Ok(builder.tempfile_in(self.folder()).map_err(|e| e.kind())?)
    }
}
