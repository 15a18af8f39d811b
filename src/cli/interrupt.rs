//! Ctrl-C, and being asked to end.

use std::convert::Infallible;

use crossbeam_channel::{Receiver, bounded};

/// Tells whether the program was asked to stop.
#[derive(Clone)]
pub struct Interrupt(Receiver<Infallible>);

impl Interrupt {
    /// A channel that is disconnected by the first SIGINT, SIGTERM or SIGHUP. The second one ends the
    /// program as if nothing had been watched for.
    pub fn watch() -> Self {
        let (sender, receiver) = bounded(0);
        #[cfg(unix)]
        unix::on_signal(move || drop(sender));
        // Elsewhere the system ends the program; what was answered has been written.
        #[cfg(not(unix))]
        std::mem::forget(sender);
        Self(receiver)
    }

    /// Disconnected once the program was asked to stop.
    pub fn receiver(&self) -> &Receiver<Infallible> {
        &self.0
    }

    /// Whether the program was asked to stop.
    pub fn happened(&self) -> bool {
        self.0.try_recv() == Err(crossbeam_channel::TryRecvError::Disconnected)
    }
}

/// Ends the program by the signal that it was asked to stop with, so that a shell's loop around
/// it stops too.
pub fn end_by_signal() {
    #[cfg(unix)]
    unix::end_by_signal();
}

#[cfg(unix)]
mod unix {
    use std::sync::atomic::{AtomicI32, Ordering};

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::emulate_default_handler;

    static RECEIVED: AtomicI32 = AtomicI32::new(0);

    pub fn on_signal(stop: impl FnOnce() + Send + 'static) {
        let Ok(mut signals) = Signals::new([SIGHUP, SIGINT, SIGTERM]) else {
            // Then they do what they always do. The channel has to stay open.
            std::mem::forget(stop);
            return;
        };
        std::thread::spawn(move || {
            let mut stop = Some(stop);
            for signal in signals.forever() {
                RECEIVED.store(signal, Ordering::Relaxed);
                match stop.take() {
                    Some(stop) => stop(),
                    None => end_by_signal(),
                }
            }
        });
    }

    pub fn end_by_signal() {
        let signal = RECEIVED.load(Ordering::Relaxed);
        if signal != 0 {
            // It returns only where it failed, and then the exit code has to do.
            let _ = emulate_default_handler(signal);
        }
    }
}
