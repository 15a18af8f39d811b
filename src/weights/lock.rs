//! One process at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::download::Progress;

/// How long another process is waited for: after that it counts as one that hangs.
const LONGEST: Duration = Duration::from_secs(600);

/// How often is looked whether it is done.
const PERIOD: Duration = Duration::from_millis(20);

/// How often a lock may be removed by others: after that, the system can't tell files apart.
const MOST_REMOVALS: u32 = 100;

/// A lock on a file, let go with this value, and by the system when the process ends.
pub(super) struct Lock {
    file: Option<File>,
}

impl Lock {
    /// Waits until no other process has the lock. `what` it is for is told to who waits.
    ///
    /// Where files can't be locked this goes on without: then each process downloads for itself.
    pub fn take(path: &Path, what: &str, progress: &dyn Progress) -> Self {
        let begin = Instant::now();
        let (mut told, mut removed) = (false, 0);
        while let Some(file) = open(path) {
            match file.try_lock() {
                // It may have been removed meanwhile, as some tools do with their locks.
                Ok(()) if removed < MOST_REMOVALS && !is_at(&file, path) => removed += 1,
                Ok(()) => return Self { file: Some(file) },
                Err(TryLockError::WouldBlock) if begin.elapsed() < LONGEST => {
                    if !told {
                        progress.note(&format!("another process is fetching {what}; waiting"));
                        told = true;
                    }
                    thread::sleep(PERIOD);
                }
                Err(_) => break,
            }
        }
        Self { file: None }
    }

    /// Whether other processes are kept away.
    pub fn is_held(&self) -> bool {
        self.file.is_some()
    }
}

fn open(path: &Path) -> Option<File> {
    fs::create_dir_all(path.parent()?).ok()?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path).ok()
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
