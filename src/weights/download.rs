//! What the two kinds of download share: progress, and an end to waiting.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

/// Told how a download goes on.
pub trait Progress {
    /// A download begins; its length where the server states it.
    fn start(&self, name: &str, bytes: Option<u64>);
    /// That many more bytes arrived.
    fn advance(&self, bytes: u64);
    /// The download ended, whether well or not.
    fn finish(&self);
}

/// Progress that nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn start(&self, _: &str, _: Option<u64>) {}
    fn advance(&self, _: u64) {}
    fn finish(&self) {}
}

/// What a download tells the thread that waits for it.
pub(super) enum Event<T> {
    Start(String, Option<u64>),
    Advance(u64),
    Done(Result<T, String>),
}

/// Runs a download on a thread of its own and waits for as long as it makes progress.
///
/// A server that accepts a connection and then says nothing would otherwise hold the program
/// for good. The thread that is given up goes on waiting until the program ends.
pub(super) fn watched<T: Send + 'static>(
    patience: Duration,
    progress: &dyn Progress,
    job: impl FnOnce(&Sender<Event<T>>) -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let (sender, receiver) = channel();
    let started = thread::Builder::new().spawn(move || {
        let result = job(&sender);
        // Nobody listens any more where the wait was given up.
        let _ = sender.send(Event::Done(result));
    });
    if let Err(e) = started {
        return Err(format!("no thread for the download: {e}"));
    }
    let result = loop {
        match receiver.recv_timeout(patience) {
            Ok(Event::Start(name, bytes)) => progress.start(&name, bytes),
            Ok(Event::Advance(bytes)) => progress.advance(bytes),
            Ok(Event::Done(result)) => break result,
            Err(RecvTimeoutError::Timeout) => {
                break Err(format!(
                    "nothing arrived for {} seconds",
                    patience.as_secs_f32()
                ));
            }
            // The sender is gone without a result only if the job panicked.
            Err(RecvTimeoutError::Disconnected) => {
                break Err("the server's answer was not understood".into());
            }
        }
    };
    progress.finish();
    result
}

/// A request's failure in a few words: the address stands beside it already.
pub(super) fn describe_request(error: &ureq::Error) -> String {
    match error {
        ureq::Error::StatusCode(401 | 403) => "access denied (is a token needed?)".into(),
        ureq::Error::StatusCode(404) => "not found".into(),
        ureq::Error::StatusCode(code) => format!("the server answered {code}"),
        ureq::Error::HostNotFound => "the host's name can't be resolved".into(),
        ureq::Error::Io(e) => format!("can't be reached ({e})"),
        other => other.to_string(),
    }
}

/// An address without the user name and password that it may carry, to be shown and kept.
pub fn without_credentials(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else {
        return address.to_owned();
    };
    let host = rest.split('/').next().unwrap_or(rest);
    match host.rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_not_shown() {
        for (address, shown) in [
            ("https://user:pass@host/a@b", "https://host/a@b"),
            ("https://host/a@b", "https://host/a@b"),
            ("http://token@host:8080", "http://host:8080"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(without_credentials(address), shown);
        }
    }
}
