//! One process at a time.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::download::Progress;
use crate::file_lock::FileLock;

/// How long another process is waited for: after that it counts as one that hangs.
const LONGEST: Duration = Duration::from_secs(600);

/// How often is looked whether it is done.
const PERIOD: Duration = Duration::from_millis(20);

/// A lock on a file, let go with this value, and by the system when the process ends.
pub(super) struct Lock {
    lock: Option<FileLock>,
}

impl Lock {
    /// Waits until no other process has the lock. `what` it is for is told to who waits.
    ///
    /// Where files can't be locked this goes on without: then each process downloads for itself.
    pub fn take(path: &Path, what: &str, progress: &dyn Progress) -> Self {
        let begin = Instant::now();
        let mut told = false;
        let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
        while folder.is_ok() {
            match FileLock::try_take(path) {
                Ok(Some(lock)) => return Self { lock: Some(lock) },
                Ok(None) if begin.elapsed() < LONGEST => {
                    if !told {
                        progress.note(&format!("another process is fetching {what}; waiting"));
                        told = true;
                    }
                    thread::sleep(PERIOD);
                }
                _ => break,
            }
        }
        Self { lock: None }
    }

    /// Whether other processes are kept away.
    pub fn is_held(&self) -> bool {
        self.lock.is_some()
    }
}
