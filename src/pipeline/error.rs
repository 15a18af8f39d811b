//! What ends a run.

use std::any::Any;
use std::{fmt, io};

/// The result of a run over pictures.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What ends a run over pictures. A picture that can't be read is none of these: that is its
/// answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The model failed: its device, or weights whose answers are not numbers.
    #[error(transparent)]
    Model(#[from] crate::Error),

    /// A part of the work panicked.
    #[error("{stage} panicked, which is a defect: {message}")]
    Panicked {
        /// Which part.
        stage: Stage,
        /// What it panicked with.
        message: String,
    },

    /// A thread ended without its result. That should not be possible.
    #[error("a thread ended in the middle of its work, which is a defect of this program")]
    Lost,

    /// The system has no threads left.
    #[error("can't start a thread")]
    Thread(#[source] io::Error),
}

/// A part of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// The iterator that the pictures come from.
    Source,
    /// Reading and decoding a picture.
    Decoding,
    /// The model.
    Model,
    /// Putting answers together.
    Batching,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "looking for pictures",
            Self::Decoding => "reading a picture",
            Self::Model => "the network",
            Self::Batching => "the thread that puts batches together",
        })
    }
}

impl Error {
    /// The error of a panic.
    pub(super) fn panicked(stage: Stage, payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Self::Panicked {
            stage,
            message: text.unwrap_or("no message").to_owned(),
        }
    }
}
