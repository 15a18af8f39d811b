//! Asking work to stop.

use std::convert::Infallible;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded};

/// Asks work to stop, from any thread. Its clones are one token: a program keeps one, and gives
/// another to a [`Pipeline`](super::Pipeline).
#[derive(Clone)]
pub struct CancelToken(Arc<Inner>);

struct Inner {
    cancelled: AtomicBool,
    /// Nothing is ever sent: threads wait for the sender to be dropped.
    sender: Mutex<Option<Sender<Infallible>>>,
    receiver: Receiver<Infallible>,
}

impl CancelToken {
    /// A token that nobody has cancelled.
    pub fn new() -> Self {
        let (sender, receiver) = bounded(0);
        Self(Arc::new(Inner {
            cancelled: AtomicBool::new(false),
            sender: Mutex::new(Some(sender)),
            receiver,
        }))
    }

    /// Asks to stop. There is no way back.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Release);
        let mut sender = self.0.sender.lock().unwrap_or_else(PoisonError::into_inner);
        *sender = None;
    }

    /// Whether it was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Acquire)
    }

    /// Disconnected once it was asked to stop.
    pub(super) fn receiver(&self) -> &Receiver<Infallible> {
        &self.0.receiver
    }
}

impl Default for CancelToken {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CancelToken")
            .field(&self.is_cancelled())
            .finish()
    }
}
