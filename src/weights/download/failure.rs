//! Why a request brought nothing, in words, and what may help.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use httpdate::parse_http_date;
use ureq::Body;
use ureq::http::{Response, StatusCode};

use super::header::header;
use crate::error::{Attempt, AttemptKind};

/// A web page in place of a file.
pub(super) const WEB_PAGE: &str = "a web page (HTML) arrived in place of the file: a proxy, or the login page of this network, \
     may stand between";

/// Why a request brought nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::weights) struct Failure {
    /// In a few words: the address stands beside it already.
    pub reason: String,
    pub kind: Kind,
}

/// What may help against a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::weights) enum Kind {
    /// Trying again, after as long as the server says.
    Passing(Option<Duration>),
    /// Trying again where the server was reached before.
    Unreachable,
    /// Trying again once: what arrived was not what was stated.
    Damaged,
    /// Nothing: there is no such file.
    Absent,
    /// Nothing: there is no such repository, or no such revision of it.
    NoRevision,
    /// Another cache: this one can't be written to.
    CacheNotWritable,
    /// Room on the disk of the cache.
    DiskFull,
    /// Nothing.
    Final,
}

impl Failure {
    pub fn new(kind: Kind, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self { reason, kind }
    }

    pub fn last(reason: impl Into<String>) -> Self {
        Self::new(Kind::Final, reason)
    }

    /// A cache's folder could not be written to.
    pub fn of_cache(folder: &Path, error: &io::Error) -> Self {
        let folder = folder.display();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::new(Kind::DiskFull, format!("no space is left in {folder}"))
            }
            io::ErrorKind::NotFound => Self::new(
                Kind::CacheNotWritable,
                format!("the cache can't be written to ({folder}: no such folder can be made)"),
            ),
            kind => Self::new(
                Kind::CacheNotWritable,
                format!("the cache can't be written to ({folder}: {kind})"),
            ),
        }
    }

    /// The same for whoever looks for weights at an address.
    pub fn at(self, address: impl Into<String>) -> Attempt {
        let kind = match self.kind {
            Kind::Passing(_) | Kind::Unreachable => AttemptKind::Unreachable,
            Kind::Damaged => AttemptKind::Damaged,
            Kind::Absent | Kind::NoRevision => AttemptKind::NotFound,
            Kind::CacheNotWritable => AttemptKind::CacheNotWritable,
            Kind::DiskFull => AttemptKind::DiskFull,
            Kind::Final => AttemptKind::Refused,
        };
        Attempt::new(address, kind, self.reason)
    }

    pub fn passing(reason: impl Into<String>) -> Self {
        Self::new(Kind::Passing(None), reason)
    }
}

/// Whatever is no part of a file is an error.
pub(super) fn check_status(response: &Response<Body>) -> Result<(), Failure> {
    let is_page = header(response, "content-type").is_some_and(|kind| {
        kind.trim_start()
            .to_ascii_lowercase()
            .starts_with("text/html")
    });
    let code = header(response, "x-error-code").unwrap_or_default();
    let status = response.status();
    Err(match status.as_u16() {
        200 | 206 if is_page => Failure::last(WEB_PAGE),
        200 | 206 | 416 => return Ok(()),
        401 | 403 if code == "GatedRepo" => Failure::last(
            "access denied: its conditions have to be accepted on its page, and a token sent",
        ),
        401 | 403 if code == "RepoNotFound" => {
            Failure::last("no such repository, or one that needs a token (access denied)")
        }
        401 | 403 if is_page => {
            Failure::last("access denied by a web page (is a token needed, or a proxy between?)")
        }
        401 | 403 => Failure::last("access denied (is a token needed?)"),
        404 | 410 => match code {
            "RevisionNotFound" => Failure::new(Kind::NoRevision, "no such revision (not found)"),
            "RepoNotFound" => Failure::new(Kind::NoRevision, "no such repository (not found)"),
            _ => Failure::new(Kind::Absent, "not found"),
        },
        407 => Failure::last("the proxy wants a name and a password"),
        511 => Failure::last("this network wants a login first (the server answered 511)"),
        408 | 425 | 429 | 500.. => retry_later(response, status),
        _ => Failure::last(format!("the server answered {}", status.as_u16())),
    })
}

fn retry_later(response: &Response<Body>, status: StatusCode) -> Failure {
    // Between the server's own times: clocks differ.
    let date = header(response, "date").and_then(|date| parse_http_date(date).ok());
    let now = date.unwrap_or_else(SystemTime::now);
    let wait = header(response, "retry-after").and_then(|text| asked_wait(text.trim(), now));
    let asks = match wait {
        Some(wait) => format!(" and asks to wait {} seconds", wait.as_secs()),
        None => String::new(),
    };
    let reason = match status.as_u16() {
        429 => format!("the server answered 429 (too many requests){asks}"),
        status => format!("the server answered {status}{asks}"),
    };
    Failure::new(Kind::Passing(wait), reason)
}

/// How long a `Retry-After` asks to wait: seconds, or a date (RFC 9110, 10.2.3), of which nothing is
/// left where it is past.
fn asked_wait(text: &str, now: SystemTime) -> Option<Duration> {
    let seconds = text.parse().ok().map(Duration::from_secs);
    seconds.or_else(|| {
        let until = parse_http_date(text).ok()?;
        Some(until.duration_since(now).unwrap_or_default())
    })
}

/// Whether these are the first bytes of HTML or XML, which no file here begins with.
pub(super) fn is_markup(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let head = bytes.trim_ascii_start();
    let tags = [
        "<!doctype",
        "<html",
        "<head",
        "<body",
        "<script",
        "<!--",
        "<?xml",
    ];
    tags.iter().any(|tag| {
        let head = head.get(..tag.len()).unwrap_or_default();
        head.eq_ignore_ascii_case(tag.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_how_long_or_until_when() {
        let now = parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").expect("RFC 9110's example");
        let wait = |text| asked_wait(text, now).map(|wait| wait.as_secs());
        assert_eq!(wait("120"), Some(120));
        assert_eq!(wait("Sun, 06 Nov 1994 08:50:07 GMT"), Some(30));
        // The two forms that are no longer sent.
        assert_eq!(wait("Sunday, 06-Nov-94 08:50:07 GMT"), Some(30));
        assert_eq!(wait("Sun Nov  6 08:50:07 1994"), Some(30));
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        for other in [
            "",
            "-1",
            "1.5",
            "soon",
            "Sun, 06 Nov 1994",
            "99999999999999999999",
        ] {
            assert_eq!(wait(other), None, "{other}");
        }
    }

    #[test]
    fn a_web_page_is_told_from_a_checkpoint() {
        for page in ["<html>", "\n <!DOCTYPE html>", "\u{feff}<?xml version"] {
            assert!(is_markup(page.as_bytes()), "{page}");
        }
        // A safetensors header of 60 bytes begins with the same letter.
        for other in [&b"<\0\0\0\0\0\0\0{"[..], b"{}", b"", b"\x89HDF\r\n"] {
            assert!(!is_markup(other), "{other:?}");
        }
    }
}
