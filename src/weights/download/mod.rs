//! Downloads: requests (`http`), why they fail (`failure`), the file that comes of them (`part`),
//! trying again (`retry`).

mod failure;
mod header;
mod http;
mod part;
mod retry;

use std::time::Duration;

pub(super) use failure::{Failure, Kind};
pub(super) use http::{Answer, Client, check_address};
pub(super) use part::{MAX_SMALL_BYTES, Wanted, remove_part};

/// Told how a download goes on.
pub trait Progress {
    /// A download begins, or begins anew; its length where the server states it.
    fn start(&self, name: &str, bytes: Option<u64>);
    /// That many more bytes are there.
    fn advance(&self, bytes: u64);
    /// The download ended, whether well or not.
    fn finish(&self);
    /// Why nothing moves, or why a download is needed, for a person who waits.
    fn note(&self, _text: &str) {}
}

/// Progress that nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn start(&self, _: &str, _: Option<u64>) {}
    fn advance(&self, _: u64) {}
    fn finish(&self) {}
}

/// How long servers are waited for, and how often they are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// A server may say nothing for so long.
    pub silence: Duration,
    /// A download may stand still for so long, all tries together.
    pub standstill: Duration,
    /// How often a server is asked that brings nothing new.
    pub tries: u32,
    /// The wait before the second try, doubled before each further one.
    pub delay: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(15),
            standstill: Duration::from_secs(60),
            tries: 5,
            delay: Duration::from_millis(500),
        }
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
