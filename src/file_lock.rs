//! Files that one process has at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

/// How often others may remove the file of a lock while it is taken: after that, the system can't tell
/// files apart.
const MOST_REMOVALS: u32 = 100;

/// An exclusive lock on a file, let go with this value, and by the system when the process ends,
/// however it ends. It keeps away those who ask for it, and nobody else.
#[derive(Debug)]
pub struct FileLock {
    file: File,
}

impl FileLock {
    /// Takes the lock, unless another process, or another value in this one, has it. A file that is not
    /// there is made, one that is there stays as it is.
    ///
    /// # Errors
    /// The file can't be made or opened, or files can't be locked where it lies, as on some network
    /// file systems.
    pub fn try_take(path: impl AsRef<Path>) -> io::Result<Option<Self>> {
        let path = path.as_ref();
        let mut removed = 0;
        loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            let file = options.open(path)?;
            match file.try_lock() {
                // It may have been removed meanwhile, as some tools do with their locks.
                Ok(()) if removed < MOST_REMOVALS && !is_at(&file, path) => removed += 1,
                Ok(()) => return Ok(Some(Self { file })),
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// The file that is locked, from its beginning to its end, to be read and written.
    pub fn file(&self) -> &File {
        &self.file
    }
}

/// Whether a file still lies at its path.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let (Ok(file), Ok(there)) = (file.metadata(), fs::metadata(path)) else {
        return false;
    };
    (file.dev(), file.ino()) == (there.dev(), there.ino())
}

/// A file that is open can't be removed here.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_it_at_a_time_and_the_file_stays_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lock");
        fs::write(&path, "before").expect("written");
        let lock = FileLock::try_take(&path).expect("a lock").expect("free");
        assert!(FileLock::try_take(&path).expect("a lock").is_none());
        drop(lock);
        assert!(FileLock::try_take(&path).expect("a lock").is_some());
        assert_eq!(fs::read(&path).expect("there"), b"before");
        assert!(FileLock::try_take(folder.path().join("no/lock")).is_err());
    }

    /// Who removes the file while he has the lock ends it: nobody is left with a lock on no file.
    #[cfg(unix)]
    #[test]
    fn a_lock_whose_file_was_removed_is_one_of_the_past() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lock");
        let lock = FileLock::try_take(&path).expect("a lock").expect("free");
        fs::remove_file(&path).expect("removed");
        let next = FileLock::try_take(&path).expect("a lock").expect("free");
        drop(lock);
        assert!(FileLock::try_take(&path).expect("a lock").is_none());
        drop(next);
    }
}
