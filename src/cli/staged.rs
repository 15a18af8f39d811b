//! Files that appear whole or not at all.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tempfile::{Builder, NamedTempFile};

/// A file on its way. Dropped before it is [finished](Self::finish) it leaves nothing.
pub struct Staged {
    path: PathBuf,
    target: Target,
}

enum Target {
    /// Beside the file that it is to become.
    File(BufWriter<NamedTempFile>),
    /// A device or a pipe, which is written to as it is.
    Other(BufWriter<std::fs::File>),
}

impl Staged {
    /// Begins a file. What a symbolic link points to will be replaced, not the link.
    ///
    /// # Errors
    /// A place that can't be written to.
    pub fn new(path: &Path) -> Result<Self> {
        let file = || format!("{}: can't be written", path.display());
        if path.as_os_str() == "-" {
            bail!("-: stdout has something else already; name a file");
        }
        if path.is_dir() {
            bail!("{}: a folder", path.display());
        }
        let target = match path.exists() && !path.is_file() {
            true => Target::Other(BufWriter::new(
                std::fs::File::options()
                    .write(true)
                    .open(path)
                    .with_context(file)?,
            )),
            false => {
                let folder = match real(path).parent() {
                    Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
                    _ => PathBuf::from("."),
                };
                let mut builder = Builder::new();
                // A temporary file would be its owner's alone; this one is what the umask makes
                // of any file.
                #[cfg(unix)]
                {
                    use std::os::unix::fs::PermissionsExt;
                    builder.permissions(std::fs::Permissions::from_mode(0o666));
                }
                let staged = builder.tempfile_in(folder);
                // Without the temporary name that the crate puts into its errors.
                let staged = staged.map_err(|e| match e.kind() {
                    io::ErrorKind::NotFound => io::Error::other("there is no such folder"),
                    kind => io::Error::from(kind),
                });
                Target::File(BufWriter::new(staged.with_context(file)?))
            }
        };
        Ok(Self {
            path: path.to_owned(),
            target,
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
        let file = || format!("{}: can't be written", self.path.display());
        match self.target {
            Target::File(staged) => {
                let staged = staged.into_inner().map_err(|e| e.into_error());
                let kept = staged.and_then(|staged| Ok(staged.persist(real(&self.path))?));
                kept.map(drop).with_context(file)
            }
            Target::Other(mut out) => out.flush().with_context(file),
        }
    }
}

impl Write for Staged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.target {
            Target::File(out) => out.write(bytes),
            Target::Other(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.target {
            Target::File(out) => out.flush(),
            Target::Other(out) => out.flush(),
        }
    }
}

/// What a link points to.
fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}
