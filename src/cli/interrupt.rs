//! Ctrl-C, and being asked to end.

use mobilenet::pipeline::CancelToken;

/// Tells whether the program was asked to stop.
#[derive(Clone)]
pub struct Interrupt(CancelToken);

impl Interrupt {
    /// Watches for the first SIGINT, SIGTERM or SIGHUP. The second one ends the program as if nothing
    /// had been watched for.
    pub fn watch() -> Self {
        let token = CancelToken::new();
        // Elsewhere the system ends the program; what was answered has been written.
        #[cfg(unix)]
        unix::on_signal(token.clone());
        Self(token)
    }

    /// What the library's work looks at.
    pub fn token(&self) -> &CancelToken {
        &self.0
    }

    /// Whether the program was asked to stop.
    pub fn happened(&self) -> bool {
        self.0.is_cancelled()
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

    use mobilenet::pipeline::CancelToken;
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::emulate_default_handler;

    static RECEIVED: AtomicI32 = AtomicI32::new(0);

    pub fn on_signal(token: CancelToken) {
        let Ok(mut signals) = Signals::new([SIGHUP, SIGINT, SIGTERM]) else {
            // Then they do what they always do.
            return;
        };
        std::thread::spawn(move || {
            for signal in signals.forever() {
                RECEIVED.store(signal, Ordering::Relaxed);
                if token.is_cancelled() {
                    end_by_signal();
                }
                token.cancel();
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
