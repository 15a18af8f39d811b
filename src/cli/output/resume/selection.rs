//! Which pictures still need a row, and where it goes.

use std::ffi::OsStr;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::earlier::{Names, Place, Seen};
use super::name_bytes;

/// Which pictures a run is about that goes on with another. It may be asked on another thread than
/// the one that writes the rows; each picture that it wants has to get a row, in the same order.
pub struct Selection {
    names: Names,
    retry_failed: bool,
    targets: Sender<Target>,
}

/// Where a row goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    End,
    /// In the place of a failure.
    Failure(Place),
    /// In the place of lines of the same picture, which may be all that there are, or not.
    Unsure(Place),
}

impl Selection {
    /// A selection by the rows that are there, and where the rows of the pictures that it wants go.
    /// `retry_failed`: also those that failed.
    pub fn new(names: Names, retry_failed: bool) -> (Self, Receiver<Target>) {
        let (sender, targets) = unbounded();
        let selection = Self {
            names,
            retry_failed,
            targets: sender,
        };
        (selection, targets)
    }

    /// Whether a picture still needs a row. Of each name as many are left out as it has rows.
    pub fn wants(&mut self, name: &OsStr) -> bool {
        let target = match self.names.take(name_bytes(name)) {
            Seen::Never => Target::End,
            Seen::Unsure(place) => Target::Unsure(place),
            Seen::Failed(place) if self.retry_failed => Target::Failure(place),
            Seen::Failed(_) | Seen::Answered => return false,
        };
        self.targets.send(target).is_ok()
    }
}
